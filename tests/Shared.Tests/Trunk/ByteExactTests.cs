using System.Net;
using Aggregator.Flows;
using Aggregator.Trunk;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Trunk;

/// <summary>
/// Two engines and lanes that die at any moment, deliver late, in pieces of any size, or fall silent so that what they carry goes twice and
/// in any order: whatever happens, streams come out byte for byte, both ways, with their ends.
/// </summary>
public sealed class ByteExactTests
{
    [Fact]
    public void Streams_are_byte_exact_whatever_lanes_do() =>
        Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
        {
            new World(seed).Run();
            return true;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(60));

    private sealed class World
    {
        private const int Streams = 3;
        private readonly Random _random;
        private readonly Side _gateway;
        private readonly Side _vps;
        private readonly List<Pipe> _pipes = [];
        private long _now = 1;
        private uint _lastLane;

        internal World(int seed)
        {
            _random = new Random(seed);
            _gateway = new Side(this, TrunkRole.Gateway);
            _vps = new Side(this, TrunkRole.Vps);
        }

        internal long Now => _now;

        internal void Run()
        {
            AddLane();
            AddLane();
            for (int i = 0; i < Streams; i++)
            {
                var flow = i == 0 ? FlowClass.Redundant : FlowClass.Default;
                _gateway.Follow(_gateway.Engine.Open(new FlowTarget(IPAddress.Loopback, 80), flow, _now)!);
            }

            for (int step = 0; step < 200_000 && !(_gateway.IsDone(Streams) && _vps.IsDone(Streams)); step++)
            {
                Step(wild: step < 6000);
            }

            _gateway.IsDone(Streams).ShouldBeTrue();
            _vps.IsDone(Streams).ShouldBeTrue();
        }

        private void Step(bool wild)
        {
            int dice = _random.Next(1000);
            if (wild && dice < 8 && _pipes.Count > 0)
            {
                var pipe = _pipes[_random.Next(_pipes.Count)];
                _pipes.Remove(pipe);

                // Each end hears of it when it does.
                _gateway.Engine.RemoveLane(pipe.Gateway, _now);
                _vps.Engine.RemoveLane(pipe.Vps, _now);
            }
            else if (_pipes.Count == 0 || (dice < 16 && _pipes.Count < 5))
            {
                AddLane();
            }
            else if (dice < 40)
            {
                // Sometimes long enough for lanes to be given up.
                _now += _random.Next(wild ? 300_000 : 20_000);
            }
            else if (dice < 300)
            {
                _now += _random.Next(1500);
                _gateway.Engine.Tick(_now);
                _vps.Engine.Tick(_now);
            }
            else if (dice < 600)
            {
                var pipe = _pipes[_random.Next(_pipes.Count)];
                Fill(_gateway.Engine, pipe.Gateway, pipe.Up);
                Fill(_vps.Engine, pipe.Vps, pipe.Down);
            }
            else if (dice < 900)
            {
                var pipe = _pipes[_random.Next(_pipes.Count)];
                Deliver(pipe.Up, _vps.Engine, pipe.Vps);
                Deliver(pipe.Down, _gateway.Engine, pipe.Gateway);
            }
            else
            {
                _gateway.Move(_random);
                _vps.Move(_random);
            }
        }

        private void AddLane()
        {
            uint id = ++_lastLane;
            _pipes.Add(new Pipe(_gateway.Engine.AddLane(id, LaneRole.Normal, _now), _vps.Engine.AddLane(id, LaneRole.Normal, _now), new(), new()));
        }

        private void Fill(TrunkEngine engine, EngineLane lane, Queue<byte[]> queue)
        {
            byte[] buffer = new byte[_random.Next(2000, 40_000)];
            if (engine.Fill(lane, buffer, _now) is var count && count > 0)
            {
                queue.Enqueue(buffer[..count]);
            }
        }

        private void Deliver(Queue<byte[]> queue, TrunkEngine engine, EngineLane lane)
        {
            if (!queue.TryDequeue(out byte[]? bytes))
            {
                return;
            }

            int cut = _random.Next(bytes.Length + 1);
            engine.Received(lane, bytes.AsSpan(0, cut), _now);
            engine.Received(lane, bytes.AsSpan(cut), _now);
        }

        private sealed record Pipe(EngineLane Gateway, EngineLane Vps, Queue<byte[]> Up, Queue<byte[]> Down);
    }

    private sealed class Side : ITrunkEvents
    {
        private const int Bytes = 150_000;
        private readonly World _world;
        private readonly List<EngineStream> _streams = [];
        private readonly HashSet<uint> _ended = [];

        internal Side(World world, TrunkRole role)
        {
            _world = world;
            Engine = new TrunkEngine(role, new EarliestCompletionScheduler(), new TrunkBudget(TrunkBudget.MinBytes), new TrunkOptions(), this);
        }

        internal TrunkEngine Engine { get; }

        internal void Follow(EngineStream stream) => _streams.Add(stream);

        internal bool IsDone(int streams) => _ended.Count == streams && Engine.StreamCount == 0;

        internal void Move(Random random)
        {
            foreach (var stream in _streams)
            {
                byte[] into = new byte[random.Next(1, 30_000)];
                long at = stream.ReadTo;
                int count = stream.IsGone ? 0 : Engine.Read(stream, into, _world.Now);
                for (int i = 0; i < count; i++)
                {
                    if (into[i] != Byte(stream.Id, at + i))
                    {
                        throw new InvalidOperationException($"stream {stream.Id}: wrong byte at {at + i}");
                    }
                }

                if (stream.IsAllRead && _ended.Add(stream.Id))
                {
                    stream.ReadTo.ShouldBe(Bytes);
                }

                if (!stream.IsGone && !stream.IsFinished)
                {
                    int left = (int)Math.Min(Bytes - stream.WriteEnd, random.Next(1, 30_000));
                    byte[] from = new byte[left];
                    for (int i = 0; i < left; i++)
                    {
                        from[i] = Byte(stream.Id, stream.WriteEnd + i);
                    }

                    Engine.Write(stream, from, _world.Now);
                    if (stream.WriteEnd == Bytes)
                    {
                        Engine.Finish(stream, _world.Now);
                    }
                }
            }
        }

        public void Opened(EngineStream stream)
        {
            _streams.Add(stream);
            Engine.Reply(stream, new FlowReply(OpenResult.Opened, null), _world.Now);
        }

        public void Broken(EngineStream stream, StreamBreak reason) => throw new InvalidOperationException($"stream {stream.Id} broke: {reason}");

        public void PeerLeft(GoodbyeCode code) => throw new InvalidOperationException("the peer left");

        public void LaneHasWork(EngineLane lane)
        {
        }

        public void Readable(EngineStream stream)
        {
        }

        public void Writable(EngineStream stream)
        {
        }

        public void Answered(EngineStream stream, FlowReply reply)
        {
        }

        public void LaneStalled(EngineLane lane, bool isStalled)
        {
        }

        public void LaneGuarded(EngineLane lane)
        {
        }

        private static byte Byte(uint stream, long offset) => (byte)((offset * 2654435761L >> 13) ^ (offset >> 3) ^ (stream * 97));
    }
}
