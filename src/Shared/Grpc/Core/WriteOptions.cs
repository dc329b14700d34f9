namespace Grpc.Core;

/// <summary>Hints for a write.</summary>
[Flags]
public enum WriteFlags
{
    /// <summary>The message may wait for the next one.</summary>
    BufferHint = 0x1,

    /// <summary>This message is not compressed, even where the call has compression.</summary>
    NoCompress = 0x2,
}

/// <summary>Options of a write.</summary>
public class WriteOptions
{
    public static readonly WriteOptions Default = new();

    public WriteOptions(WriteFlags flags = default) => Flags = flags;

    public WriteFlags Flags { get; }
}
