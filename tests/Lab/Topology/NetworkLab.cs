using Aggregator.Lab.Emulation;
using Aggregator.Lab.Ownership;
using Aggregator.Processes;

namespace Aggregator.Lab.Topology;

/// <summary>
/// A home, its internet lines, a VPS and an internet host, in network namespaces of this machine.
/// <code>
///   client ── lan0 [gw] wan1 ═ emulated line ═ [isp1] ─┐
///    LAN            wan2 ═ emulated line ═ [isp2] ─┤[core]├─ [vps]   198.51.100.2
///   192.168.77.2    …                              ┘      └─ [inet]  10.50.0.2
/// </code>
/// Needs root. Belongs to the process that made it; <see cref="DisposeAsync"/>, the end of the process, or, after a crash, the next lab of anyone takes it away.
/// </summary>
internal sealed class NetworkLab : IAsyncDisposable
{
    /// <summary>The ISP router's interface towards the gateway.</summary>
    internal const string IspWanInterface = "wan";

    private readonly LabRecord _record;
    private readonly List<LabHost> _hosts = [];
    private readonly List<LabWan> _wans = [];
    private readonly List<LinkEmulator> _emulators = [];
    private readonly Wire _wire;
    private int _disposed;

    private NetworkLab(LabRecord record, LabSpec spec)
    {
        _record = record;
        _wire = new Wire($"lab {record.Id}");
        Spec = spec;
        if (spec.ClientLan)
        {
            _hosts.Add(_client = new LabHost("client", record.Prefix + "client", LabAddresses.Client, LabAddresses.ClientV6));
        }

        _hosts.Add(Gateway = new LabHost(
            "gw", record.Prefix + "gw", spec.ClientLan ? LabAddresses.LanGateway : null, spec.ClientLan ? LabAddresses.LanGatewayV6 : null));
        for (int k = 1; k <= spec.Wans.Count; k++)
        {
            _hosts.Add(new LabHost($"isp{k}", $"{record.Prefix}isp{k}", LabAddresses.Isp(k), LabAddresses.IspV6(k)));
        }

        _hosts.Add(Core = new LabHost("core", record.Prefix + "core", null, null));
        _hosts.Add(Vps = new LabHost("vps", record.Prefix + "vps", LabAddresses.Vps, LabAddresses.VpsV6));
        _hosts.Add(Internet = new LabHost("inet", record.Prefix + "inet", LabAddresses.Internet, LabAddresses.InternetV6));
    }

    private readonly LabHost? _client;

    internal string Id => _record.Id;

    internal LabSpec Spec { get; }

    /// <summary>In the LAN, with its default route to the gateway.</summary>
    internal LabHost Client => _client ?? throw new InvalidOperationException("this lab was made without a client");

    /// <summary>Interfaces lan0 and wan1…wanN, a default route on each WAN with metric 101…</summary>
    internal LabHost Gateway { get; }

    internal LabHost Vps { get; }

    /// <summary>A server somewhere in the internet.</summary>
    internal LabHost Internet { get; }

    /// <summary>Joins the ISPs, the VPS and the internet host.</summary>
    internal LabHost Core { get; }

    internal IReadOnlyList<LabHost> Hosts => _hosts;

    /// <summary>By name and in the order of the specification.</summary>
    internal LabWans Wans => new(_wans);

    /// <summary>Whether the lines keep their timing on a busy machine: <see cref="Wire.IsRealtime"/>.</summary>
    internal bool KeepsTimeUnderLoad => _wire.IsRealtime;

    internal LabRecord Record => _record;

