using System.Globalization;

namespace Aggregator.Gateway.Policy;

/// <summary>What an interface may carry at most.</summary>
/// <param name="Index">The kernel's; another interface of the same name begins anew.</param>
/// <param name="Slot">The WAN's; its intermediate device is named after it.</param>
internal sealed record HostCap(string Interface, int Index, int Slot, long? DownBitsPerSecond, long? UpBitsPerSecond)
{
    /// <summary>Where what comes in is delayed. The name marks it as ours.</summary>
    internal string Device => string.Create(CultureInfo.InvariantCulture, $"aggcap{Slot}");

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{Interface}#{Index}{(DownBitsPerSecond is { } down ? $" down {down}bit" : "")}{(UpBitsPerSecond is { } up ? $" up {up}bit" : "")}");
}
