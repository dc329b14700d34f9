using System.Collections.Immutable;
using System.Net.Sockets;
using Aggregator.Mptcp;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Links;

/// <summary>
/// The passive half of the watch over WANs: looks at the subflows of the carrier's connections and tells which WAN's traffic moves and which
/// has fallen silent. Payload that the peer acknowledged counts, and payload that came in order: its sender goes on only because our
/// acknowledgements arrive. So a line that is dead in one direction is silent too. And it tells of which WAN's traffic much is lost.
/// One loop. Connections that move are looked at each time, the others in turn.
/// </summary>
internal sealed class TrafficWatch : IAsyncDisposable
{
    /// <summary>While something moves.</summary>
    private static readonly TimeSpan BusyPause = TimeSpan.FromMilliseconds(50);

    /// <summary>While nothing does: traffic that begins is noticed this much later.</summary>
    private static readonly TimeSpan IdlePause = TimeSpan.FromMilliseconds(200);

    /// <summary>A connection that has shown nothing for so long is looked at in turn only.</summary>
    private static readonly TimeSpan Recent = TimeSpan.FromSeconds(2);

    /// <summary>Looks at moving connections each time: more of them tell nothing that these do not.</summary>
    private const int MostBusy = 24;

    /// <summary>Others each time: a thousand idle ones are gone through in four seconds.</summary>
    private const int InTurn = 12;

    /// <summary>Beyond these the carrier's connections are not remembered.</summary>
    private const int MostRemembered = 2048;

    private const int MostSubflows = 9;

    private readonly Func<IEnumerable<Socket>> _sockets;
    private readonly Func<LinkSnapshot> _links;
    private readonly Action<string, TrafficSign> _tell;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<Socket, SeenConnection> _seen = [];
    private readonly Dictionary<string, Tally> _tallies = new(StringComparer.Ordinal);
    private readonly MptcpSubflow[] _subflows = new MptcpSubflow[MostSubflows];
    private readonly List<Socket> _all = [];
    private readonly Task _loop;
    private long _began;
    private long _look;
    private int _turn;

    /// <param name="sockets">The carrier's connections at this moment.</param>
    /// <param name="tell">Gets an interface and what its traffic shows; returns at once.</param>
    internal TrafficWatch(Func<IEnumerable<Socket>> sockets, Func<LinkSnapshot> links, Action<string, TrafficSign> tell, TimeProvider time, ILogger logger)
    {
        (_sockets, _links, _tell, _time, _logger) = (sockets, links, tell, time, logger);
        _began = time.GetTimestamp();
        _loop = Task.Run(() => RunAsync(_stop.Token));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
    }

    private async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            bool busy = false;
            try
            {
                busy = Look();
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                _logger.TrafficWatchFailed(e);
            }

