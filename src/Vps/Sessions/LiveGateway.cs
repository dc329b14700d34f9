using System.Net;
using System.Net.Sockets;
using Aggregator.Identity;
using Aggregator.Packets;
using Aggregator.Relay;
using Aggregator.Trunk;

namespace Aggregator.Vps.Sessions;

/// <summary>What a paired gateway has open here and has moved since the daemon started. Safe for many threads.</summary>
internal sealed class LiveGateway(KeyPin pin, string name)
{
    private volatile string _name = name;

    /// <summary>Connections that wait for an Open; proto/flow.md.</summary>
    internal const int MaxIdle = 512;

    /// <summary>Flows at a time; proto/flow.md.</summary>
    internal const int MaxFlows = 16_384;

    /// <summary>For the last words over lanes: a round trip of the slowest line that is any use here.</summary>
    private static readonly TimeSpan TellTime = TimeSpan.FromMilliseconds(300);

    private readonly Lock _lock = new();
    private readonly HashSet<LiveConnection> _connections = [];
    private readonly HashSet<TrunkSession> _trunks = [];
    private readonly HashSet<LaneLook> _lanes = [];
    private int _idle;
    private long _active;
    private long _total;
    private long _failed;
    private ControlSession? _control;

    internal KeyPin Pin { get; } = pin;

    /// <summary>As it was last paired.</summary>
    internal string Name
    {
        get => _name;
        set => _name = value;
    }

    /// <summary>Flow bytes from the gateway to targets.</summary>
    internal ByteCounter FromGateway { get; } = new();

    /// <summary>Flow bytes from targets to the gateway.</summary>
    internal ByteCounter ToGateway { get; } = new();

    internal long FlowsActive => Interlocked.Read(ref _active);

    internal long FlowsTotal => Interlocked.Read(ref _total);

    internal long FlowsFailed => Interlocked.Read(ref _failed);

    /// <summary>The control session; null while the gateway has none.</summary>
    internal ControlSession? Control => Volatile.Read(ref _control);

    internal int ConnectionCount
    {
        get
        {
            lock (_lock)
            {
                return _connections.Count;
            }
        }
    }

    /// <summary>Its trunks: one, and the last one while that has not noticed its end.</summary>
    internal TrunkSession[] Trunks
    {
        get
        {
            lock (_lock)
            {
                return [.. _trunks];
            }
        }
    }

    /// <summary>Where its trunks deliver packets, those to come too; null: nowhere.</summary>
    internal void SetPacketSink(IPacketSink? sink)
    {
        lock (_lock)
        {
            _packetSink = sink;
            foreach (var trunk in _trunks)
            {
                trunk.DatagramReceiver.Sink = sink;
            }
        }
    }

    /// <summary>The trunk that takes packets now; null: none carries.</summary>
    internal IPacketPath? PacketPath
    {
        get
        {
            var path = Volatile.Read(ref _packetPath);
            if (path is { IsCarrying: true })
            {
                return path;
            }

            lock (_lock)
            {
                return _packetPath = _trunks.FirstOrDefault(t => t.IsCarrying);
            }
        }
    }

    private IPacketSink? _packetSink;
    private TrunkSession? _packetPath;

    /// <summary>Where its connections come from.</summary>
    internal IPAddress[] Addresses
    {
        get
        {
            lock (_lock)
            {
                return [.. _connections.Select(c => c.Address).Distinct()];
            }
        }
    }

    /// <summary>What is open now.</summary>
    internal LiveConnection[] Connections
    {
        get
        {
            lock (_lock)
            {
                return [.. _connections];
            }
        }
    }

    /// <summary>Sockets of its data connections, for the kernel's figures only; any, and at most <paramref name="most"/>.</summary>
    internal Socket[] Sockets(int most)
    {
        lock (_lock)
        {
            return [.. _connections.Select(c => c.Socket).OfType<Socket>().Take(most)];
        }
    }

    internal void Add(LiveConnection connection)
    {
        lock (_lock)
        {
            _connections.Add(connection);
        }
    }

    internal void Remove(LiveConnection connection)
    {
        lock (_lock)
        {
            _connections.Remove(connection);
        }
    }

    internal void Add(TrunkSession trunk)
    {
        lock (_lock)
        {
            _trunks.Add(trunk);
            trunk.DatagramReceiver.Sink = _packetSink;
        }
    }

    internal void Remove(TrunkSession trunk)
    {
        lock (_lock)
        {
            _trunks.Remove(trunk);
        }
    }

    internal void Add(LaneLook lane)
    {
        lock (_lock)
        {
            _lanes.Add(lane);
        }
    }

    internal void Remove(LaneLook lane)
    {
        lock (_lock)
        {
            _lanes.Remove(lane);
        }
    }

    /// <summary>Null: it has ended.</summary>
    internal LaneLook? FindLane(TrunkSession trunk, uint id)
    {
        lock (_lock)
        {
            return _lanes.FirstOrDefault(l => l.Id == id && l.Trunk == trunk);
        }
    }

    /// <summary>Ends all it has open. Returns how many connections that were.</summary>
    internal int EndAll()
    {
        LiveConnection[] connections;
        TrunkSession[] trunks;
        lock (_lock)
        {
            connections = [.. _connections];
            trunks = [.. _trunks];
        }

        // A trunk tells the gateway's before its lanes go, so that flows end there at once too.
        Task told = Task.WhenAll(trunks.Select(t => t.DisposeAsync().AsTask()));
        foreach (var connection in connections)
        {
            if (connection.IsLane && !told.IsCompleted)
            {
                _ = AbortAfterAsync(told, connection);
            }
            else
            {
                connection.Abort();
            }
        }

        return connections.Length;
    }

    private static async Task AbortAfterAsync(Task told, LiveConnection lane)
    {
        await Task.WhenAny(told, Task.Delay(TellTime));
        lane.Abort();
    }

    internal bool TryEnterIdle()
    {
        if (Interlocked.Increment(ref _idle) <= MaxIdle)
        {
            return true;
        }

        LeaveIdle();
        return false;
    }

    internal void LeaveIdle() => Interlocked.Decrement(ref _idle);

    internal bool TryEnterFlow()
    {
        if (Interlocked.Increment(ref _active) <= MaxFlows)
        {
            Interlocked.Increment(ref _total);
            return true;
        }

        LeaveFlow();
        return false;
    }

    internal void LeaveFlow() => Interlocked.Decrement(ref _active);

    internal void CountFailed() => Interlocked.Increment(ref _failed);

    /// <summary>A new session takes the place of the last one, which may not have noticed its end yet.</summary>
    internal void EnterControl(ControlSession session) => Volatile.Write(ref _control, session);

    internal void LeaveControl(ControlSession session) => Interlocked.CompareExchange(ref _control, null, session);
}

/// <summary>One connection of a gateway, as far as ending it and the kernel's figures go.</summary>
/// <param name="socket">For the kernel's figures only; null where it is of no interest (control).</param>
internal sealed class LiveConnection(IPAddress address, Action abort, Socket? socket = null)
{
    /// <summary>It is a lane of a trunk.</summary>
    internal bool IsLane { get; init; }

    internal IPAddress Address { get; } = address;

    internal Socket? Socket { get; } = socket;

    internal void Abort() => abort();
}

/// <param name="Version">The gateway's.</param>
/// <param name="Address">Where the session comes from.</param>
/// <param name="Since">A timestamp of the daemon's TimeProvider.</param>
internal sealed record ControlSession(string Version, IPAddress Address, long Since);
