using System.Net;
using Aggregator.Flows;
using Aggregator.Trunk;

namespace Aggregator.Shared.Tests.Trunk.Simulation;

/// <summary>
/// Two real engines joined by modelled TCP connections over modelled lines; the VPS sends one endless stream to a reader at the gateway
/// that takes everything at once. Ticks every millisecond as the daemon's thread does, each late by a little, as on a busy machine.
/// </summary>
internal sealed class SimulatedTrunk
{
    private const double TickUs = 1000;
    private const double BinUs = 100_000;

    private readonly Simulator _simulator = new();
    private readonly Random _random;
    private readonly End _gateway;
    private readonly End _vps;
    private readonly List<SimulatedLink> _links = [];
    private readonly byte[] _source = new byte[1 << 20];
    private readonly byte[] _sink = new byte[1 << 20];
    private EngineStream? _up;
    private long _taken;
    private double _lastReadAt;

    internal SimulatedTrunk(IReadOnlyList<LinkSpec> links, int seed, TrunkOptions? options = null)
    {
        _random = new Random(seed);
        _random.NextBytes(_source);
        options ??= new TrunkOptions();
        _gateway = new End(this, TrunkRole.Gateway, options);
        _vps = new End(this, TrunkRole.Vps, options);
        uint id = 0;
        foreach (var spec in links)
        {
            id++;
            var down = new SimulatedLink(spec, _random);
            var up = new SimulatedLink(spec, _random);
            _links.Add(down);
            _links.Add(up);
            EngineLane? atGateway = null;
            EngineLane? atVps = null;
            var toGateway = new SimulatedTcp(_simulator, down, up, (bytes, count) => _gateway.Receive(atGateway!, bytes.AsSpan(0, count)));
            var toVps = new SimulatedTcp(_simulator, up, down, (bytes, count) => _vps.Receive(atVps!, bytes.AsSpan(0, count)));
            atVps = _vps.Add(id, toGateway);
            atGateway = _gateway.Add(id, toVps);
        }

        Tick(_gateway);
        Tick(_vps);
    }

    internal TrunkEngine Receiver => _gateway.Engine;

    internal TrunkEngine Sender => _vps.Engine;

    /// <summary>Bytes that the reader took in each 100 ms since the stream began.</summary>
    internal List<long> Bins { get; } = [];

    /// <summary>The longest time without a byte for the reader, from <see cref="ResetGap"/> on.</summary>
    internal double LongestGapMs { get; private set; }

    internal double NowMs => _simulator.Now / 1000;

    internal long Taken => _taken;

    /// <summary>Opens the stream; the VPS begins to send when the open arrives.</summary>
    internal void Start()
    {
        _up = _gateway.Engine.Open(new FlowTarget(IPAddress.Loopback, 80), FlowClass.Default, Us)!;
        _lastReadAt = _simulator.Now;
        _gateway.Run();
    }

    /// <summary>Ends the stream; a new one can be started.</summary>
    internal void Stop()
    {
        _gateway.Engine.Reset(_up!, StreamBreak.Aborted, Us);
        _up = null;
        _taken = 0;
        _gateway.Run();
    }

    internal void RunQuietly(double ms) => _simulator.RunUntil(_simulator.Now + (ms * 1000));

    internal void Run(double ms)
    {
        double end = _simulator.Now + (ms * 1000);
        while (_simulator.Now < end)
        {
            double next = Math.Min(end, _simulator.Now + BinUs);
            long before = _taken;
            _simulator.RunUntil(next);
            if (_up is not null)
            {
                Bins.Add(_taken - before);
                if (_taken == before && Bins.Count > 5 && Descriptions.Count < 12)
                {
                    Descriptions.Add(Describe());
                }
            }
        }
    }

    /// <summary>Where the reader's next byte is: for finding out why nothing moves.</summary>
    internal string Describe()
    {
        if (_vps.Engine.Streams.Values.FirstOrDefault() is not { } far)
        {
            return "nothing";
        }

        var text = new System.Text.StringBuilder();
        text.Append($"{NowMs:F0} ms: reader at {_up!.ReadTo}, received to {_up.ReceivedTo}, highest {_up.ReceivedHighest}, granted {_up.Granted}; sender: delivered to {far.DeliveredTo}, written {far.WriteEnd}, limit {far.SendLimit}, waiting {far.Waiting.Count} ranges {far.Waiting.Bytes} from {(far.Waiting.IsEmpty ? -1 : far.Waiting[0].Start)}\n");
        foreach (var lane in _vps.Engine.Lanes)
        {
            var tcp = (SimulatedTcp)lane.Owner!;
            tcp.TryRead(out var r);
            text.Append($"  lane {lane.Id}: stalled {lane.StalledSinceUs / 1000} quiet {lane.IsQuiet} sent {lane.Sent.Count} urgent {lane.Urgent.Count}/{lane.UrgentBytes} unsent {r.UnsentBytes} in flight {r.InFlightBytes} cwnd {r.CongestionWindowBytes} rate {lane.Estimate.RateBytesPerSecond * 8 / 1e6:F1} delay {lane.Estimate.DelayUs / 1000:F0}+{lane.Estimate.LatenessUs / 1000:F0} dev {lane.Estimate.DeviationUs / 1000:F0} progress {lane.ProgressAtUs / 1000}\n");
            for (int i = 0; i < lane.Sent.Count; i++)
            {
                ref var sent = ref lane.Sent[i];
                if (sent.Content.Type == TrunkFrameType.Data && sent.Content.Start <= far.DeliveredTo && sent.Content.End > far.DeliveredTo)
                {
                    text.Append($"    has it at {i}: {sent.Content.Start}-{sent.Content.End} sent {sent.SentAtUs / 1000} queue {sent.QueueUs / 1000:F0} expected {sent.ExpectedAtUs / 1000} again {sent.IsAgain}\n");
                }
            }
        }

        return text.ToString();
    }

