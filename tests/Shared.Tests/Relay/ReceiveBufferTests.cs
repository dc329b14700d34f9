using System.Net;
using System.Net.Sockets;
using Aggregator.Interop;
using Aggregator.Mptcp;
using Aggregator.Relay;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Relay;

/// <summary>What the kernel holds for a connection: little while nobody reads, so much and no more once it is bulk.</summary>
public sealed class ReceiveBufferTests
{
    private const int BoundBytes = 512 * 1024;

    [Fact]
    public async Task A_connection_is_bounded_once_it_is_bulk_and_left_to_the_kernel_before()
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var (nearSocket, farSocket) = await StreamPairs.SocketsAsync(mptcp: false);
        int untouched = nearSocket.ReceiveBufferSize;
        await using var near = new SocketByteStream(nearSocket, () => BoundBytes);
        await using var far = new SocketByteStream(farSocket);
        nearSocket.ReceiveBufferSize.ShouldBe(untouched, "nothing was read yet");

        byte[] buffer = new byte[64 * 1024];
        int small = await PassAsync(near, far, buffer, 16 * 1024, timeout.Token);
        small.ShouldBe(16 * 1024);
        nearSocket.ReceiveBufferSize.ShouldNotBe(2 * BoundBytes, "a small request is no bulk");

        await PassAsync(near, far, buffer, BoundBytes, timeout.Token);

        // socket(7): the kernel doubles the number.
        nearSocket.ReceiveBufferSize.ShouldBe(2 * BoundBytes);
        await PassAsync(near, far, buffer, 8 * BoundBytes, timeout.Token);
        nearSocket.ReceiveBufferSize.ShouldBe(2 * BoundBytes, "it does not grow any more");
    }

    [Fact]
    public async Task The_bound_follows_what_is_allowed_and_goes_where_there_is_plenty()
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var (nearSocket, farSocket) = await StreamPairs.SocketsAsync(mptcp: false);
        int allowed = BoundBytes;
        await using var near = new SocketByteStream(nearSocket, () => allowed);
        await using var far = new SocketByteStream(farSocket);
        byte[] buffer = new byte[64 * 1024];
        async Task<int> AfterBulkAsync()
        {
            await PassAsync(near, far, buffer, 8 << 20, timeout.Token);
            return nearSocket.ReceiveBufferSize;
        }

        (await AfterBulkAsync()).ShouldBe(2 * BoundBytes);
        allowed = BoundBytes - 1000;
        (await AfterBulkAsync()).ShouldBe(2 * BoundBytes, "a little less is not worth a call");
        allowed = BoundBytes / 4;
        (await AfterBulkAsync()).ShouldBe(BoundBytes / 2);
        allowed = 0;
        (await AfterBulkAsync()).ShouldBeGreaterThanOrEqualTo(2 * BoundBytes, "what it had, and the kernel's own sizing again");
    }

    [Fact]
    public async Task What_a_listener_gives_its_connections_to_begin_with_grows_with_what_is_read()
    {
        const int First = 16 * 1024;
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        using Socket listener = TcpSocket.Listen(
            new IPEndPoint(IPAddress.Loopback, 0), 1, socket => SocketBuffers.BeginReceive(socket.SafeHandle, First));
        var farSocket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await farSocket.ConnectAsync(listener.LocalEndPoint!, timeout.Token);
        Socket nearSocket = await listener.AcceptAsync(timeout.Token);
        await using var far = new SocketByteStream(farSocket);
        await using var near = new SocketByteStream(nearSocket);
        nearSocket.ReceiveBufferSize.ShouldBe(2 * First);

        await PassAsync(near, far, new byte[64 * 1024], 16 << 20, timeout.Token);
        nearSocket.ReceiveBufferSize.ShouldBeGreaterThan(2 * First);
    }

    private static async Task<int> PassAsync(SocketByteStream near, SocketByteStream far, byte[] buffer, int length, CancellationToken cancel)
    {
        Task sending = far.WriteAsync(new byte[length], cancel).AsTask();
        int got = 0;
        while (got < length)
        {
            got += await near.ReadAsync(buffer.AsMemory(0, Math.Min(buffer.Length, length - got)), cancel);
        }

        await sending;
        return got;
    }
}
