using Aggregator.Relay;
using Microsoft.AspNetCore.Connections;

namespace Aggregator.Vps.Listener;

/// <summary>
/// A connection's plain text with its errors in Kestrel's terms: a broken connection is a <see cref="ConnectionResetException"/> to the
/// reader, and nothing to the writer, who learns of it from the reader (as with Kestrel's own transport). Else each would be an error in
/// the log, which any stranger could fill.
/// </summary>
internal sealed class PeerStream(TlsByteStream stream) : AsyncStream
{
    private volatile bool _broken;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            return await stream.ReadAsync(buffer, cancellationToken);
        }
        catch (IOException e)
        {
            throw new ConnectionResetException(e.Message, e);
        }
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_broken)
        {
            return;
        }

        try
        {
            await stream.WriteAsync(buffer, cancellationToken);
        }
        catch (IOException)
        {
            _broken = true;
            stream.Abort();
        }
    }
}
