namespace Aggregator.Relay;

/// <summary>Bytes that went by, added up from many flows while others read it.</summary>
internal sealed class ByteCounter
{
    private long _value;

    internal long Value => Interlocked.Read(ref _value);

    internal void Add(long bytes) => Interlocked.Add(ref _value, bytes);
}