    internal List<string> Descriptions { get; } = [];

    internal void ResetGap()
    {
        LongestGapMs = 0;
        _lastReadAt = _simulator.Now;
    }

    internal void SetBlackHole(int link, bool isBlack)
    {
        _links[2 * link].IsBlackHole = isBlack;
        _links[(2 * link) + 1].IsBlackHole = isBlack;
    }

    private long Us => (long)_simulator.Now;

    private void Tick(End end)
    {
        end.Engine.Tick(Us);
        end.Run();
        _simulator.At(_simulator.Now + TickUs + (_random.NextDouble() * 500), () => Tick(end));
    }

    private void ReadAll(EngineStream stream)
    {
        while (!stream.IsGone && _gateway.Engine.Read(stream, _sink, Us) is var count && count > 0)
        {
            int at = (int)(_taken % _source.Length);
            int first = Math.Min(count, _source.Length - at);
            if (!_sink.AsSpan(0, first).SequenceEqual(_source.AsSpan(at, first))
                || !_sink.AsSpan(first, count - first).SequenceEqual(_source.AsSpan(0, count - first)))
            {
                throw new InvalidOperationException($"wrong bytes near {_taken}");
            }

            _taken += count;
            LongestGapMs = Math.Max(LongestGapMs, (_simulator.Now - _lastReadAt) / 1000);
            _lastReadAt = _simulator.Now;
        }
    }

    private void WriteAll(EngineStream stream)
    {
        while (!stream.IsGone)
        {
            int at = (int)(stream.WriteEnd % _source.Length);
            int count = Math.Min(128 * 1024, _source.Length - at);
            if (_vps.Engine.Write(stream, _source.AsSpan(at, count), Us) < count)
            {
                return;
            }
        }
    }

    /// <summary>One end: the engine with what the daemon's loops do for it.</summary>
    private sealed class End : ITrunkEvents
    {
        private readonly SimulatedTrunk _trunk;
        private readonly byte[] _buffer = new byte[128 * 1024];
        private readonly Queue<EngineLane> _work = new();
        private readonly HashSet<EngineLane> _hasWork = [];
        private readonly Queue<(EngineStream Stream, bool IsRead)> _streams = new();
        private bool _isRunning;

        internal End(SimulatedTrunk trunk, TrunkRole role, TrunkOptions options)
        {
            _trunk = trunk;
            Engine = new TrunkEngine(role, new EarliestCompletionScheduler(), new TrunkBudget(256L << 20), options, this);
        }

        internal TrunkEngine Engine { get; }

        internal EngineLane Add(uint id, SimulatedTcp tcp)
        {
            var lane = Engine.AddLane(id, LaneRole.Normal, _trunk.Us);
            lane.Owner = tcp;
            return lane;
        }

        internal void Receive(EngineLane lane, ReadOnlySpan<byte> bytes)
        {
            Engine.Received(lane, bytes, _trunk.Us);
            Run();
        }

        internal void Run()
        {
            if (_isRunning)
            {
                return;
            }

            _isRunning = true;
            while (_streams.Count > 0 || _work.Count > 0)
            {
                while (_streams.TryDequeue(out var item))
                {
                    if (item.IsRead)
                    {
                        _trunk.ReadAll(item.Stream);
                    }
                    else
                    {
                        _trunk.WriteAll(item.Stream);
                    }
                }

                if (_work.TryDequeue(out var lane))
                {
                    _hasWork.Remove(lane);
                    var tcp = (SimulatedTcp)lane.Owner!;
                    tcp.TryRead(out var reading);
                    Engine.Read(lane, reading, _trunk.Us);
                    int count = Engine.Fill(lane, _buffer, _trunk.Us);
                    tcp.Note(lane.IsFull);
                    if (count > 0)
                    {
                        tcp.Write(_buffer[..count], count);
                        LaneHasWork(lane);
                    }
                }
            }

            _isRunning = false;
        }

        public void LaneHasWork(EngineLane lane)
        {
            if (lane.Owner is not null && _hasWork.Add(lane))
            {
                _work.Enqueue(lane);
            }
        }

        public void Readable(EngineStream stream) => _streams.Enqueue((stream, true));

        public void Writable(EngineStream stream) => _streams.Enqueue((stream, false));

        public void Opened(EngineStream stream)
        {
            Engine.Reply(stream, new FlowReply(OpenResult.Opened, null), _trunk.Us);
            _streams.Enqueue((stream, false));
        }

        public void Answered(EngineStream stream, FlowReply reply)
        {
        }

        public void Broken(EngineStream stream, StreamBreak reason)
        {
            if (_trunk._up is not null)
            {
                throw new InvalidOperationException($"the stream broke: {reason}");
            }
        }

        public void PeerLeft(GoodbyeCode code) => throw new InvalidOperationException("the peer left");

        public void LaneStalled(EngineLane lane, bool isStalled) => _trunk.Stalls += isStalled ? 1 : 0;

        public void LaneGuarded(EngineLane lane) => _trunk.Demotions++;
    }

    internal int Stalls { get; private set; }

    internal int Demotions { get; private set; }
}
