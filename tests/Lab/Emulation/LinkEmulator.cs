namespace Aggregator.Lab.Emulation;

/// <summary>An emulated link between a TAP at the gateway and a TAP at the ISP's router.</summary>
internal sealed class LinkEmulator : IDisposable
{
    private readonly Wire _wire;
    private readonly TapDevice _isp;
    private TapDevice? _gateway;

    internal LinkEmulator(Wire wire, TapDevice gateway, TapDevice isp, LinkSettings down, LinkSettings up, MptcpInterference interference, int seed)
    {
        _wire = wire;
        _gateway = gateway;
        _isp = isp;
        Down = new LinkDirection(wire, up: false, down, seed);
        Up = new LinkDirection(wire, up: true, up, ~seed);
        Interference = interference;
        Connect(gateway);
    }

    /// <summary>Towards the gateway.</summary>
    internal LinkDirection Down { get; }

    /// <summary>Towards the internet.</summary>
    internal LinkDirection Up { get; }

    internal MptcpInterference Interference
    {
        get => Up.Interference;
        set
        {
            Up.Interference = value;
            Down.Interference = value;
        }
    }

    /// <summary>False while the gateway's interface is removed.</summary>
    internal bool IsAttached => _gateway is not null;

    /// <summary>As if the cable at the gateway were plugged in or out.</summary>
    internal void SetCarrier(bool present)
    {
        Down.Outage = Up.Outage = !present;
        _gateway?.SetCarrier(present);
        _isp.SetCarrier(present);
    }

    /// <summary>Takes the gateway's interface away, as a modem pulled from its USB port.</summary>
    internal void Detach()
    {
        _wire.Remove(Down, Up);
        _gateway?.Dispose();
        _gateway = null;
        _isp.SetCarrier(false);
    }

    /// <summary>Goes on with a new interface at the gateway.</summary>
    internal void Attach(TapDevice gateway)
    {
        _gateway = gateway;
        _isp.SetCarrier(true);
        Down.Outage = Up.Outage = false;
        Connect(gateway);
    }

    public void Dispose()
    {
        _wire.Remove(Down, Up);
        Down.Dispose();
        Up.Dispose();
        _gateway?.Dispose();
        _isp.Dispose();
    }

    private void Connect(TapDevice gateway)
    {
        _wire.Add(Down, _isp, gateway);
        _wire.Add(Up, gateway, _isp);
    }
}
