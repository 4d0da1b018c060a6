// The same as ../cpp/inspect.cpp in C#: not compiled in this project's tests, which have no .NET.
//
//   dotnet new console -o Inspect && cp Inspect.cs Inspect/Program.cs && cd Inspect
//   dotnet add package Microsoft.ML.OnnxRuntime
//   dotnet run -- model.onnx capture.raw …
//
// A capture.raw: N lights in the card's order, each C planes of H rows of W values, 8 bit or 16 bit little-endian.
// Exit status 0; 1 for an error. The graph judges the part; faults of the lights are found by afrd's Inspector.
using System.Text.Json;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

if (args.Length < 2)
{
    Console.Error.WriteLine("usage: Inspect model.onnx capture.raw …");
    return 1;
}
try
{
    using var session = new InferenceSession(args[0]);
    if (!session.ModelMetadata.CustomMetadataMap.TryGetValue("afrd", out var text))
        throw new InvalidDataException("carries no afrd card; pass a file that afrd export wrote");
    using var document = JsonDocument.Parse(text);
    var card = document.RootElement;
    if (card.GetProperty("format").GetInt32() != 1)
        throw new InvalidDataException("another artefact format than 1; export it again");
    var (input, model) = (card.GetProperty("input"), card.GetProperty("model"));
    bool wide = input.GetProperty("dtype").GetString() == "uint16";
    RequirePlain(model.GetProperty("imaging"), wide ? 16 : 8);
    int[] shape =
    {
        1, model.GetProperty("lights").GetProperty("names").GetArrayLength(), input.GetProperty("channels").GetInt32(),
        input.GetProperty("height").GetInt32(), input.GetProperty("width").GetInt32(),
    };
    int values = shape.Aggregate(1, (a, b) => a * b);
    double threshold = model.GetProperty("threshold").GetDouble();
    foreach (var path in args.Skip(1))
    {
        byte[] bytes = File.ReadAllBytes(path);
        if (bytes.Length != values * (wide ? 2 : 1))
            throw new InvalidDataException($"{path}: {bytes.Length} bytes; expected {values * (wide ? 2 : 1)}");
        NamedOnnxValue images;
        if (wide)
        {
            var pixels = new ushort[values];
            Buffer.BlockCopy(bytes, 0, pixels, 0, bytes.Length);
            images = NamedOnnxValue.CreateFromTensor("images", new DenseTensor<ushort>(pixels, shape));
        }
        else
        {
            images = NamedOnnxValue.CreateFromTensor("images", new DenseTensor<byte>(bytes, shape));
        }
        using var answers = session.Run(new[] { images }, new[] { "score" });
        float score = answers.First().AsTensor<float>().GetValue(0);
        if (!float.IsFinite(score)) throw new InvalidDataException("a score that is no number; the model is broken");
        Console.WriteLine($"{(score > threshold ? "anomalous" : "good")}\t{score:G9}\t{threshold:G9}\t{path}");
    }
    return 0;
}
catch (Exception error)
{
    Console.Error.WriteLine($"{args[0]}: {error.Message}");
    return 1;
}

static void RequirePlain(JsonElement imaging, int depth)
{
    if (imaging.ValueKind == JsonValueKind.Null) return;
    var pixels = imaging.GetProperty("pixels");
    bool plain = pixels.GetProperty("bits").GetInt32() == depth && pixels.GetProperty("black").GetInt32() == 0
        && pixels.GetProperty("transfer").GetString() == "srgb";
    bool more = imaging.EnumerateObject().Any(
        part => part.Name != "pixels" && part.Value.ValueKind is not (JsonValueKind.Null or JsonValueKind.False));
    if (!plain || more)
        throw new InvalidDataException("its captures take imaging (docs/imaging.md) that only afrd's Inspector does");
}
