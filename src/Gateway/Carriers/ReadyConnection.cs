using System.Net.Sockets;
using Aggregator.Identity;
using Aggregator.Relay;

namespace Aggregator.Gateway.Carriers;

/// <summary>
/// A connection that the VPS has greeted and on which nothing else happens until a flow takes it. A read of nothing is under way all the while:
/// its end means that the peer went away, or, once a flow has the connection, that the answer is there.
/// </summary>
internal sealed class ReadyConnection
{
    internal ReadyConnection(IByteStream stream, Socket socket, WanPath path, KeyPin vps, long readyAt)
    {
        Stream = stream;
        Socket = socket;
        Path = path;
        Vps = vps;
        ReadyAt = readyAt;
        Readable = stream.WaitToReadAsync(CancellationToken.None).AsTask();
    }

    internal IByteStream Stream { get; }

    /// <summary>For the kernel's figures only.</summary>
    internal Socket Socket { get; }

    internal WanPath Path { get; }

    /// <summary>Whom it leads to.</summary>
    internal KeyPin Vps { get; }

    /// <summary>A timestamp of the pool's clock.</summary>
    internal long ReadyAt { get; }

    /// <summary>The read of nothing.</summary>
    internal Task Readable { get; }

    /// <summary>Throws it away: nothing was sent on it, so a reset is the quickest end for both.</summary>
    internal async ValueTask DropAsync()
    {
        Stream.Abort();
        await Stream.DisposeAsync();
        try
        {
            await Readable;
        }
        catch (IOException)
        {
            // That is why it is dropped.
        }
    }
}
