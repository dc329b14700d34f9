using Aggregator.Flows;
using Aggregator.Trunk;
using Shouldly;

namespace Aggregator.Shared.Tests.Trunk.ByteExact;

/// <summary>One end: an engine, and the writers and readers of its streams.</summary>
internal sealed class Side : SilentEvents
{
    private readonly World _world;
    private readonly TrunkRole _role;
    private readonly Dictionary<uint, Flow> _flows = [];

    internal Side(World world, TrunkRole role)
    {
        _world = world;
        _role = role;
        Engine = new TrunkEngine(role, new EarliestCompletionScheduler(), Budget, new TrunkOptions(), this);
    }

    internal TrunkEngine Engine { get; }

    internal TrunkBudget Budget { get; } = new(TrunkBudget.MinBytes);

    /// <summary>All streams came to their ends, and no frame is on its way or waits to be.</summary>
    internal bool IsDone => Engine.StreamCount == 0 && _flows.Values.All(f => f.IsOver) && Engine.Lanes.All(TrunkEngine.IsDrained);

    internal string State => $"{_role}: {Engine.StreamCount} streams, " + string.Join(", ", _flows.Values.Where(f => !f.IsOver).Select(f => f.ToString()));

    internal void Follow(EngineStream stream, FlowPlan plan) => _flows.Add(stream.Id, new Flow(stream, plan));

    public override void Opened(EngineStream stream) => Follow(stream, _world.Plans[stream.Id]);

    public override void Broken(EngineStream stream, StreamBreak reason)
    {
        reason.ShouldBe(StreamBreak.Aborted, $"stream {stream.Id}");
        if (_flows.TryGetValue(stream.Id, out var flow))
        {
            flow.Plan.MayBreak.ShouldBeTrue($"stream {stream.Id} broke");
            flow.IsOver.ShouldBeFalse($"stream {stream.Id} ended twice");
            flow.IsBroken = true;
        }
    }

    public override void PeerLeft(GoodbyeCode code) => throw new InvalidOperationException("the peer left");

    /// <summary>Writers and readers do a little each.</summary>
    internal void Move(Random random)
    {
        foreach (var flow in _flows.Values)
        {
            if (flow.IsOver)
            {
                continue;
            }

            flow.Moves++;
            if (_role == TrunkRole.Vps && !flow.Stream.IsAnswered)
            {
                // A dial takes its time.
                if (random.Next(4) == 0)
                {
                    Answer(flow);
                }
            }
            else if (flow.Plan.AbortingRole == _role && flow.Moves > flow.Plan.AbortAfterMoves)
            {
                Engine.Reset(flow.Stream, StreamBreak.Aborted, _world.Now);
                flow.IsBroken = true;
            }
            else
            {
                Read(flow, random);
                Write(flow, random);
            }
        }
    }

    private void Answer(Flow flow)
    {
        Engine.Reply(flow.Stream, new FlowReply(flow.Plan.IsRefused ? OpenResult.Refused : OpenResult.Opened, null), _world.Now);
        flow.IsBroken = flow.Plan.IsRefused;
    }

    private void Read(Flow flow, Random random)
    {
        var stream = flow.Stream;
        if (flow.PausedUntilMove > flow.Moves)
        {
            return;
        }

        if (random.Next(40) == 0)
        {
            flow.PausedUntilMove = flow.Moves + random.Next(60);
        }

        byte[] into = new byte[random.Next(1, 30_000)];
        long at = stream.ReadTo;
        bool isUp = _role == TrunkRole.Vps;
        int count = stream.IsGone ? 0 : Engine.Read(stream, into, _world.Now);
        if (!into.AsSpan(0, count).SequenceEqual(flow.Plan.Bytes(isUp, at, count)))
        {
            throw new InvalidOperationException($"{_role}, stream {stream.Id}: wrong bytes between {at} and {at + count}");
        }

        if (stream.IsAllRead && !flow.IsReadToEnd)
        {
            flow.IsReadToEnd = true;
            stream.ReadTo.ShouldBe(isUp ? flow.Plan.UpBytes : flow.Plan.DownBytes, $"{_role}, stream {stream.Id}");
        }
    }

    private void Write(Flow flow, Random random)
    {
        var stream = flow.Stream;
        if (stream.IsGone || stream.IsFinished)
        {
            return;
        }

        bool isUp = _role == TrunkRole.Gateway;
        int all = isUp ? flow.Plan.UpBytes : flow.Plan.DownBytes;
        int count = (int)Math.Min(all - stream.WriteEnd, random.Next(1, 30_000));
        Engine.Write(stream, flow.Plan.Bytes(isUp, stream.WriteEnd, count), _world.Now);
        if (stream.WriteEnd == all)
        {
            Engine.Finish(stream, _world.Now);
        }
    }

    private sealed class Flow(EngineStream stream, FlowPlan plan)
    {
        internal EngineStream Stream => stream;

        internal FlowPlan Plan => plan;

        internal int Moves { get; set; }

        internal int PausedUntilMove { get; set; }

        internal bool IsReadToEnd { get; set; }

        /// <summary>Refused, or aborted by either end.</summary>
        internal bool IsBroken { get; set; }

        internal bool IsOver => IsBroken || (IsReadToEnd && stream.IsAllDelivered);

        public override string ToString() =>
            $"stream {stream.Id}: read {stream.ReadTo} of {stream.EndsAt}, written {stream.WriteEnd} of {plan.UpBytes}/{plan.DownBytes}, delivered {stream.DeliveredTo}, gone {stream.IsGone}";
    }
}
