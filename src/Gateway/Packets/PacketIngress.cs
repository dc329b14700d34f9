using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Datagrams;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Lanes;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Policy;
using Aggregator.Packets;
using Aggregator.Protocol.V1;
using Aggregator.Trunk;
using Aggregator.Tun;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Packets;

/// <summary>
/// The LAN's packets: the device, the port between it and the trunk's present session, and the word with the VPS that must come first. Only when
/// that was given are packets led here; until then, and where there is no device, they go as the host routes them.
/// </summary>
internal sealed class PacketIngress : IAsyncDisposable
{
    /// <summary>After a refusal that may pass (the VPS cannot yet), and to notice that networks changed.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(5);

    private const string NotNeeded = "nobody needs it yet: the VPS is asked when the first SOCKS5 client wants UDP";

    /// <summary>packets.proto</summary>
    private const int MaxNetworks = 64;

    private static readonly ImmutableArray<IPNetwork> Own = [new(HostNumbers.TunnelV4, 32), new(HostNumbers.TunnelV6, 128)];

    private readonly TunPort _port;
    private readonly int _index;
    private readonly LanFilter _filter;
    private readonly TrunkSessions _sessions;
    private readonly HostController _host;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private volatile TrunkSession? _session;
    private volatile Attached? _attached;
    private volatile bool _isRefused;
    private volatile string? _reason = "the VPS has not been asked yet";

    /// <summary>Completes when somebody needs packets.</summary>
    private readonly TaskCompletionSource _needed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when the VPS has answered for the first time.</summary>
    private readonly TaskCompletionSource _answered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly RealTimeLanes? _realTime;
    private readonly RealTimePath _path;

    /// <param name="realTime">Null: real-time packets ride the trunk like all others.</param>
    /// <param name="isNeeded">False: the VPS is asked when somebody calls <see cref="PrepareAsync"/>. Until then it has neither interface nor translation for us, which its kernel's rules cost all that it carries.</param>
    internal PacketIngress(
        TunDevice device, int index, TrunkSessions sessions, HostController host, PacketPolicy policy, IWanList wans, RealTimePolicy? realTime,
        bool isNeeded, TimeProvider time, ILogger logger)
    {
        if (isNeeded)
        {
            _needed.SetResult();
        }

        _index = index;
        _sessions = sessions;
        _host = host;
        _time = time;
        _logger = logger;
        _filter = new LanFilter();
        _path = new RealTimePath(() => _realTime?.Current, () => _session);
        _port = new TunPort(device, new FlowTable(policy, clientIsSource: true), _filter, () => _path, time, logger);
        _realTime = realTime is { } lanes ? new RealTimeLanes(lanes, wans, () => host.VpsAddresses, _port, time, logger) : null;
        _sessions.Changed += Follow;
        Follow();
        _port.Start();
    }

    /// <summary>Whether packets go at this moment.</summary>
    internal PacketWay Way => _attached is null ? _isRefused ? PacketWay.Refused : PacketWay.Waiting : _session is { IsCarrying: true } ? PacketWay.On : PacketWay.Waiting;

    /// <summary>Somebody needs packets: the VPS is asked, if it was not yet, and again with each control session. Completes when it has answered and this host leads packets there.</summary>
    internal async Task PrepareAsync(CancellationToken cancellationToken)
    {
        if (_needed.TrySetResult())
        {
            _reason = "the VPS has not answered yet";
        }

        await _answered.Task.WaitAsync(cancellationToken);
        await _host.TunnelIsSetAsync(cancellationToken);
    }

    /// <summary>Where the packets of others than the LAN may go too (roaming clients): the way to the VPS at this moment.</summary>
    internal IPacketPath Path => _path;

    /// <summary>A UDP socket of this host on the path, and what comes in for it.</summary>
    internal (Socket Socket, PacketWatch Watch) OpenWatched(AddressFamily family)
    {
        var socket = TunnelDatagrams.Open(family);
        return (socket, new PacketWatch(_filter, (ushort)((IPEndPoint)socket.LocalEndPoint!).Port));
    }

    /// <summary>Runs beside each control session: tells the VPS our networks, and again when they change.</summary>
    internal async Task RunAsync(GrpcChannel channel, CancellationToken cancellationToken)
    {
        try
        {
            await _needed.Task.WaitAsync(cancellationToken);
            Attached? told = null;
            bool lanesAreSettled = _realTime is null;
            while (true)
            {
                var networks = Networks();
                if (told is null || !told.Networks.SequenceEqual(networks))
                {
                    told = await AttachAsync(channel, networks, cancellationToken);
                    if (told is { IsFinal: true })
                    {
                        return;
                    }
                }

                if (!lanesAreSettled && told is not null)
                {
                    lanesAreSettled = await _realTime!.OpenAsync(channel, cancellationToken);
                }

                await Task.Delay(LookAgain, _time, cancellationToken);
            }
        }
        catch (Exception e) when (cancellationToken.IsCancellationRequested && e is OperationCanceledException or RpcException)
        {
            // The control session ends. Packets go on as long as lanes do.
        }
        catch (Exception e)
        {
            _logger.PacketsFault(e);
        }
    }

