using System.CommandLine;
using Aggregator.Settings;

namespace Aggregator.Cli;

/// <summary>Options and arguments with strict values: what is wrong is a usage error in the words of <see cref="Values"/>.</summary>
internal static class Options
{
    internal static Option<string> Config(string defaultPath) => new("--config")
    {
        Description = "The configuration file",
        HelpName = "FILE",
        DefaultValueFactory = _ => defaultPath,
    };

    internal static Option<bool> Json() => new("--json") { Description = "Print JSON for programs" };

    internal static Option<T> Strict<T>(string name, string helpName, string description, Func<string, Parsed<T>> parse) => new(name)
    {
        Description = description,
        HelpName = helpName,
        CustomParser = result =>
        {
            var parsed = parse(result.Tokens[0].Value);
            if (parsed.Problem is { } problem)
            {
                result.AddError($"{name}: {problem}");
            }

            return parsed.Value!;
        },
    };

    internal static Argument<T> StrictArgument<T>(string name, string description, Func<string, Parsed<T>> parse) => new(name)
    {
        Description = description,
        CustomParser = result =>
        {
            var parsed = parse(result.Tokens[0].Value);
            if (parsed.Problem is { } problem)
            {
                result.AddError(problem);
            }

            return parsed.Value!;
        },
    };
}
