using System.Collections.Concurrent;
using Aggregator.Relay;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Relay;

/// <summary>A direction is ended while bytes come in the other: nobody may decrypt meanwhile, or the process ends by "double free or corruption".</summary>
public sealed class TlsGateTests
{
    /// <summary>From each use on: of the class it would end the last tests of a loaded machine.</summary>
    private static CancellationToken Patience => new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token;
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(300);

    [Fact]
    public async Task The_lock_is_the_one_that_decrypting_takes()
    {
        var (near, far) = await StreamPairs.ConnectAsync(Wire.Tls);
        await using var first = near;
        await using var second = far;
        object gate = TlsGate.Of(((TlsByteStream)near).Tls).ShouldNotBeNull();
        Task<int> read;
        Task end;
        using (var held = new HeldElsewhere(gate))
        {
            await far.WriteAsync("bytes"u8.ToArray(), Patience);
            read = Task.Run(() => near.ReadAsync(new byte[16], Patience).AsTask());
            end = Task.Run(() => near.CompleteWritesAsync(Patience).AsTask());
            (await Task.WhenAny(read, end, Task.Delay(Moment))).ShouldNotBeOneOf(read, end);
        }

        (await read.WaitAsync(Patience)).ShouldBe(5);
        await end.WaitAsync(Patience);
        (await far.ReadAsync(new byte[1], Patience)).ShouldBe(0);
    }

    [Fact]
    public async Task Ends_beside_busy_directions_break_nothing()
    {
        const int Workers = 6, Each = 60, Reads = 30;
        var faults = new ConcurrentBag<string>();
        await Task.WhenAll(Enumerable.Range(0, Workers).Select(async worker =>
        {
            var random = new Random(worker);
            for (int i = 0; i < Each; i++)
            {
                var (near, far) = await StreamPairs.ConnectAsync(Wire.Tls);
                await using var first = near;
                await using var second = far;
                var write = WriteAsync(far);
                var read = Task.Run(async () =>
                {
                    byte[] buffer = new byte[64 * 1024];
                    for (int n = 0; n < Reads; n++)
                    {
                        (await near.ReadAsync(buffer, Patience)).ShouldBeGreaterThan(0);
                    }
                });
                Thread.SpinWait(random.Next(20_000));
                await near.CompleteWritesAsync(Patience);
                try
                {
                    await read;
                }
                catch (IOException e)
                {
                    faults.Add(e.ToString());
                }

                near.Abort();
                await write;
            }
        }));
        faults.ShouldBeEmpty();
    }

    private static async Task WriteAsync(IByteStream stream)
    {
        byte[] buffer = new byte[60_000];
        try
        {
            while (true)
            {
                await stream.WriteAsync(buffer, Patience);
            }
        }
        catch (IOException)
        {
            // The reader has had enough.
        }
    }

    /// <summary>Locks by a thread of its own until it is disposed.</summary>
    private sealed class HeldElsewhere : IDisposable
    {
        private readonly ManualResetEventSlim _release = new();
        private readonly Thread _thread;

        internal HeldElsewhere(object gate)
        {
            using var held = new ManualResetEventSlim();
            _thread = new Thread(() =>
            {
                lock (gate)
                {
                    held.Set();
                    _release.Wait();
                }
            });
            _thread.Start();
            held.Wait(Patience);
        }

        public void Dispose()
        {
            _release.Set();
            _thread.Join();
            _release.Dispose();
        }
    }
}
