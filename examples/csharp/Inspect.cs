// The same as ../cpp/inspect.cpp in C# 7; run with Mono, written for .NET and .NET Framework (4.7.2 and later) too.
//
//   dotnet new console -o Inspect && cp Inspect.cs Inspect/Program.cs && cd Inspect
//   dotnet add package Microsoft.ML.OnnxRuntime
//   dotnet run -- model.onnx capture.raw …
//
// A capture.raw: N lights in the card's order, each C planes of H rows of W values, 8 bit or 16 bit little-endian.
// Exit status 0; 1 for an error. The graph judges the part; faults of the lights are found by afrd's Inspector.
using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Runtime.Serialization.Json;
using System.Text;
using System.Xml;
using System.Xml.Linq;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

static class Inspect
{
    static int Main(string[] args)
    {
        if (args.Length < 2)
        {
            Console.Error.WriteLine("usage: Inspect model.onnx capture.raw …");
            return 1;
        }
        try
        {
            CultureInfo.CurrentCulture = CultureInfo.InvariantCulture; // a point in numbers, wherever it runs
            using (var session = new InferenceSession(args[0]))
            {
                var card = new Card(session);
                foreach (var path in args.Skip(1))
                {
                    float score = Score(session, card, path);
                    string verdict = score > card.Threshold ? "anomalous" : "good";
                    Console.WriteLine($"{verdict}\t{score:G9}\t{card.Threshold:G9}\t{path}");
                }
            }
            return 0;
        }
        catch (Exception error)
        {
            Console.Error.WriteLine($"{args[0]}: {error.Message}");
            return 1;
        }
    }

    static float Score(InferenceSession session, Card card, string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        int expected = card.Values * (card.SixteenBit ? 2 : 1);
        if (bytes.Length != expected)
            throw new InvalidDataException($"{path}: {bytes.Length} bytes; expected {expected}");
        NamedOnnxValue images;
        if (card.SixteenBit)
        {
            var pixels = new ushort[card.Values];
            Buffer.BlockCopy(bytes, 0, pixels, 0, bytes.Length);
            images = NamedOnnxValue.CreateFromTensor("images", new DenseTensor<ushort>(pixels, card.Shape));
        }
        else
        {
            images = NamedOnnxValue.CreateFromTensor("images", new DenseTensor<byte>(bytes, card.Shape));
        }
        using (var answers = session.Run(new[] { images }, new[] { "score" }))
        {
            float score = answers.First().AsTensor<float>().GetValue(0);
            if (float.IsNaN(score) || float.IsInfinity(score))
                throw new InvalidDataException("a score that is no number; the model is broken");
            return score;
        }
    }
}

/// What the file says of itself. Throws: no card, another format, or captures that the graph alone does not see as
/// training did.
class Card
{
    public readonly int[] Shape;
    public readonly int Values;
    public readonly bool SixteenBit;
    public readonly double Threshold;

    public Card(InferenceSession session)
    {
        if (!session.ModelMetadata.CustomMetadataMap.TryGetValue("afrd", out string text))
            throw new InvalidDataException("carries no afrd card; pass a file that afrd export wrote");
        XElement card;
        using (var reader = JsonReaderWriterFactory.CreateJsonReader(
            Encoding.UTF8.GetBytes(text), XmlDictionaryReaderQuotas.Max))
        {
            card = XElement.Load(reader); // an object's keys as elements, each value with its type
        }
        if (Text(card, "format") != "1")
            throw new InvalidDataException("another artefact format than 1; export it again");
        XElement input = Part(card, "input"), model = Part(card, "model");
        SixteenBit = Text(input, "dtype") == "uint16";
        RequirePlain(Part(model, "imaging"), SixteenBit ? "16" : "8");
        Shape = new[]
        {
            1, Part(Part(model, "lights"), "names").Elements().Count(), Int(input, "channels"), Int(input, "height"),
            Int(input, "width"),
        };
        Values = Shape.Aggregate(1, (a, b) => checked(a * b));
        Threshold = double.Parse(Text(model, "threshold"), CultureInfo.InvariantCulture);
    }

    static void RequirePlain(XElement imaging, string depth)
    {
        if (Is(imaging, "null")) return;
        XElement pixels = Part(imaging, "pixels");
        bool plain = Text(pixels, "bits") == depth && Text(pixels, "black") == "0"
            && Text(pixels, "transfer") == "srgb";
        // hot pixels, which the Inspector replaces, stay what they are: an anomaly
        bool more = imaging.Elements().Any(
            part => part.Name != "pixels" && !Is(part, "null") && !(Is(part, "boolean") && part.Value == "false")
                && !(part.Name == "repairs" && part.Value == "hot"));
        if (!plain || more)
        {
            throw new InvalidDataException(
                "its captures take imaging (docs/imaging.md) that only afrd's Inspector does");
        }
    }

    static XElement Part(XElement of, string name) =>
        of.Element(name) ?? throw new InvalidDataException($"its card has no {name} in {of.Name}; export it again");

    static bool Is(XElement part, string type) => (string)part.Attribute("type") == type;

    static string Text(XElement of, string name) => Part(of, name).Value;

    static int Int(XElement of, string name) => int.Parse(Text(of, name), CultureInfo.InvariantCulture);
}
