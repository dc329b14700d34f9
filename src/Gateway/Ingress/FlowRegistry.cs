using System.Diagnostics.Metrics;
using Aggregator.Flows;
using Aggregator.Relay;

namespace Aggregator.Gateway.Ingress;

/// <summary>Counts the flows of all listeners and ends them together at shutdown. Flows outlive the listener that took them in (a reload must not cut them).</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage(
    "Usage", "CA2213", Justification = "A flow that is still ending may look at the token after the time-out.")]
internal sealed class FlowRegistry : IAsyncDisposable
{
    internal const string MeterName = "Aggregator.Gateway";

    private readonly CancellationTokenSource _ending = new();
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TimeProvider _time;
    private readonly TimeSpan _shutdownTimeout;
    private readonly Meter _meter = new(MeterName);
    private readonly Counter<long> _finished;
    private readonly Histogram<double> _openMs;

    // Ends at zero: the registry itself holds one until it is disposed.
    private long _held = 1;
    private long _total;
    private long _failed;
    private int _disposed;

    internal FlowRegistry(TimeProvider time, IngressLimits limits)
    {
        _time = time;
        _shutdownTimeout = limits.ShutdownTimeout;
        Ending = _ending.Token;
        _meter.CreateObservableUpDownCounter("flows.active", () => Active, "{flow}", "Flows under way");
        _finished = _meter.CreateCounter<long>("flows.opened", "{flow}", "Flows by ingress and how their opening ended");
        _meter.CreateObservableCounter("flows.bytes.up", () => BytesUp.Value, "By", "From clients to the VPS");
        _meter.CreateObservableCounter("flows.bytes.down", () => BytesDown.Value, "By", "From the VPS to clients");
        _openMs = _meter.CreateHistogram<double>("flows.open.duration", "ms", "From the client's request to the target's answer");
    }

    /// <summary>Cancelled when all flows have to end.</summary>
    internal CancellationToken Ending { get; }

    internal long Active => Math.Max(0, Volatile.Read(ref _held) - (Volatile.Read(ref _disposed) == 0 ? 1 : 0));

    /// <summary>Bytes of all flows from clients.</summary>
    internal ByteCounter BytesUp { get; } = new();

    /// <summary>Bytes of all flows to clients.</summary>
    internal ByteCounter BytesDown { get; } = new();

    /// <summary>Flows ever begun.</summary>
    internal long Total => Volatile.Read(ref _total);

    /// <summary>Of these, those whose opening did not succeed.</summary>
    internal long Failed => Volatile.Read(ref _failed);

    /// <param name="ingress">Where it came in: `socks`, `http` or `transparent`.</param>
    internal Flow Begin(string ingress)
    {
        Interlocked.Increment(ref _held);
        Interlocked.Increment(ref _total);
        return new Flow(this, ingress, _time.GetTimestamp());
    }

    /// <summary>Ends all flows, and waits for them for at most the limits' shutdown timeout.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }
        await _ending.CancelAsync();
        Release();
        try
        {
            await _drained.Task.WaitAsync(_shutdownTimeout, _time);
        }
        catch (TimeoutException)
        {
            // The process is ending; the kernel resets what is left.
        }
        _meter.Dispose();
    }

    private void Release()
    {
        if (Interlocked.Decrement(ref _held) == 0)
        {
            _drained.TrySetResult();
        }
    }

    private void Answered(string ingress, OpenResult result, long begun)
    {
        if (result != OpenResult.Opened)
        {
            Interlocked.Increment(ref _failed);
        }
        _finished.Add(1, new("ingress", ingress), new("result", result.ToString()));
        _openMs.Record(_time.GetElapsedTime(begun).TotalMilliseconds, new KeyValuePair<string, object?>("ingress", ingress));
    }

    /// <summary>One flow's place in the registry, from the client's request to its end.</summary>
    internal sealed class Flow(FlowRegistry registry, string ingress, long begun) : IDisposable
    {
        private int _answered;
        private int _ended;

        internal CancellationToken Ending => registry.Ending;

        internal string Ingress => ingress;

        /// <summary>Notes how the opening ended. Only the first call counts.</summary>
        internal void Answered(OpenResult result)
        {
            if (Interlocked.Exchange(ref _answered, 1) == 0)
            {
                registry.Answered(ingress, result, begun);
            }
        }

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _ended, 1) == 0)
            {
                registry.Release();
            }
        }
    }
}
