using System.Runtime.CompilerServices;
using Aggregator.Flows;
using Aggregator.Relay;

namespace Aggregator.Trunk;

/// <summary>
/// A flow through a trunk. Idle it holds no buffer. Writes may begin at once; at the gateway reads wait for the VPS's answer by themselves.
/// A stream that the peer or a lost session ended fails reads and writes with <see cref="IOException"/>.
/// </summary>
internal sealed class TrunkStream : IByteStream
{
    /// <summary>Only where an answer is waited for.</summary>
    private readonly TaskCompletionSource<FlowReply>? _opened;

    /// <summary>Made with the first wait, as the other: most streams never wait to write.</summary>
    private Waiter? _reader;
    private Waiter? _writer;
    private string? _broken;

    internal TrunkStream(TrunkSession session, EngineStream engine)
    {
        Session = session;
        Engine = engine;
        _opened = session.Role == TrunkRole.Gateway ? new(TaskCreationOptions.RunContinuationsAsynchronously) : null;
    }

    internal TrunkSession Session { get; }

    internal uint Id => Engine.Id;

    internal FlowClass FlowClass => Engine.FlowClass;

    internal EngineStream Engine { get; }

    /// <summary>Reads and writes fail.</summary>
    internal bool IsBroken => Volatile.Read(ref _broken) is not null;

    /// <summary>
    /// The VPS's answer, at the gateway. Never faults: a stream that ended before it was answered gives <see cref="OpenResult.NoCarrier"/>. There is no time limit here.
    /// After anything but <see cref="OpenResult.Opened"/> the stream is of no more use: dispose it.
    /// </summary>
    internal Task<FlowReply> Opened => _opened?.Task ?? throw new InvalidOperationException("It is the VPS that answers.");

    /// <summary>The VPS's answer to the open, once. Anything but <see cref="OpenResult.Opened"/> ends the stream in good order.</summary>
    internal void Reply(FlowReply reply)
    {
        if (reply.Result != OpenResult.Opened)
        {
            _broken = "The stream was refused.";
        }

        Session.Reply(this, reply);
    }

    public ValueTask WaitToReadAsync(CancellationToken cancellationToken)
    {
        lock (Session.Gate)
        {
            return Engine.IsReadable || _broken is not null ? ValueTask.CompletedTask : Wait(ref _reader, cancellationToken);
        }
    }

    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        int count = TryRead(buffer);
        return count >= 0 ? new ValueTask<int>(count) : ReadLaterAsync(buffer, cancellationToken);
    }

    public ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
    {
        int count = Session.Write(this, buffer.Span);
        return count == buffer.Length ? ValueTask.CompletedTask : WriteRestAsync(buffer[count..], cancellationToken);
    }

    public ValueTask CompleteWritesAsync(CancellationToken cancellationToken)
    {
        Session.Finish(this);
        return ValueTask.CompletedTask;
    }

    public void Abort() => Session.Abort(this);

    /// <summary>Aborts unless both directions have ended in good order; bytes that were written before are still delivered then.</summary>
    public ValueTask DisposeAsync()
    {
        Session.Dispose(this);
        return ValueTask.CompletedTask;
    }

    /// <summary>Under the lock, as all below.</summary>
    internal void SignalReader() => _reader?.Signal();

    internal void SignalWriter() => _writer?.Signal();

    internal void SetAnswer(FlowReply reply) => _opened?.TrySetResult(reply);

    internal void SetBroken(string reason)
    {
        _broken ??= reason;
        _reader?.Signal();
        _writer?.Signal();
        _opened?.TrySetResult(new FlowReply(OpenResult.NoCarrier, null));
    }

    internal void ThrowIfBroken()
    {
        if (_broken is { } reason)
        {
            throw new IOException(reason);
        }
    }

    private int TryRead(Memory<byte> buffer)
    {
        lock (Session.Gate)
        {
            ThrowIfBroken();
            return Session.ReadLocked(this, buffer.Span);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> ReadLaterAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (true)
        {
            await WaitToReadAsync(cancellationToken);
            int count = TryRead(buffer);
            if (count >= 0)
            {
                return count;
            }
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WriteRestAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
    {
        while (buffer.Length > 0)
        {
            await WaitToWriteAsync(cancellationToken);
            buffer = buffer[Session.Write(this, buffer.Span)..];
        }
    }

    private ValueTask WaitToWriteAsync(CancellationToken cancellationToken)
    {
        lock (Session.Gate)
        {
            // There may have come room since the write was refused; then nobody would signal.
            return Engine.WantsToWrite && _broken is null ? Wait(ref _writer, cancellationToken) : ValueTask.CompletedTask;
        }
    }

    private ValueTask Wait(ref Waiter? place, CancellationToken cancellationToken)
    {
        var waiter = place ??= new Waiter(keepsSignal: false);
        var wait = waiter.Arm();
        if (cancellationToken.CanBeCanceled)
        {
            if (cancellationToken.IsCancellationRequested)
            {
                waiter.Cancel(cancellationToken);
                return wait;
            }

            waiter.SetCancellation(cancellationToken.UnsafeRegister(
                static (state, token) =>
                {
                    var (stream, waiter) = ((TrunkStream, Waiter))state!;
                    lock (stream.Session.Gate)
                    {
                        waiter.Cancel(token);
                    }
                },
                (this, waiter)));
        }

        return wait;
    }
}