            await Task.Delay(busy ? BusyPause : IdlePause, _time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <returns>Whether anything moves or waits.</returns>
    private bool Look()
    {
        TimeSpan now = _time.GetElapsedTime(_began);
        _look++;
        Begin();
        Gather();
        int busy = 0;
        foreach (Socket socket in _all)
        {
            if (busy < MostBusy && _seen.TryGetValue(socket, out SeenConnection? seen) && now - seen.Moved < Recent)
            {
                busy++;
                Read(socket, seen, now);
            }
        }

        for (int i = 0; i < Math.Min(InTurn, _all.Count); i++)
        {
            Socket socket = _all[(int)((uint)_turn++ % (uint)_all.Count)];
            if (!_seen.TryGetValue(socket, out SeenConnection? seen))
            {
                _seen.Add(socket, seen = new SeenConnection { Moved = -Recent });
            }

            if (seen.LastLook != _look)
            {
                Read(socket, seen, now);
            }
        }

        bool any = busy > 0;
        foreach (var (name, tally) in _tallies)
        {
            any |= tally.Progress > 0 || tally.Unacknowledged;
            if (tally.Look(now) is { } sign)
            {
                _tell(name, sign);
            }

            if (tally.Loses.Look(now, tally.Segments, tally.Amiss))
            {
                _tell(name, TrafficSign.Loses);
            }
        }

        return any;
    }

    /// <summary>One tally for each WAN that is there, new ones for those that came.</summary>
    private void Begin()
    {
        ImmutableArray<Link> links = _links().Links;
        foreach (string name in _tallies.Keys.Where(n => links.All(l => l.Interface != n)).ToArray())
        {
            _tallies.Remove(name);
        }

        foreach (Link link in links)
        {
            if (!_tallies.TryGetValue(link.Interface, out Tally? tally))
            {
                _tallies.Add(link.Interface, tally = new Tally());
            }

            (tally.Progress, tally.Acknowledged, tally.Unacknowledged, tally.Segments, tally.Amiss) = (0, 0, false, 0, 0);
            // An address that two WANs have says nothing about either.
            tally.Addresses = [.. link.Addresses.Select(a => a.Address).Where(a => links.Count(l => l.Addresses.Any(b => b.Address.Equals(a))) == 1)];
        }
    }

    private void Gather()
    {
        _all.Clear();
        _all.AddRange(_sockets().Take(MostRemembered));
        if (_seen.Count > 2 * _all.Count + MostBusy)
        {
            var alive = _all.ToHashSet();
            foreach (Socket gone in _seen.Keys.Where(s => !alive.Contains(s)).ToArray())
            {
                _seen.Remove(gone);
            }
        }
    }

    private void Read(Socket socket, SeenConnection seen, TimeSpan now)
    {
        int count;
        try
        {
            int errno = MptcpSampler.TryRead(socket, _subflows, out MptcpSample sample);
            count = errno == 0 && !sample.Connection.FellBack ? sample.Count : 0;
            if (count == 0 && socket.LocalEndPoint is System.Net.IPEndPoint local && TcpInfo.TryRead(socket, out TcpInfo tcp) == 0)
            {
                // It goes on as plain TCP.
                _subflows[0] = new MptcpSubflow(null, SubflowAddress.From(local), default, tcp);
                count = 1;
            }
        }
        catch (Exception e) when (e is ObjectDisposedException or SocketException)
        {
            // It ended meanwhile.
            return;
        }

        for (int i = 0; i < count; i++)
        {
            ref readonly MptcpSubflow subflow = ref _subflows[i];
            if (subflow.Tcp.State is TcpState.Established or TcpState.CloseWait or TcpState.FinWait1 && Find(in subflow) is { } tally)
            {
                var (progress, acknowledged) = seen.Progress(in subflow, _look, out bool any);
                var (segments, amiss) = seen.Losses(in subflow, _look);
                bool waits = subflow.Tcp.UnacknowledgedSegments > 0;
                tally.Segments += segments;
                tally.Amiss += amiss;
                tally.Progress += progress;
                tally.Acknowledged += acknowledged;
                tally.Unacknowledged |= waits;
                if (any || waits)
                {
                    seen.Moved = now;
                }
            }
        }

        seen.Keep(_subflows.AsSpan(0, count), _look);
    }

    private Tally? Find(in MptcpSubflow subflow)
    {
        foreach (Tally tally in _tallies.Values)
        {
            foreach (var address in tally.Addresses)
            {
                if (subflow.Local.Has(address))
                {
                    return tally;
                }
            }
        }

        return null;
    }

    /// <summary>One WAN at one look.</summary>
    private sealed class Tally
    {
        private readonly SilenceWatch _all = new();

        /// <summary>What is on its way down arrives for a while although nothing goes up any more; acknowledgements stop at once.</summary>
        private readonly SilenceWatch _acknowledgements = new(onlyUnacknowledged: true);

        internal ImmutableArray<System.Net.IPAddress> Addresses { get; set; } = [];

        internal long Progress { get; set; }

        internal long Acknowledged { get; set; }

        internal bool Unacknowledged { get; set; }

        /// <summary>With payload, either way.</summary>
        internal long Segments { get; set; }

        /// <summary>Sent again, or come out of order.</summary>
        internal long Amiss { get; set; }

        internal LossWatch Loses { get; } = new();

        internal TrafficSign? Look(TimeSpan now)
        {
            var acknowledged = _acknowledgements.Look(now, Acknowledged, Unacknowledged);
            var all = _all.Look(now, Progress, Unacknowledged);
            return acknowledged == TrafficSign.Silent || all == TrafficSign.Silent ? TrafficSign.Silent
                : _acknowledgements.IsSilent && Unacknowledged ? null
                : acknowledged ?? all;
        }
    }
}
