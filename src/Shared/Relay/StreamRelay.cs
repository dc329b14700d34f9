using System.Runtime.CompilerServices;

namespace Aggregator.Relay;

/// <summary>
/// Moves bytes between two streams until both directions have ended. Each direction by itself:
/// wait for readiness (no buffer held) → take a buffer from the budget → read and write while bytes are there → give it back.
/// An end (FIN) on one side is passed on as an end to the other, an error as an abort (RST). Knows no policy and owns neither stream.
/// </summary>
internal sealed class StreamRelay
{
    /// <summary>After so many bytes without a wait a direction lets others have the thread: about 1 ms of a busy core.</summary>
    private const int BytesPerTurn = 1024 * 1024;

    private readonly IByteStream _first;
    private readonly IByteStream _second;
    private readonly RelayBudget _budget;
    private readonly ByteCounter? _toSecond;
    private readonly ByteCounter? _toFirst;
    private Failure? _failure;

    private StreamRelay(IByteStream first, IByteStream second, RelayBudget budget, ByteCounter? toSecond, ByteCounter? toFirst)
    {
        _first = first;
        _second = second;
        _budget = budget;
        _toSecond = toSecond;
        _toFirst = toFirst;
    }

    /// <summary>Relays to the end. Never throws for an error of a stream or a cancellation: both are results.</summary>
    /// <param name="toSecond">Counts what is written to <paramref name="second"/>, as it happens.</param>
    /// <param name="toFirst">Counts what is written to <paramref name="first"/>.</param>
    internal static async Task<RelayResult> RunAsync(
        IByteStream first,
        IByteStream second,
        RelayBudget budget,
        ByteCounter? toSecond = null,
        ByteCounter? toFirst = null,
        CancellationToken cancellationToken = default)
    {
        var relay = new StreamRelay(first, second, budget, toSecond, toFirst);
        // Operations are not given the token each: an abort ends them all, and costs nothing until it happens.
        await using var registration = cancellationToken.UnsafeRegister(
            static state => ((StreamRelay)state!).Fail(RelayEnd.Cancelled, null), relay);

        var there = relay.PumpAsync(first, second, relay._toSecond, RelayEnd.FirstBroke, RelayEnd.SecondBroke);
        var back = relay.PumpAsync(second, first, relay._toFirst, RelayEnd.SecondBroke, RelayEnd.FirstBroke);
        long[] bytes = await Task.WhenAll(there, back);
        var failure = relay._failure;
        return new RelayResult(failure?.End ?? RelayEnd.Completed, bytes[0], bytes[1], failure?.Error);
    }

    /// <summary>One direction. Returns the bytes written; a failure is left in <see cref="_failure"/>.</summary>
    private async Task<long> PumpAsync(IByteStream from, IByteStream to, ByteCounter? counter, RelayEnd fromBroke, RelayEnd toBroke)
    {
        long total = 0;
        long yieldAt = BytesPerTurn;
        bool writing = false;
        byte[]? buffer = null;
        RelayBudget.Writer? writer = null;
        try
        {
            while (true)
            {
                var ready = from.WaitToReadAsync(CancellationToken.None);
                if (!ready.IsCompleted && buffer is not null)
                {
                    _budget.Return(buffer);
                    buffer = null;
                }

                await ready;
                buffer ??= await _budget.RentAsync();
                int count = await from.ReadAsync(buffer, CancellationToken.None);
                writing = true;
                if (count == 0)
                {
                    await to.CompleteWritesAsync(CancellationToken.None);
                    return total;
                }

                var write = to.WriteAsync(buffer.AsMemory(0, count), CancellationToken.None);
                if (write.IsCompleted)
                {
                    await write;
                }
                else
                {
                    _budget.WriteWaits(writer ??= new RelayBudget.Writer(EndStuck));
                    await write;
                    _budget.WriteEnded(writer);
                }

                writing = false;
                total += count;
                counter?.Add(count);
                if (total >= yieldAt)
                {
                    yieldAt = total + BytesPerTurn;
                    await Task.Yield();
                }
            }
        }
        catch (IOException e)
        {
            Fail(writing ? toBroke : fromBroke, e);
            return total;
        }
        catch (Exception e)
        {
            // Not an error of a stream but a bug: neither side may be left hanging in the other direction.
            Fail(writing ? toBroke : fromBroke, e);
            throw;
        }
        finally
        {
            if (writer is not null)
            {
                _budget.WriteEnded(writer);
            }

            if (buffer is not null)
            {
                _budget.Return(buffer);
            }
        }
    }

    private void EndStuck() => Fail(RelayEnd.Stuck, null);

    /// <summary>The first reason stands; what follows from our own aborts is no news.</summary>
    private void Fail(RelayEnd end, Exception? error)
    {
        if (Interlocked.CompareExchange(ref _failure, new Failure(end, error), null) is null)
        {
            _first.Abort();
            _second.Abort();
        }
    }

    private sealed record Failure(RelayEnd End, Exception? Error);
}
