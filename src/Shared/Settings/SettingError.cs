namespace Aggregator.Settings;

/// <summary>What is wrong with a configuration file, in one line for the user.</summary>
/// <param name="File">As the user named it.</param>
/// <param name="Line">Counted from 1; 0 when it is about the file as a whole.</param>
/// <param name="Key">Such as `wans[0].name`; empty when it is about the line.</param>
/// <param name="Problem">What is wrong and what to do.</param>
internal sealed record SettingError(string File, int Line, string Key, string Problem)
{
    public override string ToString() =>
        $"{File}:{(Line > 0 ? $"{Line}:" : "")} {(Key.Length > 0 ? $"key `{Key}`: " : "")}{Problem}";
}
