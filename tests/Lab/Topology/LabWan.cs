using System.Net;
using Aggregator.Lab.Emulation;

namespace Aggregator.Lab.Topology;

/// <summary>A WAN of a lab: what it is, and what can be done to it while programs use it.</summary>
internal sealed class LabWan
{
    private readonly NetworkLab _lab;
    private readonly LinkEmulator? _emulator;

    internal LabWan(NetworkLab lab, int number, WanSpec spec, LabHost isp, LinkEmulator? emulator)
    {
        _lab = lab;
        _emulator = emulator;
        Number = number;
        Spec = spec;
        Isp = isp;
    }

    internal string Name => Spec.Name;

    /// <summary>1 for the first.</summary>
    internal int Number { get; }

    internal WanSpec Spec { get; }

    /// <summary>Its interface in the gateway.</summary>
    internal string Interface => $"wan{Number}";

    /// <summary>The gateway's address on it. Null: the WAN has no IPv4.</summary>
    internal IPAddress? Address => Spec.IPv4 ? LabAddresses.Wan(Number) : null;

    internal IPAddress? AddressV6 => Spec.IPv6 ? LabAddresses.WanV6(Number) : null;

    internal IPAddress? Router => Spec.IPv4 ? LabAddresses.WanRouter(Number) : null;

    internal IPAddress? RouterV6 => Spec.IPv6 ? LabAddresses.WanRouterV6(Number) : null;

    /// <summary>The ISP's router: NAT lives there.</summary>
    internal LabHost Isp { get; }

    /// <summary>From the internet to the gateway.</summary>
    internal LinkDirection Down => Emulator.Down;

    /// <summary>From the gateway to the internet.</summary>
    internal LinkDirection Up => Emulator.Up;

    /// <summary>Whether there is an emulator: not for an unshaped WAN.</summary>
    internal bool IsShaped => _emulator is not null;

    /// <summary>Silence in both directions, without a word to anyone: the interface stays up.</summary>
    internal bool BlackHole
    {
        get => Emulator is { Down.BlackHole: true, Up.BlackHole: true };
        set => (Emulator.Down.BlackHole, Emulator.Up.BlackHole) = (value, value);
    }

    /// <summary>What the ISP's box does to MPTCP.</summary>
    internal MptcpInterference Interference
    {
        get => Emulator.Interference;
        set => Emulator.Interference = value;
    }

    /// <summary>Rate, delay and so on of both directions at once.</summary>
    internal void SetBoth(Func<LinkSettings, LinkSettings> change)
    {
        Emulator.Down.Set(change);
        Emulator.Up.Set(change);
    }

    /// <summary>The cable out of, or back into, the gateway's interface.</summary>
    internal async Task CarrierAsync(bool present)
    {
        if (_emulator is not null)
        {
            _emulator.SetCarrier(present);
        }
        else
        {
            // Down takes the router's IPv6 addresses with it.
            await Isp.ConfigureAsync(present ? LabPlan.IspWan(Number, Spec) : $"link set dev {NetworkLab.IspWanInterface} down");
        }
    }

    /// <summary>The gateway's interface vanishes with its addresses and routes.</summary>
    internal async Task RemoveAsync()
    {
        if (_emulator is not null)
        {
            _emulator.Detach();
        }
        else
        {
            await _lab.Gateway.ConfigureAsync($"link del dev {Interface}");
        }
    }

    /// <summary>The interface is there again (of the same name and MAC, with a new index), with the addresses and default routes that a DHCP client would set.</summary>
    internal Task RestoreAsync() => _lab.RestoreAsync(this, _emulator);

    private LinkEmulator Emulator => _emulator
        ?? throw new InvalidOperationException($"WAN {Name} is unshaped: it has no emulator");
}
