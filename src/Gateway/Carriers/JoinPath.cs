using System.Globalization;
using System.Net;

namespace Aggregator.Gateway.Carriers;

/// <summary>From where each connection to the VPS is to have a subflow.</summary>
/// <param name="Interface">Its index.</param>
/// <param name="Backup">It carries nothing while another subflow can.</param>
internal readonly record struct JoinPath(IPAddress Address, int Interface, bool Backup)
{
    internal bool IsSamePlace(in JoinPath other) => Interface == other.Interface && Address.Equals(other.Address);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Address} dev #{Interface}{(Backup ? " backup" : "")}");
}
