using System.Net.Sockets;
using Aggregator.Mptcp;
using Aggregator.Relay;
using Aggregator.Speed;

namespace Aggregator.Gateway.Speed;

/// <summary>A test connection of ours. What it is for is told to the VPS when it starts.</summary>
/// <param name="socket">For the kernel's figures; null: a flow of the carrier.</param>
/// <param name="atConnect">What it was before a byte went over it.</param>
internal sealed class SpeedStream(IByteStream stream, Socket? socket, MptcpVerdict atConnect) : IAsyncDisposable
{
    private Task _work = Task.CompletedTask;
    private TcpInfo _last;

    internal IByteStream Bytes { get; } = stream;

    internal Socket? Socket { get; } = socket;

    internal MptcpVerdict AtConnect { get; } = atConnect;

    /// <summary>Payload received or given to be sent.</summary>
    internal ByteCounter Counter { get; } = new();

    /// <summary>Whether it still works.</summary>
    internal bool Running => !_work.IsCompleted;

    /// <summary>The kernel's figures, the last ones after its end.</summary>
    internal TcpInfo Tcp()
    {
        try
        {
            if (Socket is not null && TcpInfo.TryRead(Socket, out TcpInfo info) == 0)
            {
                _last = info;
            }
        }
        catch (ObjectDisposedException)
        {
        }

        return _last;
    }

    /// <summary>Says what the connection is for and waits for the answer.</summary>
    /// <exception cref="IOException">The VPS did not take it, or is gone.</exception>
    internal async Task<SpeedAnswer> OpenAsync(SpeedHeader header, CancellationToken cancellationToken)
    {
        byte[] bytes = new byte[Math.Max(SpeedProtocol.HeaderBytes, SpeedProtocol.AnswerBytes)];
        SpeedProtocol.WriteHeader(bytes, header);
        await Bytes.WriteAsync(bytes.AsMemory(0, SpeedProtocol.HeaderBytes), cancellationToken);
        return await ReadAnswerAsync(Bytes, bytes, cancellationToken);
    }

    internal static async Task<SpeedAnswer> ReadAnswerAsync(IByteStream stream, byte[] buffer, CancellationToken cancellationToken)
    {
        await stream.ReadExactlyAsync(buffer.AsMemory(0, SpeedProtocol.AnswerBytes), cancellationToken);
        SpeedAnswer answer = SpeedProtocol.ReadAnswer(buffer);
        return answer.Result switch
        {
            SpeedAnswerResult.GoOn => answer,
            SpeedAnswerResult.Busy => throw new IOException("the VPS has too many test connections"),
            _ => throw new IOException("the VPS has ended the test"),
        };
    }

    /// <summary>On a connection opened for it: what the VPS sees of MPTCP on it now.</summary>
    /// <exception cref="IOException">The connection broke.</exception>
    internal async Task<SpeedLook> LookAsync(CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[SpeedProtocol.LookBytes];
        await Bytes.WriteAsync(buffer.AsMemory(0, 1), cancellationToken);
        await Bytes.ReadExactlyAsync(buffer, cancellationToken);
        return SpeedProtocol.ReadLook(buffer);
    }

    /// <summary>Opens it and moves bytes until the token fires or it breaks; both are seen by <see cref="Running"/>.</summary>
    internal void Start(SpeedHeader header, CancellationToken cancellationToken) => _work = RunAsync(header, cancellationToken);

    private async Task RunAsync(SpeedHeader header, CancellationToken cancellationToken)
    {
        try
        {
            await OpenAsync(header, cancellationToken);
            if (header.Kind == SpeedKind.Upload)
            {
                if (Socket is not null)
                {
                    SpeedSocket.Prepare(Socket, header.Load, header.PaceKbps);
                }

                await SpeedBytes.SendAsync(Bytes, Counter, cancellationToken);
            }
            else
            {
                await SpeedBytes.ReceiveAsync(Bytes, Counter, cancellationToken);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The phase is over, or the link is: whoever measures sees that nothing comes any more.
        }
    }

    /// <summary>A reset: what is still on its way in either kernel is of no use to anybody.</summary>
    public async ValueTask DisposeAsync()
    {
        // While it can be asked.
        Tcp();
        Bytes.Abort();
        await _work;
        await Bytes.DisposeAsync();
    }
}
