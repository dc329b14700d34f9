using System.Globalization;
using System.Net;

namespace Aggregator.Gateway.Policy;

/// <summary>An MPTCP endpoint from which subflows start.</summary>
/// <param name="Device">Its interface's name, for people.</param>
internal sealed record HostEndpoint(IPAddress Address, int Interface, string Device, bool Backup)
{
    /// <summary>As `ip mptcp endpoint add` takes it.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Address} dev {Device}#{Interface} subflow{(Backup ? " backup" : "")}");
}

/// <param name="Subflows">Extra subflows a connection may have.</param>
/// <param name="AddAddressesAccepted">Addresses of the peer's that are taken up.</param>
internal readonly record struct HostMptcpLimits(int Subflows, int AddAddressesAccepted)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"add_addr_accepted {AddAddressesAccepted} subflows {Subflows}");
}
