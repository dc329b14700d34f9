using System.Net;
using System.Text.Json;
using Aggregator.Interop;
using Aggregator.Mptcp;
using Aggregator.Netlink;
using Aggregator.Network.Tests.Netlink;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Mptcp;

public sealed class MptcpPathManagerTests
{
    [SkippableFact]
    public async Task Endpoints_are_those_that_ip_shows()
    {
        await using TestNamespace space = await TestNamespace.CreateAsync();
        using MptcpPathManager manager = (await space.Run(() => MptcpPathManager.OpenAsync()))!;
        MptcpEndpoint[] wanted =
        [
            new() { Address = IPAddress.Parse("10.7.1.1"), Flags = MptcpEndpointFlags.Subflow, InterfaceIndex = RouteInfo.LoopbackIndex },
            new() { Address = IPAddress.Parse("fd07::1"), Flags = MptcpEndpointFlags.Subflow | MptcpEndpointFlags.Backup, Id = 17 },
            new() { Address = IPAddress.Parse("10.7.2.1"), Flags = MptcpEndpointFlags.Signal },
            new() { Address = IPAddress.Parse("10.7.3.1"), Flags = MptcpEndpointFlags.Subflow | MptcpEndpointFlags.FullMesh },
        ];
        var made = new List<MptcpEndpoint>();
        foreach (MptcpEndpoint endpoint in wanted)
        {
            (NetlinkResult result, MptcpEndpoint? got) = await manager.AddEndpointAsync(endpoint);
            result.ToString().ShouldBe("ok");
            got!.Id.ShouldNotBe((byte)0);
            (got with { Id = endpoint.Id }).ShouldBe(endpoint);
            made.Add(got);
        }

        (await manager.EndpointsAsync()).ShouldBe(made, ignoreOrder: true);
        string[] shown = await ShowAsync(space);
        shown.ShouldBe(made.Select(e => $"{e.Address} {e.Id} {string.Join(',', Words(e.Flags))}"), ignoreOrder: true);

        (await manager.AddEndpointAsync(wanted[0])).Result.IsAlreadyThere.ShouldBeTrue();
        (await manager.SetFlagsAsync(made[0] with { Flags = MptcpEndpointFlags.Subflow | MptcpEndpointFlags.Backup })).ToString().ShouldBe("ok");
        (await manager.EndpointsAsync()).Single(e => e.Id == made[0].Id).Flags.ShouldBe(MptcpEndpointFlags.Subflow | MptcpEndpointFlags.Backup);
        (await manager.SetFlagsAsync(made[0] with { Flags = MptcpEndpointFlags.Signal })).Errno.ShouldBe(Libc.EOPNOTSUPP);
        (await manager.SetFlagsAsync(made[0] with { Id = 200 })).IsNotThere.ShouldBeTrue();

        (await manager.RemoveEndpointAsync(made[0])).ToString().ShouldBe("ok");
        (await manager.RemoveEndpointAsync(made[0])).IsNotThere.ShouldBeTrue();
        (await manager.EndpointsAsync()).Count.ShouldBe(3);
        (await manager.FlushEndpointsAsync()).IsSuccess.ShouldBeTrue();
        (await manager.EndpointsAsync()).ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task What_the_kernel_does_not_know_or_take_is_told_and_leaves_nothing()
    {
        await using TestNamespace space = await TestNamespace.CreateAsync();
        using MptcpPathManager manager = (await space.Run(() => MptcpPathManager.OpenAsync()))!;

        var unknown = new MptcpEndpoint { Address = IPAddress.Parse("10.7.1.1"), Flags = MptcpEndpointFlags.Subflow | (MptcpEndpointFlags)0x40000000 };
        (await manager.AddEndpointAsync(unknown)).Result.Errno.ShouldBe(Libc.EOPNOTSUPP);
        (await manager.EndpointsAsync()).ShouldBeEmpty();
        var contradiction = unknown with { Flags = MptcpEndpointFlags.Signal | MptcpEndpointFlags.FullMesh };
        (await manager.AddEndpointAsync(contradiction)).Result.Errno.ShouldBe(Libc.EINVAL);
        for (int i = 1; i <= 8; i++)
        {
            (await manager.AddEndpointAsync(new MptcpEndpoint { Address = new IPAddress([10, 7, 9, (byte)i]), Flags = MptcpEndpointFlags.Subflow }))
                .Result.IsSuccess.ShouldBeTrue();
        }

        (await manager.EndpointsAsync()).Count.ShouldBe(8);
    }

    [SkippableFact]
    public async Task Limits_are_set_within_what_the_probe_found()
    {
        await using TestNamespace space = await TestNamespace.CreateAsync();
        using MptcpPathManager manager = (await space.Run(() => MptcpPathManager.OpenAsync()))!;
        MptcpFeatures features = await space.Run(() => MptcpFeatures.ProbeAsync());
        (await manager.LimitsAsync()).ShouldBe(new MptcpLimits(2, 0));
        uint subflows = features.MaxSubflows.ShouldNotBeNull();
        uint accepted = features.MaxAcceptedAddresses.ShouldNotBeNull();

        (await manager.SetLimitsAsync(new MptcpLimits(subflows, accepted))).ToString().ShouldBe("ok");
        (await manager.LimitsAsync()).ShouldBe(new MptcpLimits(subflows, accepted));
        NetlinkResult refused = await manager.SetLimitsAsync(new MptcpLimits(subflows + 1, accepted));
        refused.Errno.ShouldBe(Libc.EINVAL);
        refused.Text.ShouldNotBeNullOrEmpty();
        (await manager.LimitsAsync()).ShouldBe(new MptcpLimits(subflows, accepted));
    }

    [SkippableFact]
    public async Task Features_follow_the_namespace()
    {
        await using TestNamespace space = await TestNamespace.CreateAsync();
        MptcpFeatures features = await space.Run(() => MptcpFeatures.ProbeAsync());
        features.HasSockets.ShouldBeTrue();
        features.IPv6Errno.ShouldBe(0);
        features.IsEnabled.ShouldBe(true);
        features.HasPathManager.ShouldBeTrue();
        features.HasFullInfo.ShouldBeTrue();
        features.HasIsMptcp.ShouldBeTrue();
        features.HasUserspacePathManager.ShouldBeTrue();
        features.Schedulers.ShouldContain("default");
        features.CongestionControls.ShouldContain("cubic");
        features.HasBlackholeTimeout.ShouldBe(space.Run(() => File.Exists("/proc/sys/net/mptcp/blackhole_timeout")));

        space.SetSysctl("net.mptcp.enabled", "0");
        features = await space.Run(() => MptcpFeatures.ProbeAsync());
        features.HasSockets.ShouldBeFalse();
        features.IPv4Errno.ShouldBeOneOf(Libc.EPROTONOSUPPORT, Libc.ENOPROTOOPT);
        features.IsEnabled.ShouldBe(false);
        features.HasFullInfo.ShouldBeFalse();
        Should.Throw<LibcException>(() => space.Run(() => MptcpSocket.Create(System.Net.Sockets.AddressFamily.InterNetwork)))
            .Errno.ShouldBe(features.IPv4Errno);
    }

    private static IEnumerable<string> Words(MptcpEndpointFlags flags)
        => Enum.GetValues<MptcpEndpointFlags>().Where(f => f != MptcpEndpointFlags.None && flags.HasFlag(f))
            .Select(f => f.ToString().ToLowerInvariant()).Order();

    private static async Task<string[]> ShowAsync(TestNamespace space)
    {
        string[] known = ["signal", "subflow", "backup", "fullmesh"];
        string text = await space.IpAsync("-j mptcp endpoint show");
        using JsonDocument document = JsonDocument.Parse(text);
        return [.. document.RootElement.EnumerateArray().Select(e =>
        {
            string[] flags = [.. known.Where(k => e.TryGetProperty(k, out _)).Order()];
            return $"{e.GetProperty("address").GetString()} {e.GetProperty("id")} {string.Join(',', flags)}";
        })];
    }
}
