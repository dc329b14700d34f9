using System.Net;
using System.Net.Sockets;
using Aggregator.Mptcp;
using Aggregator.Relay;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Mptcp;

public sealed class CongestionChoiceTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Over_a_short_path_both_ends_stay_with_cubic_and_keep_little_under_way(bool mptcp)
    {
        using Socket listener = mptcp
            ? MptcpSocket.Listen(new IPEndPoint(IPAddress.Any, 0), 1, CongestionChoice.Wait)
            : TcpSocket.Listen(new IPEndPoint(IPAddress.Any, 0), 1, CongestionChoice.Wait);
        using Socket near = mptcp ? MptcpSocket.Create(AddressFamily.InterNetwork) : TcpSocket.Create(AddressFamily.InterNetwork);
        CongestionChoice.Wait(near);
        await near.ConnectAsync(new IPEndPoint(IPAddress.Loopback, ((IPEndPoint)listener.LocalEndPoint!).Port));
        using Socket far = await listener.AcceptAsync();
        foreach (Socket end in new[] { near, far })
        {
            SocketOptions.GetCongestionControl(end).ShouldBe("cubic");
            CongestionChoice.Carry(end);
            SocketOptions.GetCongestionControl(end).ShouldBe("cubic");
            // The kernel doubles what it is told, socket(7).
            end.SendBufferSize.ShouldBeLessThanOrEqualTo(1024 * 1024);
        }
    }

    [Fact]
    public async Task A_closed_socket_is_no_error()
    {
        using var listener = TcpSocket.Listen(new IPEndPoint(IPAddress.Loopback, 0), 1);
        Socket near = TcpSocket.Create(AddressFamily.InterNetwork);
        await near.ConnectAsync(listener.LocalEndPoint!);
        near.Dispose();
        CongestionChoice.Wait(near);
        CongestionChoice.Carry(near);
        CongestionChoice.Suit(near);
        InlineCompletions.Prefer(near);
    }

    /// <summary>Holds the name of .NET's that is used.</summary>
    [Fact]
    public void The_switch_for_inline_completions_is_there()
    {
        using Socket socket = TcpSocket.Create(AddressFamily.InterNetwork);
        InlineCompletions.Prefer(socket);
        InlineCompletions.IsMissing.ShouldBeFalse();
    }
}
