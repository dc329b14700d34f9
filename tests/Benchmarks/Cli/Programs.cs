namespace Aggregator.Benchmarks.Cli;

/// <summary>The programs of others that a benchmark runs; each is in the Debian package of its name.</summary>
internal static class Programs
{
    /// <exception cref="IOException">Some are missing; the message says how to get them.</exception>
    internal static void Require(params IEnumerable<string> names)
    {
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries);
        string[] missing = [.. names.Distinct().Where(name => !folders.Any(folder => File.Exists(Path.Combine(folder, name))))];
        if (missing.Length > 0)
        {
            throw new IOException($"not installed: {string.Join(", ", missing)}; run: sudo deploy/setup.sh {string.Join(' ', missing)}");
        }
    }
}
