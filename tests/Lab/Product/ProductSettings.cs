namespace Aggregator.Lab.Product;

/// <summary>What the configuration files of a VPS and a gateway under test say. The defaults take every kind of client.</summary>
internal sealed record ProductSettings
{
    /// <summary>`trunk` or `mptcp`. Null: the product's default.</summary>
    internal string? Carrier { get; init; }

    /// <summary>False: data connections without cipher, and a VPS that allows them.</summary>
    internal bool Encrypt { get; init; } = true;

    internal bool Transparent { get; init; } = true;

    /// <summary>`transparent:` as it is written, in place of <see cref="Transparent"/>.</summary>
    internal string? TransparentText { get; init; }

    /// <summary>Under which addresses the gateway reaches the VPS. Null: its IPv4 address.</summary>
    internal IReadOnlyList<string>? Public { get; init; }

    /// <summary>What the VPS may dial although it is private: the lab's internet.</summary>
    internal IReadOnlyList<string> EgressAllow { get; init; } = ["10.50.0.0/24", "2001:db8:50::/64"];

    /// <summary>Roles by WAN name; the others are active.</summary>
    internal IReadOnlyDictionary<string, string> Roles { get; init; } = new Dictionary<string, string>();

    /// <summary>More lines of a WAN by its name, each indented by four spaces.</summary>
    internal IReadOnlyDictionary<string, string> WanMore { get; init; } = new Dictionary<string, string>();

    /// <summary>What starts aggregator-vps in place of itself, with its command line behind it: `sh -c 'echo $$ >…; exec "$@"' sh`.</summary>
    internal IReadOnlyList<string> VpsLauncher { get; init; } = [];

    /// <summary>The same of aggregator-gateway's daemon.</summary>
    internal IReadOnlyList<string> GatewayLauncher { get; init; } = [];

    /// <summary>More lines of gateway.yaml, as they are.</summary>
    internal string GatewayMore { get; init; } = "";

    /// <summary>More lines of vps.yaml, as they are.</summary>
    internal string VpsMore { get; init; } = "";
}
