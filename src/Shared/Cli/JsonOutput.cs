using System.Collections;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Aggregator.Cli;

/// <summary>
/// Protobuf messages as the JSON of `--json`: the fields' own names (snake_case), every field in the order of the .proto file, what is not
/// set as null, 64-bit numbers as numbers, an empty list as []. Not the canonical mapping of protobuf, which leaves out and quotes.
/// </summary>
internal static class JsonOutput
{
    /// <summary>For the little that is no protobuf message.</summary>
    internal static JsonSerializerOptions Indented { get; } = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <param name="message">Any message.</param>
    /// <param name="indented">False: one line, for streams.</param>
    internal static string Format(IMessage message, bool indented = true)
    {
        using var buffer = new MemoryStream();
        // Relaxed: the output is no HTML; names keep their letters.
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = indented, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            Write(writer, message);
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    internal static void Write(Utf8JsonWriter writer, IMessage message)
    {
        writer.WriteStartObject();
        foreach (var field in message.Descriptor.Fields.InDeclarationOrder())
        {
            writer.WritePropertyName(field.Name);
            if (field.HasPresence && !field.Accessor.HasValue(message))
            {
                writer.WriteNullValue();
            }
            else
            {
                WriteField(writer, field, field.Accessor.GetValue(message));
            }
        }

        writer.WriteEndObject();
    }

    private static void WriteField(Utf8JsonWriter writer, FieldDescriptor field, object value)
    {
        if (field.IsMap)
        {
            var of = field.MessageType.FindFieldByNumber(2);
            writer.WriteStartObject();
            foreach (DictionaryEntry entry in (IDictionary)value)
            {
                writer.WritePropertyName(Convert.ToString(entry.Key, System.Globalization.CultureInfo.InvariantCulture)!);
                WriteValue(writer, of, entry.Value!);
            }

            writer.WriteEndObject();
        }
        else if (field.IsRepeated)
        {
            writer.WriteStartArray();
            foreach (object item in (IList)value)
            {
                WriteValue(writer, field, item);
            }

            writer.WriteEndArray();
        }
        else
        {
            WriteValue(writer, field, value);
        }
    }

    private static void WriteValue(Utf8JsonWriter writer, FieldDescriptor field, object value)
    {
        switch (value)
        {
            case string text:
                writer.WriteStringValue(text);
                break;
            case bool flag:
                writer.WriteBooleanValue(flag);
                break;
            case int number when field.FieldType != FieldType.Enum:
                writer.WriteNumberValue(number);
                break;
            case uint number:
                writer.WriteNumberValue(number);
                break;
            case long number:
                writer.WriteNumberValue(number);
                break;
            case ulong number:
                writer.WriteNumberValue(number);
                break;
            case float number when float.IsFinite(number):
                writer.WriteNumberValue(number);
                break;
            case double number when double.IsFinite(number):
                writer.WriteNumberValue(number);
                break;
            case float or double:
                // JSON has no word for it; it is not a measurement.
                writer.WriteNullValue();
                break;
            case ByteString bytes:
                writer.WriteBase64StringValue(bytes.Span);
                break;
            case IMessage message:
                Write(writer, message);
                break;
            case var choice when field.FieldType == FieldType.Enum:
                // Boxed as the enumeration's own type.
                int chosen = Convert.ToInt32(choice, System.Globalization.CultureInfo.InvariantCulture);
                writer.WriteStringValue(field.EnumType.FindValueByNumber(chosen)?.Name ?? chosen.ToString(System.Globalization.CultureInfo.InvariantCulture));
                break;
            default:
                throw new InvalidOperationException($"{field.FullName}: no JSON for {value.GetType()}");
        }
    }
}
