using System.Net.Sockets;
using Aggregator.Relay;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Relay;

/// <summary>What every stream promises, over real sockets.</summary>
public sealed class ByteStreamTests
{
    private static readonly CancellationToken Patience = new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token;

    public static TheoryData<Wire> All => [Wire.Tcp, Wire.Mptcp, Wire.Tls, Wire.TlsMptcp];

    [Theory]
    [MemberData(nameof(All))]
    public async Task Each_direction_ends_by_itself(Wire transport)
    {
        var (near, far) = await StreamPairs.ConnectAsync(transport);
        await using var first = near;
        await using var second = far;
        await near.WriteAsync("question"u8.ToArray(), Patience);
        await near.CompleteWritesAsync(Patience);
        (await ReadAllAsync(far)).ShouldBe("question"u8.ToArray());

        // The other direction is still open after both the end was sent and the end was met.
        await far.WriteAsync("answer"u8.ToArray(), Patience);
        await far.CompleteWritesAsync(Patience);
        (await ReadAllAsync(near)).ShouldBe("answer"u8.ToArray());
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task An_end_is_readiness(Wire transport)
    {
        var (near, far) = await StreamPairs.ConnectAsync(transport);
        await using var first = near;
        await using var second = far;
        var ready = far.WaitToReadAsync(Patience).AsTask();
        await near.CompleteWritesAsync(Patience);
        await ready;
        (await far.ReadAsync(new byte[1], Patience)).ShouldBe(0);
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task An_abort_reaches_the_peer_as_a_reset(Wire transport)
    {
        var (near, far) = await StreamPairs.ConnectAsync(transport);
        await using var second = far;
        var pending = near.ReadAsync(new byte[1], Patience).AsTask();
        near.Abort();
        near.Abort();
        (await Should.ThrowAsync<IOException>(pending)).Message.ShouldBe("The stream was aborted.");
        var error = await Should.ThrowAsync<IOException>(ReadAllAsync(far));
        ResetIn(error).ShouldBeTrue(error.ToString());
        await near.DisposeAsync();
    }

    /// <summary>Also with megabytes on the way that nobody reads: they must not turn the reset into an end.</summary>
    [Theory]
    [MemberData(nameof(All))]
    public async Task An_abort_overtakes_what_is_queued(Wire transport)
    {
        var (near, far) = await StreamPairs.ConnectAsync(transport);
        await using var second = far;
        var stuck = near.WriteAsync(new byte[64 * 1024 * 1024], Patience).AsTask();
        stuck.IsCompleted.ShouldBeFalse();
        near.Abort();
        await Should.ThrowAsync<IOException>(stuck);
        ResetIn(await Should.ThrowAsync<IOException>(ReadAllAsync(far))).ShouldBeTrue();
    }

    [Theory]
    [InlineData(Wire.Tls)]
    [InlineData(Wire.TlsMptcp)]
    public async Task An_end_of_the_socket_without_close_notify_is_an_error(Wire transport)
    {
        var (near, far) = await StreamPairs.ConnectAsync(transport);
        await using var first = near;
        await using var second = far;
        await near.WriteAsync("cut"u8.ToArray(), Patience);
        StreamPairs.SocketOf(near).Shutdown(SocketShutdown.Send);
        byte[] buffer = new byte[10];
        (await far.ReadAsync(buffer, Patience)).ShouldBe(3);
        (await Should.ThrowAsync<IOException>(async () => await far.ReadAsync(buffer, Patience))).Message.ShouldContain("close_notify");
    }

    /// <summary>A cancelled wait is how a pool takes an idle stream back: the stream must be as good as before.</summary>
    [Theory]
    [MemberData(nameof(All))]
    public async Task A_cancelled_wait_harms_nothing(Wire transport)
    {
        var (near, far) = await StreamPairs.ConnectAsync(transport);
        await using var first = near;
        await using var second = far;
        using (var source = new CancellationTokenSource())
        {
            var wait = far.WaitToReadAsync(source.Token).AsTask();
            await source.CancelAsync();
            await Should.ThrowAsync<OperationCanceledException>(wait);
        }

        await near.WriteAsync("still here"u8.ToArray(), Patience);
        await near.CompleteWritesAsync(Patience);
        (await ReadAllAsync(far)).ShouldBe("still here"u8.ToArray());
    }

    internal static bool ResetIn(Exception error) =>
        error is SocketException { SocketErrorCode: SocketError.ConnectionReset } || (error.InnerException is { } inner && ResetIn(inner));

    internal static async Task<byte[]> ReadAllAsync(IByteStream stream)
    {
        var all = new MemoryStream();
        byte[] buffer = new byte[65536];
        int count;
        while ((count = await stream.ReadAsync(buffer, Patience)) > 0)
        {
            all.Write(buffer, 0, count);
        }

        return all.ToArray();
    }
}
