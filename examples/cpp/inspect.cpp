// Inspects captures with an artefact of `afrd export --to onnx`, as a station's own program would: ONNX Runtime's C API,
// no Python. Threshold, lights and size come from the card inside the file.
//
//   g++ -std=c++17 inspect.cpp -I <folder of onnxruntime_c_api.h> -lonnxruntime -o inspect     (nlohmann/json.hpp as well)
//   ./inspect model.onnx capture.raw …
//
// A capture.raw is what a camera gives: N lights one after the other in the card's order, each C planes of H rows of W
// values, 8 bit or 16 bit little-endian, as `card["input"]` says. One line each: verdict, score, threshold, file.
// Exit status 0; 1 for an error, which is said on stderr. Whatever cannot be judged is no good part.
//
// The graph judges the part. Faults of the lights are found by afrd's Inspector, in Python: see docs/export.md.
#include <onnxruntime_c_api.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

const OrtApi& ort() {
  static const OrtApi* api = OrtGetApiBase()->GetApi(ORT_API_VERSION);
  if (!api) throw std::runtime_error("ONNX Runtime is older than its header");
  return *api;
}

void check(OrtStatus* status) {
  if (!status) return;
  const std::string what = ort().GetErrorMessage(status);
  ort().ReleaseStatus(status);
  throw std::runtime_error(what);
}

template <class T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

struct Card {
  int lights, channels, height, width;
  bool sixteen_bit;
  double threshold;
};

// Throws: no card, another format, or captures that the graph alone does not see as training did.
Card read_card(OrtSession* session) {
  OrtAllocator* allocator = nullptr;
  check(ort().GetAllocatorWithDefaultOptions(&allocator));
  OrtModelMetadata* found = nullptr;
  check(ort().SessionGetModelMetadata(session, &found));
  Owned<OrtModelMetadata> metadata(found, ort().ReleaseModelMetadata);
  char* text = nullptr;
  check(ort().ModelMetadataLookupCustomMetadataMap(metadata.get(), allocator, "afrd", &text));
  if (!text) throw std::runtime_error("carries no afrd card; pass a file that afrd export wrote");
  const std::string copied = text;
  check(ort().AllocatorFree(allocator, text));
  const auto json = nlohmann::json::parse(copied);
  if (json.at("format") != 1) throw std::runtime_error("another artefact format than 1; export it again");
  const auto& input = json.at("input");
  const auto& model = json.at("model");
  const auto& imaging = model.at("imaging");
  if (!imaging.is_null()) {
    const auto& pixels = imaging.at("pixels");
    const int depth = input.at("dtype") == "uint16" ? 16 : 8;
    const bool plain = pixels.at("bits") == depth && pixels.at("black") == 0 && pixels.at("transfer") == "srgb";
    // hot pixels, which the Inspector replaces, stay what they are: an anomaly
    for (const auto& part : imaging.items())
      if (!plain || (part.key() != "pixels" && !part.value().is_null() && part.value() != false && part.value() != "hot"))
        throw std::runtime_error("its captures take imaging (docs/imaging.md) that only afrd's Inspector does");
  }
  return {static_cast<int>(model.at("lights").at("names").size()), input.at("channels"), input.at("height"),
          input.at("width"), input.at("dtype") == "uint16", model.at("threshold")};
}

std::vector<char> read_capture(const std::string& path, const Card& card) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  std::vector<char> bytes(std::istreambuf_iterator<char>(file), {});
  const size_t expected = size_t(card.lights) * card.channels * card.height * card.width * (card.sixteen_bit ? 2 : 1);
  if (bytes.size() != expected)
    throw std::runtime_error(path + ": " + std::to_string(bytes.size()) + " bytes; expected " +
                             std::to_string(expected) + ", the lights of one capture at the size of the export");
  return bytes;
}

float score(OrtSession* session, OrtMemoryInfo* memory, const Card& card, std::vector<char>& bytes) {
  const int64_t shape[] = {1, card.lights, card.channels, card.height, card.width};
  const auto type = card.sixteen_bit ? ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16 : ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
  OrtValue* made = nullptr;
  check(ort().CreateTensorWithDataAsOrtValue(memory, bytes.data(), bytes.size(), shape, 5, type, &made));
  Owned<OrtValue> images(made, ort().ReleaseValue);
  const char* inputs[] = {"images"};
  const char* outputs[] = {"score"};
  const OrtValue* given[] = {images.get()};
  OrtValue* answer = nullptr;
  check(ort().Run(session, nullptr, inputs, given, 1, outputs, 1, &answer));
  Owned<OrtValue> owned(answer, ort().ReleaseValue);
  void* value = nullptr;
  check(ort().GetTensorMutableData(owned.get(), &value));
  const float found = *static_cast<float*>(value);
  if (!std::isfinite(found)) throw std::runtime_error("a score that is no number; the model is broken");
  return found;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) {
    std::fprintf(stderr, "usage: inspect model.onnx capture.raw …\n");
    return 1;
  }
  try {
    OrtEnv* env = nullptr;
    check(ort().CreateEnv(ORT_LOGGING_LEVEL_ERROR, "inspect", &env));
    Owned<OrtEnv> owned_env(env, ort().ReleaseEnv);
    OrtSessionOptions* options = nullptr;
    check(ort().CreateSessionOptions(&options));
    Owned<OrtSessionOptions> owned_options(options, ort().ReleaseSessionOptions);
    check(ort().SetSessionLogSeverityLevel(options, ORT_LOGGING_LEVEL_ERROR));
    OrtSession* session = nullptr;
    check(ort().CreateSession(env, arguments[1], options, &session));
    Owned<OrtSession> owned_session(session, ort().ReleaseSession);
    OrtMemoryInfo* memory = nullptr;
    check(ort().CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory));
    Owned<OrtMemoryInfo> owned_memory(memory, ort().ReleaseMemoryInfo);
    const Card card = read_card(session);
    for (int i = 2; i < count; ++i) {
      std::vector<char> bytes = read_capture(arguments[i], card);
      const float found = score(session, memory, card, bytes);
      const char* verdict = found > card.threshold ? "anomalous" : "good";
      std::printf("%s\t%.9g\t%.9g\t%s\n", verdict, found, card.threshold, arguments[i]);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", arguments[1], error.what());
    return 1;
  }
}
