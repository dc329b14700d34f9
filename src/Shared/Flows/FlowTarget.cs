using System.Net;

namespace Aggregator.Flows;

/// <summary>Where a flow goes: an address, or a name that the VPS resolves, and a port. Exactly one of the two is set.</summary>
internal readonly record struct FlowTarget
{
    internal FlowTarget(IPAddress address, ushort port)
    {
        ArgumentNullException.ThrowIfNull(address);
        Address = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        Port = port;
    }

    internal FlowTarget(string name, ushort port)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        Name = name;
        Port = port;
    }

    internal IPAddress? Address { get; }

    /// <summary>A host name, at most 255 bytes (RFC 1035 section 2.3.4; also the limit of SOCKS5).</summary>
    internal string? Name { get; }

    internal ushort Port { get; }

    public override string ToString() => Address is { } a ? new IPEndPoint(a, Port).ToString() : $"{Name}:{Port}";
}
