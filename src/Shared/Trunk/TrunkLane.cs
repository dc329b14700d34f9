using System.Buffers;

namespace Aggregator.Trunk;

/// <summary>A lane of a session, as those who made it see it; inside, the two loops between its connection and the engine.</summary>
internal sealed class TrunkLane
{
    /// <summary>One write and one read: eight TLS records. Held only while bytes move.</summary>
    private const int BufferBytes = 128 * 1024;

    /// <summary>For the peer to end its direction too, after we ended ours in good order.</summary>
    private static readonly TimeSpan CloseTime = TimeSpan.FromSeconds(2);

    private readonly TaskCompletionSource<LaneEnd> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Waiter _work = new(keepsSignal: true);
    private volatile bool _isCompleting;

    internal TrunkLane(TrunkSession session, LaneTransport transport)
    {
        Session = session;
        Transport = transport;
    }

    internal TrunkSession Session { get; }

    internal LaneTransport Transport { get; }

    internal uint Id => Transport.Id;

    internal string Link => Transport.Link;

    /// <summary>Completes when the lane is no part of the session any more; its connection is closed then or shortly after. Never faults.</summary>
    internal Task<LaneEnd> Ended => _ended.Task;

    /// <summary>Nothing is heard of what the lane carries (a black hole, most likely): dial another one over the same link and close this one when that carries. Null: all is well.</summary>
    internal TimeSpan? StalledFor => Session.StalledFor(this);

    /// <summary>Null on a lane that was never taken.</summary>
    internal EngineLane? Engine { get; set; }

    /// <summary>Changes how the lane takes part, at both ends. The gateway's to decide.</summary>
    internal void SetRole(LaneRole role) => Session.SetRole(this, role);

    /// <summary>Gives the lane nothing more, and ends it when what it carries has arrived.</summary>
    internal void Retire() => Session.Retire(this);

    /// <summary>Ends the lane now; what it carried goes again on the others.</summary>
    internal void Close() => Session.EndLane(this, new LaneEnd(LaneEndReason.Closed, null));

    /// <summary>Under the session's lock.</summary>
    internal void SignalWork() => _work.Signal();

    internal void Start() => _ = RunAsync();

    /// <summary>The session has let go of it.</summary>
    internal void SetEnded(LaneEnd end)
    {
        if (_ended.TrySetResult(end))
        {
            if (Engine is null || !_isCompleting)
            {
                Transport.Stream.Abort();
            }

            if (Engine is null)
            {
                _ = Transport.Stream.DisposeAsync().AsTask();
            }
        }
    }

    /// <summary>Lets the write loop end our direction in good order when it has nothing more to say. Under the session's lock.</summary>
    internal void CompleteWhenDrained()
    {
        _isCompleting = true;
        _work.Signal();
    }

    /// <summary>Whatever does not end by itself within a time is cut off.</summary>
    internal void AbortLater() => _ = AbortAfterCloseTimeAsync();

    private async Task RunAsync()
    {
        await Task.Yield();
        var reading = ReadLoopAsync();
        var writing = WriteLoopAsync();
        await Task.WhenAll(reading, writing);
        await Transport.Stream.DisposeAsync();
    }

    private async Task WriteLoopAsync()
    {
        byte[]? buffer = null;
        try
        {
            while (true)
            {
                buffer ??= ArrayPool<byte>.Shared.Rent(BufferBytes);
                LaneReading? reading = Transport.Meter.TryRead(out var r) ? r : null;
                int count = Session.Fill(this, reading, buffer.AsSpan(0, BufferBytes));
                if (reading is { } known)
                {
                    Transport.Congestion?.Note(Engine!.IsFull, known);
                }

                if (count > 0)
                {
                    await Transport.Stream.WriteAsync(buffer.AsMemory(0, count), CancellationToken.None);
                    continue;
                }

                if (_isCompleting && (count < 0 || Session.IsDrained(this)))
                {
                    await Transport.Stream.CompleteWritesAsync(CancellationToken.None);
                    AbortLater();
                    return;
                }

                if (count < 0)
                {
                    return;
                }

                ArrayPool<byte>.Shared.Return(buffer);
                buffer = null;
                await Session.WaitForWorkAsync(this, _work);
            }
        }
        catch (IOException e)
        {
            Session.EndLane(this, _isCompleting ? new LaneEnd(LaneEndReason.Closed, null) : new LaneEnd(LaneEndReason.Broken, e.Message));
        }
        catch (Exception e)
        {
            // A bug must not leave a session with a lane that nobody feeds.
            Session.LaneFailed(this, e);
        }
        finally
        {
            if (buffer is not null)
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
    }

    private async Task ReadLoopAsync()
    {
        byte[]? buffer = null;
        try
        {
            while (true)
            {
                var ready = Transport.Stream.WaitToReadAsync(CancellationToken.None);
                if (!ready.IsCompleted && buffer is not null)
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = null;
                }

                await ready;
                buffer ??= ArrayPool<byte>.Shared.Rent(BufferBytes);
                int count = await Transport.Stream.ReadAsync(buffer.AsMemory(0, BufferBytes), CancellationToken.None);
                if (count == 0)
                {
                    Session.LaneReadEnded(this);
                    return;
                }

                bool goesOn = Session.Received(this, buffer.AsSpan(0, count));
                Session.DeliverDatagrams(this, buffer.AsSpan(0, count));
                if (!goesOn)
                {
                    return;
                }
            }
        }
        catch (IOException e)
        {
            Session.EndLane(this, _isCompleting ? new LaneEnd(LaneEndReason.Closed, null) : new LaneEnd(LaneEndReason.Broken, e.Message));
        }
        catch (Exception e)
        {
            Session.LaneFailed(this, e);
        }
        finally
        {
            if (buffer is not null)
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
    }

    private async Task AbortAfterCloseTimeAsync()
    {
        await Task.Delay(CloseTime, Session.Time);
        Transport.Stream.Abort();
    }
}