    internal PacketStatus Status()
    {
        var counts = _port.Counts;
        var status = new PacketStatus
        {
            State = !_needed.Task.IsCompleted ? "idle" : _attached is null ? "off" : _path.IsOpen ? "on" : "waiting",
            Interface = _port.Name,
            UdpOffload = _port.HasUso,
            OutPackets = (ulong)counts.OutPackets,
            OutBytes = (ulong)counts.OutBytes,
            OutSuperPackets = (ulong)counts.OutSupers,
            OutRefused = (ulong)counts.OutRefused,
            OutLost = (ulong)counts.OutLost,
            InPackets = (ulong)counts.InPackets,
            InBytes = (ulong)counts.InBytes,
            InSuperPackets = (ulong)counts.InSupers,
            InRefused = (ulong)counts.InRefused,
            InMalformed = (ulong)counts.InMalformed,
            InLost = (ulong)counts.InLost,
        };
        if (_attached is { } attached)
        {
            status.Nat = attached.Nat;
            status.Networks.AddRange(attached.Networks.Select(n => n.ToString()));
        }

        if ((status.State == "idle" ? NotNeeded : _attached is null ? _reason : status.State == "waiting" ? "no lane carries" : null) is { } reason)
        {
            status.Reason = reason;
        }

        if (_session?.SampleDatagrams() is { } sample)
        {
            sample.Tell(status);
        }

        if (_realTime?.Current is { } lanes)
        {
            status.Dropped += (ulong)lanes.Dropped;
            status.Waiting += (ulong)lanes.Waiting;
        }

        status.Datagrams = _realTime?.Status() ?? new DatagramLanesStatus { Policy = "off", State = "trunk", Reason = "`realtime: off`" };
        return status;
    }

    public async ValueTask DisposeAsync()
    {
        _sessions.Changed -= Follow;
        if (_realTime is not null)
        {
            await _realTime.DisposeAsync();
        }

        if (_session is { } session)
        {
            session.DatagramReceiver.Sink = null;
        }

        _port.Dispose();
    }

    private void Follow()
    {
        var session = _sessions.Current;
        if (session is not null)
        {
            session.DatagramReceiver.Sink = _port;
        }

        _session = session;
    }

    /// <summary>Our own addresses in the tunnel, and private networks of ours that are no WAN's: they are the LAN's, and what lies behind it.</summary>
    private ImmutableArray<IPNetwork> Networks() =>
        [.. Own, .. _host.Snapshot.LocalNetworks.Where(n => n.PrefixLength > 0 && !n.BaseAddress.IsIPv6LinkLocal && !IPAddress.IsLoopback(n.BaseAddress)).Except(Own).Take(MaxNetworks - Own.Length)];

    private async Task<Attached?> AttachAsync(GrpcChannel channel, ImmutableArray<IPNetwork> networks, CancellationToken cancellationToken)
    {
        var request = new AttachRequest();
        request.Networks.AddRange(networks.Select(n => n.ToString()));
        try
        {
            var reply = await new Protocol.V1.Packets.PacketsClient(channel).AttachAsync(request, cancellationToken: cancellationToken);
            var attached = new Attached(networks, reply.Nat, IsFinal: false);
            _filter.Own = new PrefixSet(networks);
            _attached = attached;
            _isRefused = false;
            _host.SetTunnel(new TunnelUse(_port.Name, _index, reply.Ipv4, reply.Ipv6));
            _logger.PacketsOn(_port.Name, reply.Ipv4, reply.Ipv6, reply.Nat);
            _answered.TrySetResult();
            return attached;
        }
        catch (RpcException e) when (!cancellationToken.IsCancellationRequested)
        {
            bool tooOld = e.StatusCode is StatusCode.Unimplemented or StatusCode.Unauthenticated;
            string reason = tooOld ? "the VPS is too old to take packets: update aggregator-vps there" : $"the VPS says: {e.Status.Detail}";
            if (e.StatusCode is StatusCode.Unavailable or StatusCode.Cancelled)
            {
                return null;
            }

            _attached = null;
            _isRefused = true;
            _host.SetTunnel(null);
            _answered.TrySetResult();
            if (_reason != reason)
            {
                _reason = reason;
                _logger.PacketsOff(reason);
            }

            return tooOld ? new Attached([], "", IsFinal: true) : null;
        }
    }

    internal enum PacketWay
    {
        On,

        /// <summary>For the VPS or a lane.</summary>
        Waiting,

        /// <summary>The VPS does not take packets.</summary>
        Refused,
    }

    private sealed record Attached(ImmutableArray<IPNetwork> Networks, string Nat, bool IsFinal);
}
