namespace Aggregator.Shared.Tests.Trunk.ByteExact;

/// <summary>What is to become of a stream. Both ends know it.</summary>
internal sealed class FlowPlan
{
    private const int MostBytes = 150_000;

    private static readonly byte[] Pattern = MakePattern();

    private readonly int _patternAt;

    internal FlowPlan(Random random)
    {
        _patternAt = random.Next(MostBytes);
        UpBytes = Length(random);
        DownBytes = Length(random);
        int fate = random.Next(10);
        IsRefused = fate == 0;
        if (fate is 1 or 2 or 3)
        {
            // At any moment, some before anything was written, some between a FIN and its acknowledgement.
            AbortingRole = fate == 1 ? Aggregator.Trunk.TrunkRole.Vps : Aggregator.Trunk.TrunkRole.Gateway;
            AbortAfterMoves = random.Next(60);
        }
    }

    internal int UpBytes { get; }

    internal int DownBytes { get; }

    internal bool IsRefused { get; }

    internal Aggregator.Trunk.TrunkRole? AbortingRole { get; }

    internal int AbortAfterMoves { get; }

    internal bool MayBreak => IsRefused || AbortingRole is not null;

    /// <summary>The bytes of a direction from a place on.</summary>
    internal ReadOnlySpan<byte> Bytes(bool up, long at, int count) => Pattern.AsSpan(_patternAt + (up ? 0 : 7919) + (int)at, count);

    /// <summary>Nothing at all in one of five: that direction is half-closed from the start.</summary>
    private static int Length(Random random) => random.Next(5) switch
    {
        0 => 0,
        1 => random.Next(1, 100),
        _ => random.Next(1, MostBytes),
    };

    private static byte[] MakePattern()
    {
        byte[] pattern = new byte[(2 * MostBytes) + 7919];
        new Random(1).NextBytes(pattern);
        return pattern;
    }
}
