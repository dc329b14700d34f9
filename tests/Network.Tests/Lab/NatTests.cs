using System.Net;
using System.Net.Sockets;
using Aggregator.Lab.Topology;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Lab;

/// <summary>NAT boxes: how they map one socket towards several hosts (RFC 4787 section 4), and whom they let in (section 5).</summary>
public sealed class NatTests
{
    [SkippableTheory]
    [InlineData((int)NatKind.None)]
    [InlineData((int)NatKind.PortRestricted)]
    [InlineData((int)NatKind.Symmetric)]
    public async Task Mapping_and_filter_are_those_of_the_kind(int kind)
    {
        var nat = (NatKind)kind;
        await using var lab = await LabTest.CreateAsync(new WanSpec("a") { DownMbps = 50, UpMbps = 50, DelayMs = 1, Nat = nat });
        using var home = Bind(lab.Gateway, lab.Wans[0].Address!);
        using var vps = Bind(lab.Vps, LabAddresses.Vps);
        using var first = Bind(lab.Internet, LabAddresses.Internet);
        using var second = Bind(lab.Internet, LabAddresses.Internet);
        int ownPort = ((IPEndPoint)home.LocalEndPoint!).Port;

        var seen = new List<IPEndPoint>();
        foreach (var host in new[] { vps, first })
        {
            seen.Add(await SendAsync(home, (IPEndPoint)host.LocalEndPoint!, host) ?? throw new InvalidOperationException("it did not come through"));
            (await SendAsync(host, seen[^1], home)).ShouldNotBeNull("who was written to may answer");
        }

        switch (nat)
        {
            case NatKind.None:
                seen.ShouldAllBe(s => s.Equals(home.LocalEndPoint));
                (await SendAsync(second, seen[0], home)).ShouldNotBeNull("no NAT, no filter");
                break;
            case NatKind.PortRestricted:
                seen.ShouldAllBe(s => s.Equals(new IPEndPoint(LabAddresses.Isp(1), ownPort)));
                (await SendAsync(second, seen[0], home)).ShouldBeNull("this port was never written to");
                break;
            case NatKind.Symmetric:
                seen.ShouldAllBe(s => s.Address.Equals(LabAddresses.Isp(1)));
                seen.Select(s => s.Port).Append(ownPort).Distinct().Count().ShouldBeGreaterThan(1, "a port of its own for each");
                seen[0].Port.ShouldNotBe(seen[1].Port);
                (await SendAsync(first, seen[0], home)).ShouldBeNull("that port is the VPS's alone");
                break;
        }
    }

    private static Socket Bind(LabHost host, IPAddress address) => host.InNamespace(() =>
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(address, 0));
        return socket;
    });

    /// <summary>From where the receiver saw it come; null: not within half a second.</summary>
    private static async Task<IPEndPoint?> SendAsync(Socket from, IPEndPoint target, Socket receiver)
    {
        byte[] buffer = new byte[16];
        await from.SendToAsync(new byte[] { 1 }, target);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(0.5));
        try
        {
            var received = await receiver.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0), limit.Token);
            return (IPEndPoint)received.RemoteEndPoint;
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }
}
