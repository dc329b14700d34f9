using System.Collections.Immutable;

namespace Aggregator.Settings;

/// <summary>A value made of a scalar's text, or what is wrong with the text.</summary>
internal readonly record struct Parsed<T>(T? Value, string? Problem)
{
    internal static Parsed<T> Of(T value) => new(value, null);

    internal static Parsed<T> Not(string problem) => new(default, problem);
}

/// <summary>
/// Typed reads of one mapping. What is missing is null; what is wrong is an error in the list, and null. <see cref="Finish"/> reports the
/// keys that nobody asked for.
/// </summary>
internal sealed class MapReader(string file, YamlMap map, string prefix, List<SettingError> errors)
{
    /// <summary>Characters of the user's text that an error repeats.</summary>
    private const int MaxShown = 60;

    private readonly HashSet<string> _known = [];

    internal int Line => map.Line;

    internal bool Has(string key) => Find(key) is not null;

    /// <summary>The line of a key, also of one further down (`ingress.socks`); that of the mapping where there is none.</summary>
    internal int LineOf(string key)
    {
        var (at, line) = (map, map.Line);
        foreach (string part in key.Split('.'))
        {
            if (at?.Entries.FirstOrDefault(e => e.Key == part) is not { } entry)
            {
                break;
            }

            (at, line) = (entry.Value as YamlMap, entry.Line);
        }

        return line;
    }

    internal void Report(string key, string problem) => ReportAt(LineOf(key), key, problem);

    /// <summary>Any single value, through <paramref name="parse"/>.</summary>
    internal T? Value<T>(string key, Func<string, Parsed<T>> parse)
        where T : class =>
        Scalar(key) is { } text && Take(key, text, parse) is { Problem: null } parsed ? parsed.Value : null;

    internal T? ValueOf<T>(string key, Func<string, Parsed<T>> parse)
        where T : struct =>
        Scalar(key) is { } text && Take(key, text, parse) is { Problem: null } parsed ? parsed.Value : null;

    internal bool? Flag(string key) => FlagOr(key, null, out _);

    /// <summary>`true`, `false`, or one word beside them.</summary>
    /// <param name="isWord">It is the word; the result is then true.</param>
    internal bool? FlagOr(string key, string? word, out bool isWord)
    {
        isWord = false;
        switch (Scalar(key))
        {
            case null:
                return null;
            case { Quoted: false } scalar when word is not null && scalar.Text == word:
                isWord = true;
                return true;
            case { Quoted: false, Text: "true" }:
                return true;
            case { Quoted: false, Text: "false" }:
                return false;
            case { } other:
                ReportAt(other.Line, key, $"must be true{(word is null ? "" : $", {word}")} or false, without quotes; it is {Shown(other.Text)}");
                return null;
        }
    }

    /// <summary>A list of single values. Null: the key is not there, or something in it is wrong.</summary>
    internal ImmutableArray<T>? List<T>(string key, string example, Func<string, Parsed<T>> parse)
    {
        if (ItemsOf(key, example) is not { } items)
        {
            return null;
        }

        var values = ImmutableArray.CreateBuilder<T>(items.Length);
        for (int i = 0; i < items.Length; i++)
        {
            if (items[i] is not YamlScalar { IsNothing: false } scalar)
            {
                ReportAt(items[i].Line, $"{key}[{i}]", $"must be a single value, as in `{key}: {example}`");
            }
            else if (Take($"{key}[{i}]", scalar, parse) is { Problem: null, Value: { } value })
            {
                values.Add(value);
            }
        }

        return values.Count == items.Length ? values.ToImmutable() : null;
    }

    /// <summary>One value, or a list of them. Null as above.</summary>
    internal ImmutableArray<T>? OneOrMore<T>(string key, string example, Func<string, Parsed<T>> parse)
        where T : class
    {
        if (Find(key)?.Value is not YamlScalar)
        {
            return List(key, example, parse);
        }

        return Value(key, parse) is { } value ? [value] : null;
    }

