using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Datagrams;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Configuration;
using Aggregator.Packets;
using Aggregator.Protocol.V1;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Packets;

/// <summary>
/// The gateway's side of the UDP lanes: a session with the VPS and a socket for every WAN. Without a session, or while no lane answers, real-time packets
/// are the trunk's.
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Usage", "CA2213", Justification = "EndAsync disposes of it.")]
internal sealed class RealTimeLanes : IAsyncDisposable
{
    private readonly RealTimePolicy _policy;
    private readonly IWanList _wans;
    private readonly Func<ImmutableArray<IPEndPoint>> _vps;
    private readonly IPacketSink _sink;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _numbers = [];
    private readonly Dictionary<string, string> _names = [];
    private readonly Dictionary<int, WanOutlet> _outlets = [];
    private UdpTicker? _ticker;
    private volatile UdpLanes? _lanes;
    private volatile string? _reason = "the VPS has not been asked yet";
    private uint _session;
    private int _port;
    private volatile bool _wansChanged;
    private bool? _wasWell;

    internal RealTimeLanes(
        RealTimePolicy policy, IWanList wans, Func<ImmutableArray<IPEndPoint>> vps, IPacketSink sink, TimeProvider time, ILogger logger)
    {
        _policy = policy;
        _wans = wans;
        _vps = vps;
        _sink = sink;
        _time = time;
        _logger = logger;
        wans.Changed += NoteWans;
    }

    /// <summary>Null: no session.</summary>
    internal UdpLanes? Current => _lanes;

    /// <summary>Asks the VPS for a session, or whether the one there is goes on.</summary>
    /// <returns>False: not now, which may pass.</returns>
    internal async Task<bool> OpenAsync(GrpcChannel channel, CancellationToken cancellationToken)
    {
        try
        {
            var reply = await new DatagramLanes.DatagramLanesClient(channel).OpenAsync(
                new OpenLanesRequest { Session = _lanes is null ? 0 : _session, Policy = _policy.Text() }, cancellationToken: cancellationToken);
            if (reply.KeyFromGateway.IsEmpty && _lanes is not null && reply.Session == _session)
            {
                NoteWans();
                return true;
            }

            if (reply.KeyFromGateway.Length != UdpCipher.KeyBytes || reply.KeyToGateway.Length != UdpCipher.KeyBytes || reply.Port is 0 or > ushort.MaxValue)
            {
                Without("the VPS's answer makes no sense");
                return false;
            }

            await BeginAsync(reply);
            return true;
        }
        catch (RpcException e) when (!cancellationToken.IsCancellationRequested)
        {
            bool tooOld = e.StatusCode is StatusCode.Unimplemented or StatusCode.Unauthenticated;
            if (e.StatusCode is not (StatusCode.Unavailable or StatusCode.Cancelled))
            {
                Without(tooOld ? "the VPS is too old for datagram lanes: update aggregator-vps there" : $"the VPS says: {e.Status.Detail}");
            }

            return tooOld;
        }
    }

    internal DatagramLanesStatus Status()
    {
        if (_lanes is not { } lanes)
        {
            return new DatagramLanesStatus { Policy = _policy.Text(), State = "trunk", Reason = _reason ?? "" };
        }

        return UdpStatusText.Of(lanes, NameOf);
    }

    public async ValueTask DisposeAsync()
    {
        _wans.Changed -= NoteWans;
        await EndAsync();
    }

    private async Task BeginAsync(OpenLanesReply reply)
    {
        await EndAsync();
        var lanes = new UdpLanes(
            isGateway: true, new UdpCipher(reply.Session, reply.KeyFromGateway.Span, reply.KeyToGateway.Span), _policy, _time);
        lanes.Receiver.Sink = _sink;
        (_session, _port) = (reply.Session, (int)reply.Port);
        _wasWell = null;
        _lanes = lanes;
        SetOutlets(lanes);
        _ticker = new UdpTicker(lanes, _time, () =>
        {
            if (_wansChanged)
            {
                SetOutlets(lanes);
            }

            Tell(lanes);
            return true;
        });
    }

    private async Task EndAsync()
    {
        if (_ticker is { } ticker)
        {
            _ticker = null;
            await ticker.DisposeAsync();
        }

        var lanes = _lanes;
        _lanes = null;
        lock (_lock)
        {
            foreach (var outlet in _outlets.Values)
            {
                outlet.Dispose();
            }

            _outlets.Clear();
        }

        lanes?.Dispose();
    }

    private void Without(string reason)
    {
        if (_lanes is null && _reason != reason)
        {
            _logger.NoUdpLanes(reason);
            _reason = reason;
        }
    }

    private void NoteWans() => _wansChanged = true;

    /// <summary>Said when it changes; who looks at the status sees it at once.</summary>
    private void Tell(UdpLanes lanes)
    {
        bool well = lanes.IsWell;
        if (_wasWell != well)
        {
            if (well)
            {
                _logger.UdpLanesOn(_policy.Text());
            }
            else if (_wasWell is not null)
            {
                _logger.NoUdpLanes("no answer by UDP over any line");
            }

            _wasWell = well;
        }
    }

    /// <summary>A socket for each WAN that may be used, and none for others.</summary>
    private void SetOutlets(UdpLanes lanes)
    {
        lock (_lock)
        {
            _wansChanged = false;
            var kept = new HashSet<int>();
            foreach (var wan in _wans.Current)
            {
                if (!wan.IsUsable || wan.Role == LinkRole.Off || Target(wan) is not { } target || NumberOf(wan) is not { } id)
                {
                    continue;
                }

                kept.Add(id);
                var source = target.AddressFamily == AddressFamily.InterNetwork ? wan.V4 : wan.V6;
                if (!_outlets.TryGetValue(id, out var outlet) || outlet.Key != new WanOutletKey(wan.Interface, wan.Index, source, target))
                {
                    outlet?.Dispose();
                    outlet = WanOutlet.TryOpen(wan, target, lanes);
                }

                if (outlet is null)
                {
                    kept.Remove(id);
                    // Its address may come a moment after the WAN.
                    _wansChanged = true;
                    continue;
                }

                _outlets[id] = outlet;
                lanes.SetOutlet(id, outlet, wan.Role == LinkRole.Backup);
            }

            foreach (int gone in _outlets.Keys.Where(id => !kept.Contains(id)).ToArray())
            {
                lanes.RemoveOutlet(gone);
                _outlets[gone].Dispose();
                _outlets.Remove(gone);
            }
        }
    }

    private IPEndPoint? Target(Wan wan)
    {
        foreach (var address in _vps())
        {
            if ((address.AddressFamily == AddressFamily.InterNetwork ? wan.V4 : wan.V6) is not null)
            {
                return new IPEndPoint(address.Address, _port);
            }
        }

        return null;
    }

    /// <summary>An interface keeps its lane's number, so that its figures go on.</summary>
    private int? NumberOf(Wan wan)
    {
        if (!_numbers.TryGetValue(wan.Interface, out int id))
        {
            if (_numbers.Count == UdpLanes.MaxLanes)
            {
                return null;
            }

            _numbers[wan.Interface] = id = _numbers.Count;
        }

        _names[wan.Interface] = wan.Name;
        return id;
    }

    private string? NameOf(int id)
    {
        lock (_lock)
        {
            return _numbers.FirstOrDefault(n => n.Value == id).Key is { } device ? _names[device] : null;
        }
    }
}
