using System.CommandLine;

namespace Aggregator.Cli;

/// <summary>A command whose `--help` ends with examples.</summary>
/// <param name="name">As typed.</param>
/// <param name="description">One sentence.</param>
/// <param name="examples">Command lines as people would type them.</param>
internal sealed class ExampleCommand(string name, string description, params string[] examples) : Command(name, description)
{
    internal IReadOnlyList<string> Examples { get; } = examples;
}
