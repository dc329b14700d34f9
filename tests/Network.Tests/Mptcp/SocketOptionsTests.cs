using System.Net;
using System.Net.Sockets;
using Aggregator.Interop;
using Aggregator.Mptcp;
using Aggregator.Network.Tests.Netlink;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Mptcp;

public sealed class SocketOptionsTests
{
    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Options_reach_the_kernel(bool mptcp)
    {
        await using TestNamespace space = await TestNamespace.CreateAsync();
        foreach (AddressFamily family in new[] { AddressFamily.InterNetwork, AddressFamily.InterNetworkV6 })
        {
            using Socket socket = space.Run(() => mptcp ? MptcpSocket.Create(family) : TcpSocket.Create(family));
            SocketOptions.GetProtocol(socket).ShouldBe(mptcp ? Libc.IPPROTO_MPTCP : 6);
            SocketOptions.SetNoDelay(socket);
            SocketOptions.SetKeepAlive(socket, TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(5), 3);
            SocketOptions.SetMark(socket, 0xfffffff0);
            SocketOptions.GetMark(socket).ShouldBe(0xfffffff0);
            SocketOptions.SetCongestionControl(socket, "cubic");
            SocketOptions.GetCongestionControl(socket).ShouldBe("cubic");
            SocketOptions.BindToDevice(socket, "lo");
            SocketOptions.SetTransparent(socket, family);

            // An address that is nobody's: only a transparent socket may have it.
            IPAddress foreign = IPAddress.Parse(family == AddressFamily.InterNetwork ? "198.51.100.7" : "2001:db8::7");
            socket.Bind(new IPEndPoint(foreign, 0));
            Should.Throw<LibcException>(() => SocketOptions.SetCongestionControl(socket, "no-such-thing")).Errno.ShouldBe(Libc.ENOENT);
            using Socket other = space.Run(() => mptcp ? MptcpSocket.Create(family) : TcpSocket.Create(family));
            Should.Throw<LibcException>(() => SocketOptions.BindToDevice(other, "nowhere0")).Errno.ShouldBe(Libc.ENODEV);
            Should.Throw<ArgumentOutOfRangeException>(() => SocketOptions.BindToDevice(other, "sixteen-letters-"));
        }
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task One_listener_serves_both_families_and_a_second_is_refused(bool mptcp)
    {
        await using TestNamespace space = await TestNamespace.CreateAsync();
        Socket Listen() => space.Run(() => mptcp
            ? MptcpSocket.Listen(new IPEndPoint(IPAddress.IPv6Any, 7443), 16)
            : TcpSocket.Listen(new IPEndPoint(IPAddress.IPv6Any, 7443), 16));
        using var patience = new CancellationTokenSource(Events.Patience);
        using (Socket listener = Listen())
        {
            Should.Throw<SocketException>(Listen).SocketErrorCode.ShouldBe(SocketError.AddressAlreadyInUse);
            foreach (IPAddress address in new[] { IPAddress.Loopback, IPAddress.IPv6Loopback })
            {
                using Socket client = space.Run(() => mptcp ? MptcpSocket.Create(address.AddressFamily) : TcpSocket.Create(address.AddressFamily));
                await client.ConnectAsync(new IPEndPoint(address, 7443), patience.Token);
                Socket accepted = await listener.AcceptAsync(patience.Token);

                // Ours closes first and lingers in TIME_WAIT.
                accepted.Dispose();
                (await client.ReceiveAsync(new byte[1], patience.Token)).ShouldBe(0);
            }
        }

        // A successor starts at once, though connections of the first linger.
        using Socket next = Listen();
        next.LocalEndPoint.ShouldBe(new IPEndPoint(IPAddress.IPv6Any, 7443));
    }
}
