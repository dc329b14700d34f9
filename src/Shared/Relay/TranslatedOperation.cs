using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;

namespace Aggregator.Relay;

/// <summary>
/// One direction's operation of a stream, over and over: passes on what another awaitable gives, after its owner has looked at it.
/// An async method would do the same with a state machine on the heap for each wait; this is made once for each stream and direction.
/// One operation at a time, as <see cref="IByteStream"/> demands.
/// </summary>
internal sealed class TranslatedOperation : IValueTaskSource<int>, IValueTaskSource
{
    private readonly IOperationOwner _owner;
    private readonly Action _completed;
    private ManualResetValueTaskSourceCore<int> _core;
    private ConfiguredValueTaskAwaitable<int>.ConfiguredValueTaskAwaiter _counted;
    private ConfiguredValueTaskAwaitable.ConfiguredValueTaskAwaiter _uncounted;
    private Socket? _waitsOn;
    private CancellationToken _cancellationToken;
    private bool _isCounted;
    private int _asked;

    internal TranslatedOperation(IOperationOwner owner)
    {
        _owner = owner;
        _completed = Complete;
    }

    /// <param name="asked">Handed to the owner with the result: how many bytes the operation was given.</param>
    internal ValueTask<int> Count(ValueTask<int> operation, int asked)
    {
        _waitsOn = null;
        return Begin(operation, asked);
    }

    /// <summary>A receive of nothing from <paramref name="socket"/>: it ends when a receive would not wait, and no sooner.</summary>
    internal ValueTask<int> Wait(ValueTask<int> operation, Socket socket, CancellationToken cancellationToken)
    {
        _waitsOn = socket;
        _cancellationToken = cancellationToken;
        return Begin(operation, 0);
    }

    /// <summary>As <see cref="Wait"/>, for those who do not want the number.</summary>
    internal ValueTask WaitOnly(ValueTask<int> operation, Socket socket, CancellationToken cancellationToken) =>
        WithoutNumber(Wait(operation, socket, cancellationToken));

    private ValueTask<int> Begin(ValueTask<int> operation, int asked)
    {
        _asked = asked;
        _isCounted = true;
        _counted = operation.ConfigureAwait(false).GetAwaiter();
        if (_counted.IsCompleted)
        {
            try
            {
                return new ValueTask<int>(_owner.Check(TakeResult(), asked));
            }
            catch (Exception e)
            {
                return ValueTask.FromException<int>(_owner.Translate(e) ?? e);
            }
        }

        _core.Reset();
        short version = _core.Version;
        _counted.UnsafeOnCompleted(_completed);
        return new ValueTask<int>(this, version);
    }

    /// <summary>As <see cref="Count"/>, for those who do not want the number.</summary>
    internal ValueTask Run(ValueTask<int> operation, int asked) => WithoutNumber(Count(operation, asked));

    private ValueTask WithoutNumber(ValueTask<int> result)
    {
        if (!result.IsCompletedSuccessfully)
        {
            return result.IsCompleted ? new ValueTask(result.AsTask()) : new ValueTask(this, _core.Version);
        }

        _ = result.Result;
        return ValueTask.CompletedTask;
    }

    internal ValueTask Run(ValueTask operation)
    {
        _isCounted = false;
        _uncounted = operation.ConfigureAwait(false).GetAwaiter();
        if (_uncounted.IsCompleted)
        {
            try
            {
                TakeResult();
                return ValueTask.CompletedTask;
            }
            catch (Exception e)
            {
                return ValueTask.FromException(_owner.Translate(e) ?? e);
            }
        }

        _core.Reset();
        short version = _core.Version;
        _uncounted.UnsafeOnCompleted(_completed);
        return new ValueTask(this, version);
    }

    int IValueTaskSource<int>.GetResult(short token) => _core.GetResult(token);

    void IValueTaskSource.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<int>.GetStatus(short token) => _core.GetStatus(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<int>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    private void Complete()
    {
        int result;
        try
        {
            result = TakeResult();
            if (_isCounted && _waitsOn is { } socket && WaitAgain(socket))
            {
                return;
            }

            result = _isCounted ? _owner.Check(result, _asked) : result;
        }
        catch (Exception e)
        {
            _core.SetException(_owner.Translate(e) ?? e);
            return;
        }

        _core.SetResult(result);
    }

    /// <summary>
    /// A receive of nothing that had to wait ends with the next epoll event, also with one that tells of bytes read meanwhile
    /// (BufferMemoryReceiveOperation in SocketAsyncContext.Unix.cs). Whoever believed it would hold a buffer over an idle connection.
    /// </summary>
    /// <returns>True: it waits again, and <see cref="Complete"/> will be called again.</returns>
    private bool WaitAgain(Socket socket)
    {
        while (!socket.Poll(TimeSpan.Zero, SelectMode.SelectRead))
        {
#pragma warning disable CA2012 // As in Count: consumed once, by TakeResult.
            _counted = socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None, _cancellationToken).ConfigureAwait(false).GetAwaiter();
#pragma warning restore CA2012
            if (!_counted.IsCompleted)
            {
                _counted.UnsafeOnCompleted(_completed);
                return true;
            }

            TakeResult();
        }

        return false;
    }

    /// <summary>The awaiters hold on to buffers and sockets: they are let go as soon as they are asked.</summary>
    private int TakeResult()
    {
        if (_isCounted)
        {
            var counted = _counted;
            _counted = default;
            return counted.GetResult();
        }

        var uncounted = _uncounted;
        _uncounted = default;
        uncounted.GetResult();
        return 0;
    }
}

/// <summary>The stream whose operations are looked at.</summary>
internal interface IOperationOwner
{
    /// <summary>The result to pass on; throws where it stands for an error.</summary>
    int Check(int result, int asked);

    /// <summary>The error to show instead; null for the same.</summary>
    Exception? Translate(Exception error);
}
