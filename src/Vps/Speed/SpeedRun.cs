using System.Net.Sockets;
using Aggregator.Identity;
using Aggregator.Mptcp;
using Aggregator.Protocol.V1;
using Aggregator.Relay;

namespace Aggregator.Vps.Speed;

/// <summary>One test of one gateway: its connections, counted by phase. Lives as long as its call; safe for many threads.</summary>
internal sealed class SpeedRun(KeyPin pin, UInt128 id, CancellationToken ended)
{
    /// <summary>Of one phase there are at most 17; those of the phase before may not have ended yet.</summary>
    internal const int MaxStreams = 48;

    private readonly Lock _lock = new();
    private readonly HashSet<Stream> _streams = [];
    private readonly Dictionary<uint, SpeedGroup> _ended = [];

    /// <summary>A test has as many groups as phases; beyond this they are counted as the last.</summary>
    private const int MaxGroups = 256;

    internal KeyPin Pin { get; } = pin;

    internal UInt128 Id { get; } = id;

    /// <summary>Fires when the call ends.</summary>
    internal CancellationToken Ended { get; } = ended;

    /// <summary>Null: too many.</summary>
    internal Stream? TryEnter(uint group, Socket? socket)
    {
        var stream = new Stream(group, socket);
        lock (_lock)
        {
            return _streams.Count < MaxStreams && _streams.Add(stream) ? stream : null;
        }
    }

    /// <summary>Before its socket is closed: its last counts go into its group's.</summary>
    internal void Leave(Stream stream)
    {
        lock (_lock)
        {
            if (_streams.Remove(stream) && (_ended.ContainsKey(stream.Group) || _ended.Count < MaxGroups))
            {
                stream.AddTo(GroupOf(_ended, stream.Group));
            }
        }
    }

    internal IEnumerable<SpeedGroup> Sample()
    {
        lock (_lock)
        {
            var groups = _ended.ToDictionary(g => g.Key, g => g.Value.Clone());
            foreach (var stream in _streams)
            {
                var group = GroupOf(groups, stream.Group);
                stream.AddTo(group);
                stream.AddRoundTripTo(group);
                group.Streams++;
            }

            return groups.Values;
        }
    }

    private static SpeedGroup GroupOf(Dictionary<uint, SpeedGroup> groups, uint group)
    {
        if (!groups.TryGetValue(group, out var known))
        {
            groups[group] = known = new SpeedGroup { Group = group };
        }

        return known;
    }

    /// <summary>One test connection.</summary>
    /// <param name="socket">Null: a flow of the carrier, whose connections the kernel's figures are not this test's alone.</param>
    internal sealed class Stream(uint group, Socket? socket)
    {
        private TcpInfo _last;

        internal uint Group { get; } = group;

        internal ByteCounter Bytes { get; } = new();

        internal void AddTo(SpeedGroup sum)
        {
            sum.Bytes += (ulong)Bytes.Value;
            if (socket is null)
            {
                return;
            }

            if (Read(socket) is { } now)
            {
                _last = now;
            }

            sum.ReceivedBytes += _last.BytesReceived;
            sum.SegmentsSent += _last.DataSegmentsSent;
            sum.Retransmits += _last.Retransmits;
            sum.DeliveredBytes += _last.BytesDelivered;
            sum.BusyUs += (ulong)_last.Busy.TotalMicroseconds;
            sum.ReceiverLimitedUs += (ulong)_last.LimitedByReceiver.TotalMicroseconds;
            sum.BufferLimitedUs += (ulong)_last.LimitedBySendBuffer.TotalMicroseconds;
        }

        /// <summary>Behind <see cref="AddTo"/>, and only while it is open.</summary>
        internal void AddRoundTripTo(SpeedGroup sum)
        {
            if (socket is not null && _last.MinRtt is { } least)
            {
                sum.LeastRttMs += least.TotalMilliseconds;
                sum.QueueMs += Math.Max(0, (_last.Rtt - least).TotalMilliseconds);
                sum.UnsentBytes += _last.NotSentBytes;
                sum.InFlightBytes += (double)_last.UnacknowledgedSegments * _last.SegmentBytes;
            }
        }

        private static TcpInfo? Read(Socket socket)
        {
            try
            {
                return TcpInfo.TryRead(socket, out var info) == 0 ? info : null;
            }
            catch (ObjectDisposedException)
            {
                return null;
            }
        }
    }
}
