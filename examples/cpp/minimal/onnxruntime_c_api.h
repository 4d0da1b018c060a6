// The part of ONNX Runtime's C API that the example uses, for machines that have its library and not its headers, such
// as one with the Python wheel alone. Where the library came with its own onnxruntime_c_api.h, leave this folder out.
//
// The API is a table of functions whose order never changes; `unused` keeps the places of those that are not needed.
#pragma once
#include <cstddef>
#include <cstdint>

#define ORT_API_VERSION 16

struct OrtStatus;
struct OrtEnv;
struct OrtSession;
struct OrtSessionOptions;
struct OrtRunOptions;
struct OrtValue;
struct OrtMemoryInfo;
struct OrtAllocator;
struct OrtModelMetadata;

enum OrtLoggingLevel { ORT_LOGGING_LEVEL_ERROR = 3 };
enum OrtAllocatorType { OrtArenaAllocator = 1 };
enum OrtMemType { OrtMemTypeDefault = 0 };
enum ONNXTensorElementDataType { ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8 = 2, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16 = 4 };

struct OrtApi {
  void* unused0[2];
  const char* (*GetErrorMessage)(const OrtStatus* status);
  OrtStatus* (*CreateEnv)(int level, const char* name, OrtEnv** out);
  void* unused1[3];
  OrtStatus* (*CreateSession)(const OrtEnv*, const char* path, const OrtSessionOptions*, OrtSession** out);
  void* unused2[1];
  OrtStatus* (*Run)(OrtSession*, const OrtRunOptions*, const char* const* input_names, const OrtValue* const* inputs,
                    size_t input_count, const char* const* output_names, size_t output_count, OrtValue** outputs);
  OrtStatus* (*CreateSessionOptions)(OrtSessionOptions** out);
  void* unused3[11];
  OrtStatus* (*SetSessionLogSeverityLevel)(OrtSessionOptions*, int level);
  void* unused4[26];
  OrtStatus* (*CreateTensorWithDataAsOrtValue)(const OrtMemoryInfo*, void* data, size_t bytes, const int64_t* shape,
                                               size_t rank, ONNXTensorElementDataType type, OrtValue** out);
  void* unused5[1];
  OrtStatus* (*GetTensorMutableData)(OrtValue*, void** out);
  void* unused6[17];
  OrtStatus* (*CreateCpuMemoryInfo)(int allocator, int memory, OrtMemoryInfo** out);
  void* unused7[6];
  OrtStatus* (*AllocatorFree)(OrtAllocator*, void* memory);
  void* unused8[1];
  OrtStatus* (*GetAllocatorWithDefaultOptions)(OrtAllocator** out);
  void* unused9[13];
  void (*ReleaseEnv)(OrtEnv*);
  void (*ReleaseStatus)(OrtStatus*);
  void (*ReleaseMemoryInfo)(OrtMemoryInfo*);
  void (*ReleaseSession)(OrtSession*);
  void (*ReleaseValue)(OrtValue*);
  void* unused10[3];
  void (*ReleaseSessionOptions)(OrtSessionOptions*);
  void* unused11[10];
  OrtStatus* (*SessionGetModelMetadata)(const OrtSession*, OrtModelMetadata** out);
  void* unused12[4];
  OrtStatus* (*ModelMetadataLookupCustomMetadataMap)(const OrtModelMetadata*, OrtAllocator*, const char* key,
                                                     char** value);
  void* unused13[1];
  void (*ReleaseModelMetadata)(OrtModelMetadata*);
};

struct OrtApiBase {
  const OrtApi* (*GetApi)(uint32_t version);
  const char* (*GetVersionString)();
};

extern "C" const OrtApiBase* OrtGetApiBase();