    /// <summary>Sweeps dead labs, then builds this one. When it returns, every host reaches every other that it should.</summary>
    /// <exception cref="UnauthorizedAccessException">Not root.</exception>
    /// <exception cref="ArgumentException">A bad specification.</exception>
    /// <exception cref="IOException">The kernel or a tool refused; the message has its words. Nothing is left behind.</exception>
    internal static async Task<NetworkLab> CreateAsync(LabSpec spec)
    {
        spec.Check();
        if (!Environment.IsPrivilegedProcess)
        {
            throw new UnauthorizedAccessException("a lab needs root: run it with sudo");
        }

        ExitCleanup.Check();
        await LabRecord.SweepAsync();
        var lab = new NetworkLab(LabRecord.Claim(), spec);
        ExitCleanup.Add(lab._record);
        try
        {
            await lab.BuildAsync();
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        foreach (var host in _hosts)
        {
            await host.StopAllAsync();
        }

        foreach (var emulator in _emulators)
        {
            emulator.Dispose();
        }

        _wire.Dispose();

        await NamespaceRemoval.RemoveAsync(NamespaceRemoval.WithPrefix(_record.Prefix));
        _record.Release();
        ExitCleanup.Remove(_record);
    }

    internal async Task RestoreAsync(LabWan wan, LinkEmulator? emulator)
    {
        if (emulator is not null)
        {
            var tap = Gateway.InNamespace(() => TapDevice.Create(wan.Interface));
            await Gateway.ConfigureAsync(LabPlan.GatewayWanLink(wan.Number, wan.Spec));
            emulator.Attach(tap);
        }
        else
        {
            await BatchAsync(LabPlan.UnshapedWan(wan.Number, Gateway.Name, wan.Isp.Name));
            await Gateway.ConfigureAsync(LabPlan.GatewayWanLink(wan.Number, wan.Spec));
            await wan.Isp.ConfigureAsync(LabPlan.IspWan(wan.Number, wan.Spec));
        }

        await Gateway.ConfigureAsync(LabPlan.GatewayWanAddresses(wan.Number, wan.Spec));
        await Readiness.WaitAsync(Gateway, wan.Interface);
        await Readiness.WaitAsync(wan.Isp, IspWanInterface);
    }

    private async Task BuildAsync()
    {
        await BatchAsync(string.Concat(_hosts.Select(h => $"netns add {h.Name}\n")));
        foreach (var host in _hosts)
        {
            bool forwards = host != _client && host != Vps && host != Internet;
            NetworkNamespace.SetSysctls(host.Name, LabPlan.Sysctls(forwards));
        }

        await BatchAsync(LabPlan.Wires(_record.Prefix, Spec));
        for (int k = 1; k <= Spec.Wans.Count; k++)
        {
            BuildWan(k, Spec.Wans[k - 1]);
        }

        await Task.WhenAll(_hosts.Select(h => h.ConfigureAsync(LabPlan.Commands(h.Role, Spec))));
        foreach (var wan in _wans)
        {
            if (LabPlan.Nat(wan.Spec.Nat) is { } rules)
            {
                await FilterAsync(wan.Isp, rules);
            }
        }

        if (Spec.GatewayMasquerade)
        {
            await FilterAsync(Gateway, LabPlan.GatewayMasquerade);
        }

        await Task.WhenAll(_hosts.Select(h => Readiness.WaitAsync(h)));
    }

    private void BuildWan(int number, WanSpec spec)
    {
        var isp = _hosts.First(h => h.Role == $"isp{number}");
        LinkEmulator? emulator = null;
        if (!spec.Unshaped)
        {
            var outer = isp.InNamespace(() => TapDevice.Create(IspWanInterface));
            var inner = Gateway.InNamespace(() => TapDevice.Create($"wan{number}"));
            emulator = new LinkEmulator(
                _wire, inner, outer, spec.DownSettings, spec.UpSettings, spec.Interference, (Spec.Seed * LabSpec.MostWans) + number);
            _emulators.Add(emulator);
        }

        _wans.Add(new LabWan(this, number, spec, isp, emulator));
    }

    private static async Task BatchAsync(string commands) => (await Tool.RunAsync("ip", ["-batch", "-"], commands)).OutputOrThrow();

    private static async Task FilterAsync(LabHost host, string rules) =>
        (await Tool.RunAsync("ip", ["netns", "exec", host.Name, "nft", "-f", "-"], rules)).OutputOrThrow();
}
