namespace Aggregator.Gateway.Speed;

/// <summary>Whether MPTCPv1 works over a path. Names as in JSON, in lower case.</summary>
internal enum PathMptcp
{
    /// <summary>Not to be found out; the text says why.</summary>
    Unknown,

    V1,

    /// <summary>Something on the way takes the options away; <see cref="PathVerdict.Where"/> says where.</summary>
    Stripped,

    /// <summary>This kernel or the VPS's does not have it, or it is switched off there.</summary>
    Unsupported,
}

/// <summary>What was found about MPTCP on one link's path to the VPS.</summary>
/// <param name="Where">syn, synack, data or join; null unless stripped, and where it cannot be told.</param>
/// <param name="Text">One sentence.</param>
/// <param name="PublicAddress">Where the VPS sees this link's connections come from; null: no connection came about.</param>
internal sealed record PathVerdict(string Link, PathMptcp Mptcp, string? Where, string Text, string? PublicAddress = null)
{
    internal string Name => Mptcp.ToString().ToLowerInvariant();
}
