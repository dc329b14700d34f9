namespace Aggregator.Lab.Topology;

/// <summary>What a lab shall have.</summary>
internal sealed record LabSpec
{
    /// <summary>Policy routing and names of interfaces have room for more, but no home has.</summary>
    internal const int MostWans = 16;

    internal IReadOnlyList<WanSpec> Wans { get; init; } = [];

    /// <summary>Whether there is a client behind the gateway.</summary>
    internal bool ClientLan { get; init; } = true;

    /// <summary>Masquerading on every WAN of the gateway, as an ordinary home router does. The gateway under test brings its own.</summary>
    internal bool GatewayMasquerade { get; init; }

    /// <summary>Makes losses and jitter the same in every run.</summary>
    internal int Seed { get; init; } = 1;

    internal void Check()
    {
        if (Wans.Count > MostWans)
        {
            throw new ArgumentException($"at most {MostWans} WANs");
        }

        foreach (var wan in Wans)
        {
            wan.Check();
        }

        if (Wans.DistinctBy(w => w.Name).Count() != Wans.Count)
        {
            throw new ArgumentException("every WAN needs a name of its own");
        }
    }
}
