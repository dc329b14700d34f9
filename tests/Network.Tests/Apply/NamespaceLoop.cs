using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using Aggregator.Network.Tests.Netlink;

namespace Aggregator.Network.Tests.Apply;

/// <summary>
/// Runs asynchronous work on one thread that stays in a network namespace: sockets, /proc/sys/net and started programs are all the namespace's,
/// as they are for a daemon that was started there.
/// </summary>
internal sealed class NamespaceLoop : SynchronizationContext
{
    private readonly BlockingCollection<(SendOrPostCallback Callback, object? State)> _queue = [];

    public override void Post(SendOrPostCallback d, object? state) => _queue.Add((d, state));

    internal static Task RunAsync(TestNamespace place, Func<Task> work)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() =>
        {
            try
            {
                place.Run(() => new NamespaceLoop().Pump(work));
                done.SetResult();
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        });
        thread.Start();
        return done.Task;
    }

    private bool Pump(Func<Task> work)
    {
        SetSynchronizationContext(this);
        var task = work();
        task.ContinueWith(_ => _queue.CompleteAdding(), TaskScheduler.Default);
        foreach (var (callback, state) in _queue.GetConsumingEnumerable())
        {
            callback(state);
        }

        if (task.Exception is { } failure)
        {
            ExceptionDispatchInfo.Throw(failure.InnerException!);
        }

        return true;
    }
}
