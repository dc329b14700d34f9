using System.Net;
using Aggregator.Flows;
using Aggregator.Trunk;
using Shouldly;

namespace Aggregator.Shared.Tests.Trunk.ByteExact;

/// <summary>Both ends and what lies between, moved by one random sequence: wild at first, then calm until all is done.</summary>
internal sealed class World
{
    private const int MostPipes = 5;
    private const int WildSteps = 6000;
    private const int MostSteps = 200_000;

    private readonly Side _gateway;
    private readonly Side _vps;
    private readonly Memory _up = new();
    private readonly Memory _down = new();
    private readonly List<Pipe> _pipes = [];

    /// <summary>Lanes that only one end still has: the other one heard of their death, or never had them.</summary>
    private readonly List<(Side Side, EngineLane Lane)> _halves = [];
    private readonly int _streams;
    private uint _lastLane;

    internal World(int seed)
    {
        Random = new Random(seed);
        _streams = Random.Next(1, 8);
        _gateway = new Side(this, TrunkRole.Gateway);
        _vps = new Side(this, TrunkRole.Vps);
    }

    internal Random Random { get; }

    internal long Now { get; private set; } = 1;

    /// <summary>By the stream's number.</summary>
    internal Dictionary<uint, FlowPlan> Plans { get; } = [];

    internal void Run()
    {
        AddLane();
        int step = 0;
        for (; step < MostSteps && !(Plans.Count == _streams && _gateway.IsDone && _vps.IsDone); step++)
        {
            Step(wild: step < WildSteps);
        }

        if (step == MostSteps)
        {
            throw new InvalidOperationException($"never done; {_gateway.State}; {_vps.State}; {_pipes.Count} lanes");
        }

        foreach (var side in (Side[])[_gateway, _vps])
        {
            side.Engine.ReorderBytes.ShouldBe(0);
            (side.Budget.SendBytes, side.Budget.ReceiveBytes, side.Budget.PromisedBytes).ShouldBe((0, 0, 0));
        }
    }

    private void Step(bool wild)
    {
        int dice = Random.Next(1000);
        if (_pipes.Count == 0 || (dice < 8 && _pipes.Count < MostPipes))
        {
            AddLane();
        }
        else if (dice < 40)
        {
            DoHarm(dice, wild);
        }
        else if (dice < 60)
        {
            // Sometimes long enough for lanes to be given up.
            Now += Random.Next(wild ? 300_000 : 20_000);
        }
        else if (dice < 300)
        {
            Now += Random.Next(1500);
            _gateway.Engine.Tick(Now);
            _vps.Engine.Tick(Now);
        }
        else if (dice < 600)
        {
            var pipe = Pick();
            pipe.Up.Fill(this, _up);
            pipe.Down.Fill(this, _down);
        }
        else if (dice < 900)
        {
            var pipe = Pick();
            pipe.Up.Deliver(this);
            pipe.Down.Deliver(this);
        }
        else
        {
            if (Plans.Count < _streams && Random.Next(3) == 0)
            {
                Open();
            }

            _gateway.Move(Random);
            _vps.Move(Random);
        }
    }

    private void DoHarm(int dice, bool wild)
    {
        if (!wild)
        {
            // The last halves are heard of.
            BuryHalf();
        }
        else if (dice < 18)
        {
            Kill(Pick());
        }
        else if (dice < 26)
        {
            BuryHalf();
        }
        else if (dice < 32)
        {
            var (side, memory) = Random.Next(2) == 0 ? (_vps, _up) : (_gateway, _down);
            Haunt(side, memory);
        }
        else
        {
            _gateway.Engine.SetRole(Pick().Up.FromLane, Random.Next(3) == 0 ? LaneRole.Backup : LaneRole.Normal, Now);
        }
    }

    private Pipe Pick() => _pipes[Random.Next(_pipes.Count)];

    private void Open()
    {
        var plan = new FlowPlan(Random);
        Plans.Add((uint)Plans.Count + 1, plan);
        var flow = Random.Next(4) == 0 ? FlowClass.Redundant : FlowClass.Default;
        _gateway.Follow(_gateway.Engine.Open(new FlowTarget(IPAddress.Loopback, 80), flow, Now).ShouldNotBeNull(), plan);
    }

    private void AddLane()
    {
        uint id = ++_lastLane;
        var gateway = _gateway.Engine.AddLane(id, LaneRole.Normal, Now);
        var vps = _vps.Engine.AddLane(id, LaneRole.Normal, Now);
        _pipes.Add(new Pipe(new Way(_gateway, gateway, _vps, vps), new Way(_vps, vps, _gateway, gateway)));
    }

    /// <summary>Each end hears of it when it does, the one now, the other some day; until then that one believes in it.</summary>
    private void Kill(Pipe pipe)
    {
        _pipes.Remove(pipe);
        pipe.Up.Break(this);
        pipe.Down.Break(this);
        var (now, later) = Random.Next(2) == 0 ? (pipe.Up, pipe.Down) : (pipe.Down, pipe.Up);
        now.From.Engine.RemoveLane(now.FromLane, Now);
        _halves.Add((later.From, later.FromLane));
    }

    /// <summary>Frames of long ago come again, over a lane that their sender knows nothing of any more.</summary>
    private void Haunt(Side side, Memory memory)
    {
        var lane = side.Engine.AddLane(++_lastLane, LaneRole.Normal, Now);
        side.Engine.Received(lane, memory.Again(Random), Now);
        _halves.Add((side, lane));
    }

    private void BuryHalf()
    {
        if (_halves.Count == 0)
        {
            return;
        }

        int which = Random.Next(_halves.Count);
        var (side, lane) = _halves[which];
        _halves.RemoveAt(which);
        if (Random.Next(2) == 0)
        {
            // It was given something that never went anywhere.
            side.Engine.Fill(lane, new byte[Random.Next(2000, 40_000)], Now);
        }

        side.Engine.RemoveLane(lane, Now);
    }

    private sealed record Pipe(Way Up, Way Down);
}
