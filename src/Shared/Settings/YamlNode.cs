using System.Collections.Immutable;

namespace Aggregator.Settings;

/// <summary>YAML as far as configuration files may use it: no anchors, aliases, tags or second documents.</summary>
/// <param name="Line">Where it starts, counted from 1.</param>
internal abstract record YamlNode(int Line);

/// <param name="Line">Where it starts.</param>
/// <param name="Text">Its text without quotes.</param>
/// <param name="Quoted">Quoted text is never a number, a truth value or nothing.</param>
internal sealed record YamlScalar(int Line, string Text, bool Quoted) : YamlNode(Line)
{
    /// <summary>YAML 1.2 core schema: null.</summary>
    internal bool IsNothing => !Quoted && Text is ("" or "~" or "null" or "Null" or "NULL");
}

internal sealed record YamlList(int Line, ImmutableArray<YamlNode> Items) : YamlNode(Line);

internal sealed record YamlMap(int Line, ImmutableArray<YamlEntry> Entries) : YamlNode(Line);

internal sealed record YamlEntry(string Key, int Line, YamlNode Value);