    /// <summary>A mapping whose keys are the user's own, in the file's order. Null as above.</summary>
    internal ImmutableArray<(TKey Key, TValue Value)>? Table<TKey, TValue>(
        string key, string example, Func<string, Parsed<TKey>> parseKey, Func<string, Parsed<TValue>> parse)
        where TKey : class
        where TValue : class
    {
        if (Map(key, example) is not { } inner || Find(key)?.Value is not YamlMap table)
        {
            return null;
        }

        var pairs = ImmutableArray.CreateBuilder<(TKey, TValue)>(table.Entries.Length);
        foreach (var entry in table.Entries)
        {
            if (parseKey(entry.Key) is { Problem: { } problem })
            {
                inner.ReportAt(entry.Line, Shorten(entry.Key), problem);
            }
            else if (inner.Value(entry.Key, parse) is { } value)
            {
                pairs.Add((parseKey(entry.Key).Value!, value));
            }
        }

        return pairs.Count == table.Entries.Length ? pairs.ToImmutable() : null;
    }

    /// <summary>A list of mappings, each read by <paramref name="read"/>, which leaves <see cref="Finish"/> to us. Null as above.</summary>
    internal ImmutableArray<T>? Maps<T>(string key, string example, Func<MapReader, T?> read)
        where T : class
    {
        if (ItemsOf(key, example) is not { } items)
        {
            return null;
        }

        var values = ImmutableArray.CreateBuilder<T>(items.Length);
        for (int i = 0; i < items.Length; i++)
        {
            if (items[i] is not YamlMap item)
            {
                ReportAt(items[i].Line, $"{key}[{i}]", $"must be a mapping, such as `{example}`");
                continue;
            }

            var reader = new MapReader(file, item, $"{prefix}{key}[{i}].", errors);
            if (read(reader) is { } value)
            {
                values.Add(value);
            }

            reader.Finish();
        }

        return values.Count == items.Length ? values.ToImmutable() : null;
    }

    internal bool IsMap(string key) => Find(key)?.Value is YamlMap;

    /// <summary>A mapping; the caller calls its <see cref="Finish"/>.</summary>
    internal MapReader? Map(string key, string example)
    {
        _known.Add(key);
        switch (Find(key))
        {
            case null:
                return null;
            case { Value: YamlMap value }:
                return new MapReader(file, value, $"{prefix}{key}.", errors);
            case var entry:
                ReportAt(entry.Value.Line, key, $"must be a mapping, such as `{key}: {example}`");
                return null;
        }
    }

    /// <summary>To be called when everything was read: other keys are errors.</summary>
    internal void Finish()
    {
        foreach (var entry in map.Entries.Where(e => !_known.Contains(e.Key)))
        {
            string hint = NearMiss.Find(entry.Key, _known) is { } near
                ? $"did you mean `{near}`?"
                : $"known are {string.Join(", ", _known.Order(StringComparer.Ordinal))}";
            errors.Add(new SettingError(file, entry.Line, prefix + Shorten(entry.Key), $"there is no such key; {hint}"));
        }
    }

    /// <summary>As an error shows what the user wrote: in quotes, one line, never longer than a few words.</summary>
    internal static string Shown(string text) => $"\"{Shorten(text)}\"";

    private static string Shorten(string text)
    {
        // Cut first: the text may come from the network and be long.
        string start = text.Length <= MaxShown ? text : text[..(MaxShown - 3)] + "...";
        return string.Concat(start.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? ' ' : c));
    }

    private YamlEntry? Find(string key) => map.Entries.FirstOrDefault(e => e.Key == key);

    private YamlScalar? Scalar(string key)
    {
        _known.Add(key);
        switch (Find(key))
        {
            case null:
                return null;
            case { Value: YamlScalar { IsNothing: false } scalar }:
                return scalar;
            case { Value: YamlScalar, Line: var line }:
                ReportAt(line, key, "has no value; give it one or remove the line");
                return null;
            case { Value: YamlList list }:
                ReportAt(list.Line, key, "must be a single value, not a list");
                return null;
            case var entry:
                ReportAt(entry.Value.Line, key, "must be a single value, not a mapping");
                return null;
        }
    }

    private ImmutableArray<YamlNode>? ItemsOf(string key, string example)
    {
        _known.Add(key);
        switch (Find(key))
        {
            case null:
                return null;
            case { Value: YamlList list }:
                return list.Items;
            case var entry:
                ReportAt(entry.Line, key, $"must be a list, such as `{key}: {example}`");
                return null;
        }
    }

    private Parsed<T> Take<T>(string key, YamlScalar scalar, Func<string, Parsed<T>> parse)
    {
        var parsed = parse(scalar.Text);
        if (parsed.Problem is { } problem)
        {
            ReportAt(scalar.Line, key, problem);
        }

        return parsed;
    }

    internal void ReportAt(int line, string key, string problem) => errors.Add(new SettingError(file, line, prefix + key, problem));
}
