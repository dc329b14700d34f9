using System.Collections.Immutable;
using System.Text;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Aggregator.Settings;

/// <summary>Reads a YAML file into <see cref="YamlNode"/>s, with the line of each. Size and depth are bounded.</summary>
internal static class YamlFile
{
    /// <summary>Twenty times the longest configuration that makes sense.</summary>
    internal const int MaxBytes = 64 * 1024;

    /// <summary>Ours need four levels.</summary>
    private const int MaxDepth = 16;

    /// <returns>The document's mapping (empty for an empty file), or the error.</returns>
    internal static (YamlMap? Root, SettingError? Error) Load(string path)
    {
        try
        {
            if (Directory.Exists(path))
            {
                return (null, new SettingError(path, 0, "", "is a directory; name the file in it"));
            }

            using var file = File.OpenRead(path);
            var bytes = new byte[MaxBytes + 1];
            int length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            return length <= MaxBytes
                ? Parse(path, bytes.AsSpan(0, length))
                : (null, new SettingError(path, 0, "", $"is larger than {MaxBytes / 1024} KiB; it cannot be a configuration"));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return (null, new SettingError(path, 0, "", "no such file; write one, or name another with `--config FILE`"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (null, new SettingError(path, 0, "", $"cannot be read ({Reason.Of(e)})"));
        }
    }

    /// <param name="path">For the error.</param>
    /// <param name="content">UTF-8.</param>
    internal static (YamlMap? Root, SettingError? Error) Parse(string path, ReadOnlySpan<byte> content)
    {
        string text;
        try
        {
            text = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(content).TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException)
        {
            return (null, new SettingError(path, 0, "", "is not UTF-8 text"));
        }

        var builder = new Builder(path, text);
        try
        {
            return (builder.Document(), null);
        }
        catch (NotAllowedException e)
        {
            return (null, e.Error);
        }
        catch (YamlException e)
        {
            return (null, new SettingError(path, (int)e.Start.Line, "", $"is not valid YAML: {OneLine(e.Message)}"));
        }
        catch (Exception e) when (IsParsersOwn(e))
        {
            return (null, new SettingError(path, builder.Line, "", "is not valid YAML here or in the next lines"));
        }
    }

    /// <summary>The parser answers some malformed texts with exceptions that are not meant for callers (found by the property tests).</summary>
    private static bool IsParsersOwn(Exception e) =>
        e is InvalidOperationException or ArgumentException or NullReferenceException or IndexOutOfRangeException or FormatException or OverflowException;

    /// <summary>Messages of the parser begin with a position, which we say ourselves, and may quote line ends.</summary>
    private static string OneLine(string message)
    {
        int end = message.StartsWith("(Line: ", StringComparison.Ordinal) ? message.IndexOf("): ", StringComparison.Ordinal) : -1;
        return (end >= 0 ? message[(end + 3)..] : message).ReplaceLineEndings(" ").TrimEnd('.', ' ');
    }

    private sealed class NotAllowedException(SettingError error) : Exception
    {
        internal SettingError Error { get; } = error;
    }

    private sealed class Builder(string path, string text)
    {
        private readonly Parser _parser = new(new StringReader(text));
        private int _depth;

        /// <summary>Where the last event that made sense ended.</summary>
        internal int Line => (int)Math.Max(1, _parser.Current?.End.Line ?? 1);

        internal YamlMap Document()
        {
            _parser.Consume<StreamStart>();
            if (_parser.TryConsume<StreamEnd>(out _))
            {
                return new YamlMap(1, []);
            }

            _parser.Consume<DocumentStart>();
            var root = Node();
            _parser.Consume<DocumentEnd>();
            if (!_parser.Accept<StreamEnd>(out _))
            {
                throw NotAllowed(_parser.Current, "begins a second document; a configuration has one");
            }

            return root switch
            {
                YamlMap map => map,
                YamlScalar { IsNothing: true } => new YamlMap(1, []),
                _ => throw new NotAllowedException(new SettingError(path, root.Line, "", "is not a list of `key: value` lines")),
            };
        }

        private YamlNode Node()
        {
            var start = _parser.Consume<ParsingEvent>();
            if (start is AnchorAlias || (start is NodeEvent { Anchor.IsEmpty: false }))
            {
                throw NotAllowed(start, "uses an anchor or alias (`&` or `*`); write the value out, or quote it if it is text");
            }

            if (start is NodeEvent { Tag.IsEmpty: false })
            {
                throw NotAllowed(start, "uses a tag (`!`); remove it, or quote it if it is text");
            }

            if (++_depth > MaxDepth)
            {
                throw NotAllowed(start, $"is nested more than {MaxDepth} levels deep");
            }

            YamlNode node = start switch
            {
                Scalar scalar => new YamlScalar((int)scalar.Start.Line, scalar.Value, scalar.Style != ScalarStyle.Plain),
                SequenceStart => List((int)start.Start.Line),
                MappingStart => Map((int)start.Start.Line),
                _ => throw NotAllowed(start, "is not valid YAML"),
            };
            _depth--;
            return node;
        }

        private YamlList List(int line)
        {
            var items = ImmutableArray.CreateBuilder<YamlNode>();
            while (!_parser.TryConsume<SequenceEnd>(out _))
            {
                items.Add(Node());
            }

            return new YamlList(line, items.ToImmutable());
        }

        private YamlMap Map(int line)
        {
            var entries = ImmutableArray.CreateBuilder<YamlEntry>();
            var lines = new Dictionary<string, int>();
            while (!_parser.TryConsume<MappingEnd>(out _))
            {
                var key = Node();
                if (key is not YamlScalar { Text: var name })
                {
                    throw new NotAllowedException(new SettingError(path, key.Line, "", "a list or mapping stands where a key should be"));
                }

                if (!lines.TryAdd(name, key.Line))
                {
                    throw new NotAllowedException(new SettingError(path, key.Line, name, $"is there twice (first in line {lines[name]}); remove one"));
                }

                entries.Add(new YamlEntry(name, key.Line, Node()));
            }

            return new YamlMap(line, entries.ToImmutable());
        }

        private NotAllowedException NotAllowed(ParsingEvent? at, string problem) =>
            new(new SettingError(path, (int)(at?.Start.Line ?? 0), "", problem));
    }
}
