using System.CommandLine;
using Aggregator.Lab.Product;

namespace Aggregator.Benchmarks.Cli;

/// <summary>How our daemons are configured in a scenario.</summary>
internal sealed class ProductOptions
{
    private readonly Option<string?> _carrier = new("--carrier") { Description = "trunk or mptcp; without it, the product's default" };
    private readonly string? _otherwise;
    private readonly Option<string?> _paths = new("--paths") { Description = "`kernel`: the carrier mptcp's subflows by the kernel's endpoints; without it, the product's default" };
    private readonly Option<bool> _plain = new("--plain") { Description = "data connections without cipher" };

    /// <param name="carrier">Where none is asked for; null: the product's default.</param>
    internal ProductOptions(Command command, string? carrier = null)
    {
        _otherwise = carrier;
        command.Add(_carrier);
        command.Add(_paths);
        command.Add(_plain);
    }

    internal ProductSettings Of(ParseResult parsed) => new()
    {
        Carrier = parsed.GetValue(_carrier) ?? _otherwise,
        Encrypt = !parsed.GetValue(_plain),
        GatewayMore = parsed.GetValue(_paths) is { } paths ? $"paths: {paths}\n" : "",
    };
}
