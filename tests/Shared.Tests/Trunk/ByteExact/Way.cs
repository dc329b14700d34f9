using Aggregator.Trunk;

namespace Aggregator.Shared.Tests.Trunk.ByteExact;

/// <summary>One direction of a lane: from one engine to the other, in order, as late as it likes.</summary>
internal sealed class Way(Side from, EngineLane fromLane, Side to, EngineLane toLane)
{
    private readonly Queue<byte[]> _underWay = new();

    internal Side From => from;

    internal EngineLane FromLane => fromLane;

    internal void Fill(World world, Memory memory)
    {
        byte[] buffer = new byte[world.Random.Next(2000, 40_000)];
        int count = from.Engine.Fill(fromLane, buffer, world.Now);
        if (count > 0)
        {
            _underWay.Enqueue(buffer[..count]);
            memory.Note(buffer.AsSpan(0, count), world.Random);
        }
    }

    internal void Deliver(World world)
    {
        if (!toLane.IsGone && _underWay.TryDequeue(out byte[]? bytes))
        {
            int cut = world.Random.Next(bytes.Length + 1);
            to.Engine.Received(toLane, bytes.AsSpan(0, cut), world.Now);
            to.Engine.Received(toLane, bytes.AsSpan(cut), world.Now);
        }
    }

    /// <summary>The last that comes of it: a part of what was under way, cut anywhere.</summary>
    internal void Break(World world)
    {
        for (int whole = world.Random.Next(_underWay.Count + 1); whole > 0; whole--)
        {
            Deliver(world);
        }

        if (!toLane.IsGone && _underWay.TryDequeue(out byte[]? bytes))
        {
            to.Engine.Received(toLane, bytes.AsSpan(0, world.Random.Next(bytes.Length)), world.Now);
        }

        _underWay.Clear();
    }
}
