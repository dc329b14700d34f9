using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Node;
using Aggregator.Gateway.Packets;
using Aggregator.Gateway.Speed;
using Aggregator.Identity;
using Aggregator.Protocol.V1;
using Aggregator.Settings;

namespace Aggregator.Gateway.Doctor;

/// <summary>
/// Makes what the checks look at, and runs them: in the daemon with all that it knows, or in the command line itself when there is none. One at a
/// time, because two would measure each other.
/// </summary>
internal sealed class DoctorDesk(GatewayConfig config, IdentityKey? identity, Func<DaemonSide>? daemon, TimeProvider time) : IDisposable
{
    private readonly SemaphoreSlim _one = new(1, 1);

    internal static DoctorPlan Plan => new DoctorRun(CheckList.All, TimeProvider.System).Plan;

    /// <returns>Null: one is running already.</returns>
    /// <exception cref="IOException">The kernel's tables cannot be read.</exception>
    internal async Task<DoctorReport?> TryRunAsync(string? configPath, Func<DoctorCheck, Task> done, CancellationToken cancellationToken)
    {
        if (!await _one.WaitAsync(TimeSpan.Zero, cancellationToken))
        {
            return null;
        }

        try
        {
            var side = daemon?.Invoke() ?? await WithoutDaemonAsync(cancellationToken);
            using var paths = new PathViews(identity, side.Node?.Pin, time);
            var view = await HostView.ReadAsync(cancellationToken);
            var context = new DoctorContext
            {
                Config = config,
                ConfigPath = configPath,
                Host = view,
                Links = side.Links ?? WithoutProbes(view, side.VpsAddresses),
                Node = side.Node,
                NodeProblem = side.NodeProblem,
                VpsAddresses = side.VpsAddresses,
                Files = new HostFiles(),
                Daemon = side.State,
                Speed = side.Speed,
                Packets = side.Packets,
                Speeds = LastSpeeds(),
                Mptcp = identity is not null && side.Node is { } node ? new PathVerifier(new SpeedDialer(identity, node.Pin, time), time) { Told = side.MptcpFound } : null,
                Paths = paths,
                Time = time,
            };
            return await new DoctorRun(CheckList.All, time).RunAsync(context, done, cancellationToken);
        }
        finally
        {
            _one.Release();
        }
    }

    public void Dispose() => _one.Dispose();

    private ImmutableDictionary<string, LinkSpeed> LastSpeeds()
    {
        try
        {
            return LinkSpeed.Last(SpeedHistory.Read(config.State).Entries, time.GetUtcNow());
        }
        catch (StateException)
        {
            // The check of the files tells of it.
            return ImmutableDictionary<string, LinkSpeed>.Empty;
        }
    }

    /// <summary>As the host has them; whether the VPS is reached over them is for the checks to find out.</summary>
    private LinkSnapshot WithoutProbes(HostView view, ImmutableArray<IPEndPoint> vps)
    {
        var snapshot = LinkResolver.Resolve(config, view.Network, LinkMemory.Load(config.State, out _)).Snapshot;
        return snapshot with { Links = [.. snapshot.Links.Select(l => LinkHealth.Join(l, vps, null))] };
    }

    private async Task<DaemonSide> WithoutDaemonAsync(CancellationToken cancellationToken)
    {
        PairedNode? node;
        try
        {
            node = PairedNode.TryLoad(config.State);
        }
        catch (StateException e)
        {
            return new DaemonSide { NodeProblem = e.Message };
        }

        if (node is null)
        {
            return new DaemonSide();
        }

        var addresses = new List<IPEndPoint>();
        string? problem = null;
        foreach (string host in node.Hosts)
        {
            try
            {
                addresses.AddRange((await Dns.GetHostAddressesAsync(host, cancellationToken)).Select(a => new IPEndPoint(a, node.Port)));
            }
            catch (SocketException e)
            {
                problem = $"{host}: {Reason.Of(e)}";
            }
        }

        return new DaemonSide { Node = node, VpsAddresses = [.. addresses], NodeProblem = addresses.Count == 0 ? problem : null };
    }
}

/// <summary>What a context takes from the daemon, or from its state while it does not run.</summary>
internal sealed record DaemonSide
{
    /// <summary>Null: without a daemon nobody follows them.</summary>
    internal LinkSnapshot? Links { get; init; }

    internal PairedNode? Node { get; init; }

    internal string? NodeProblem { get; init; }

    internal ImmutableArray<IPEndPoint> VpsAddresses { get; init; } = [];

    internal DaemonState? State { get; init; }

    internal SpeedTester? Speed { get; init; }

    /// <summary>Told of verified paths; null: nobody keeps it.</summary>
    internal PacketIngress? Packets { get; init; }

    internal Action<IReadOnlyList<SpeedPath>, IReadOnlyList<PathVerdict>>? MptcpFound { get; init; }
}
