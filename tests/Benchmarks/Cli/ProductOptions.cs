using System.CommandLine;
using Aggregator.Lab.Product;

namespace Aggregator.Benchmarks.Cli;

/// <summary>How our daemons are configured in a scenario.</summary>
internal sealed class ProductOptions
{
    private readonly Option<string?> _carrier = new("--carrier") { Description = "trunk or mptcp; without it, the product's default" };
    private readonly Option<bool> _plain = new("--plain") { Description = "data connections without cipher" };

    internal ProductOptions(Command command)
    {
        command.Add(_carrier);
        command.Add(_plain);
    }

    internal ProductSettings Of(ParseResult parsed) => new() { Carrier = parsed.GetValue(_carrier), Encrypt = !parsed.GetValue(_plain) };
}
