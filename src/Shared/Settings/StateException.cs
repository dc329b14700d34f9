namespace Aggregator.Settings;

/// <summary>
/// State on the disk that cannot be read, written or trusted. The message is one line for the user: which file, what is wrong, what to do.
/// </summary>
internal sealed class StateException(string path, string problem, Exception? inner = null) : IOException($"{path}: {problem}", inner)
{
    internal string Path { get; } = path;
}
