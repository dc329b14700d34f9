using Aggregator.Trunk;

namespace Aggregator.Shared.Tests.Trunk.ByteExact;

/// <summary>Counted frames that went one way, some of each time, to come again when nobody expects them.</summary>
internal sealed class Memory
{
    private const int Kept = 100;

    private readonly List<byte[]> _frames = [];

    internal void Note(ReadOnlySpan<byte> frames, Random random)
    {
        while (!frames.IsEmpty)
        {
            var header = TrunkFrame.Read(frames);
            var frame = frames[..(TrunkFrame.HeaderBytes + header.Length)];
            frames = frames[frame.Length..];
            if (header.IsCounted && header.Type != TrunkFrameType.Role)
            {
                if (_frames.Count < Kept)
                {
                    _frames.Add(frame.ToArray());
                }
                else
                {
                    _frames[random.Next(Kept)] = frame.ToArray();
                }
            }
        }
    }

    /// <summary>Some of them, in any order, some twice.</summary>
    internal byte[] Again(Random random)
    {
        var again = new List<byte>();
        for (int i = Math.Min(_frames.Count, random.Next(20)); i > 0; i--)
        {
            again.AddRange(_frames[random.Next(_frames.Count)]);
        }

        return [.. again];
    }
}
