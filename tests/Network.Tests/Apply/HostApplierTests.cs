using System.Net;
using System.Runtime.InteropServices;
using Aggregator.Gateway.Apply;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Policy;
using Aggregator.Host;
using Aggregator.Interop;
using Aggregator.Netlink;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Apply;

/// <summary>Against the kernel, nft and ip in namespaces of their own.</summary>
public sealed partial class HostApplierTests
{
    [SkippableFact]
    public async Task What_is_applied_shows_again_changes_nothing_and_goes_away()
    {
        await using var home = await HomeNetwork.CreateAsync();
        string before = await home.PhotographAsync();

        await NamespaceLoop.RunAsync(home.Gateway, async () =>
        {
            var desired = await DecideAsync(home);
            using var applier = await OpenAsync(home);

            var first = await applier.ApplyAsync(desired, default);
            first.Warnings.ShouldBeEmpty();
            first.Done.ShouldNotBeEmpty();

            (await applier.ApplyAsync(desired, default)).Done.ShouldBeEmpty();
        });

        (await home.Gateway.IpAsync("rule")).ShouldSatisfyAllConditions(
            r => r.ShouldContain("10600:\tfrom all fwmark 0xa600/0xff00 iif lan0 lookup 42751 proto 166"),
            r => r.ShouldContain("10610:\tfrom 10.1.0.2 lookup 42496 proto 166"),
            r => r.ShouldContain("10610:\tfrom 10.2.0.2 lookup 42497 proto 166"),
            r => r.ShouldContain("10620:\tfrom all oif wan1 lookup 42496 proto 166"));
        Squeezed(await home.Gateway.IpAsync("route show table 42496")).ShouldBe([
            "default via 10.1.0.1 dev wan1 proto 166 src 10.1.0.2",
            "10.1.0.0/24 dev wan1 proto 166 scope link src 10.1.0.2",
            "throw 192.168.77.0/24 proto 166",
        ]);
        Squeezed(await home.Gateway.IpAsync("-6 route show table 42496")).ShouldBe([
            "2001:db8:1::/64 dev wan1 proto 166 metric 1024 pref medium",
            "throw fd77::/64 dev lo proto 166 metric 1024 pref medium",
            "default via 2001:db8:1::1 dev wan1 proto 166 metric 1024 pref medium",
        ]);
        Squeezed(await home.Gateway.IpAsync("route show table 42751")).ShouldBe(["local default dev lo proto 166 scope host"]);
        Squeezed(await home.Gateway.IpAsync("mptcp endpoint")).Select(l => l.Split(" id")[0] + l[l.IndexOf(" subflow", StringComparison.Ordinal)..]).ShouldBe([
            "10.1.0.2 subflow dev wan1",
            "10.2.0.2 subflow backup dev wan2",
            "2001:db8:1::2 subflow dev wan1",
            "2001:db8:2::2 subflow backup dev wan2",
        ]);
        (await home.Gateway.IpAsync("mptcp limits")).Trim().ShouldBe("add_addr_accepted 8 subflows 8");
        (await home.ExecAsync("sysctl", "-n", "net.mptcp.blackhole_timeout")).Trim().ShouldBe("0");
        (await home.ExecAsync("nft", "list", "table", "inet", "aggregator")).ShouldContain("tproxy ip to 127.0.0.1:12345");

        await DownAsync(home);
        (await home.PhotographAsync()).ShouldBe(before);
        Directory.GetFiles(home.Config.State).ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task After_a_kill_nothing_is_doubled_and_down_needs_no_daemon()
    {
        await using var home = await HomeNetwork.CreateAsync();
        string before = await home.PhotographAsync();

        await NamespaceLoop.RunAsync(home.Gateway, async () =>
        {
            var desired = await DecideAsync(home);
            using (var killed = await OpenAsync(home))
            {
                await killed.ApplyAsync(desired, default);
            }

            using var next = await OpenAsync(home);
            (await next.ApplyAsync(desired, default)).Done.ShouldBeEmpty();
        });

        await DownAsync(home);
        (await home.PhotographAsync()).ShouldBe(before);
    }

    [SkippableFact]
    public async Task What_the_user_made_himself_is_left_alone_even_where_it_looks_like_ours()
    {
        await using var home = await HomeNetwork.CreateAsync();
        await home.Gateway.IpAsync("mptcp endpoint add 10.1.0.2 dev wan1 subflow backup id 77");
        await home.Gateway.IpAsync("mptcp limits set subflows 5 add_addr_accepted 1");
        await home.Gateway.IpAsync("rule add priority 10610 from 10.1.0.2 lookup 42496");
        await home.Gateway.IpAsync("rule add priority 10605 from 10.9.9.9 lookup 42496");
        await home.Gateway.IpAsync("route add default via 10.1.0.77 dev wan1 table 42496 proto static");
        await home.Gateway.IpAsync("route add 10.66.0.0/16 via 10.2.0.1 dev wan2 table 42497");
        home.Gateway.SetSysctl("net.mptcp.blackhole_timeout", "777");
        home.Gateway.SetSysctl("net.ipv4.conf.wan1.rp_filter", "1");
        await home.LoadAsync(home.Gateway, "table inet mine { chain c { tcp dport 1 accept; }\n}\n");
        string before = await home.PhotographAsync();

        await NamespaceLoop.RunAsync(home.Gateway, async () =>
        {
            var desired = await DecideAsync(home);
            using var applier = await OpenAsync(home);
            (await applier.ApplyAsync(desired, default)).Warnings.ShouldBeEmpty();
            (await applier.ApplyAsync(desired, default)).Done.ShouldBeEmpty();

            // Also with an endpoint of ours that goes and a role that changes.
            (await applier.ApplyAsync(desired with { Endpoints = [.. desired.Endpoints.Where(e => e.Device != "wan1")] }, default)).Warnings.ShouldBeEmpty();
        });

        (await home.Gateway.IpAsync("mptcp endpoint")).ShouldContain("10.1.0.2 id 77 subflow backup dev wan1");
        (await home.Gateway.IpAsync("route show table 42496")).ShouldContain("default via 10.1.0.77");
        await DownAsync(home);
        (await home.PhotographAsync()).ShouldBe(before);
    }

    [SkippableFact]
    public async Task A_foreign_table_of_our_name_stands_and_is_told()
    {
        await using var home = await HomeNetwork.CreateAsync();
        await home.LoadAsync(home.Gateway, "table inet aggregator { chain prerouting { tcp dport 1 accept; }\n}\n");
        string before = await home.PhotographAsync();

        await NamespaceLoop.RunAsync(home.Gateway, async () =>
        {
            using var applier = await OpenAsync(home);
            (await applier.ApplyAsync(await DecideAsync(home), default)).Warnings.ShouldHaveSingleItem().Code.ShouldBe("nft-table-taken");
        });

        await DownAsync(home);
        (await home.PhotographAsync()).ShouldBe(before);
    }

    [SkippableFact]
    public async Task A_table_that_was_flushed_by_somebody_is_loaded_again()
    {
        await using var home = await HomeNetwork.CreateAsync();
        await NamespaceLoop.RunAsync(home.Gateway, async () =>
        {
            var desired = await DecideAsync(home);
            using var applier = await OpenAsync(home);
            await applier.ApplyAsync(desired, default);

            await home.ExecAsync("nft", "flush", "table", "inet", "aggregator");
            (await applier.ApplyAsync(desired, default)).Done.ShouldBe(["nft: table loaded"]);
            await home.ExecAsync("nft", "flush", "ruleset");
            (await applier.ApplyAsync(desired, default)).Done.ShouldBe(["nft: table loaded"]);

            await home.Gateway.IpAsync("rule del priority 10620");
            await home.Gateway.IpAsync("mptcp endpoint flush");
            (await applier.ApplyAsync(desired, default)).Done.Count.ShouldBe(5);
        });
    }

    [SkippableFact]
    public async Task Without_the_state_directory_down_still_removes_what_carries_our_marks()
    {
        await using var home = await HomeNetwork.CreateAsync();
        string rules = await home.Gateway.IpAsync("rule");
        string routes = await home.Gateway.IpAsync("route show table all");
        await NamespaceLoop.RunAsync(home.Gateway, async () =>
        {
            using var applier = await OpenAsync(home);
            await applier.ApplyAsync(await DecideAsync(home), default);
        });
        Directory.Delete(home.Config.State, recursive: true);
        Directory.CreateDirectory(home.Config.State);

        await DownAsync(home);

        (await home.Gateway.IpAsync("rule")).ShouldBe(rules);
        (await home.Gateway.IpAsync("route show table all")).ShouldBe(routes);
        (await home.ExecAsync("nft", "list", "ruleset")).ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task A_role_changes_the_endpoint_in_place()
    {
        await using var home = await HomeNetwork.CreateAsync();
        await NamespaceLoop.RunAsync(home.Gateway, async () =>
        {
            var desired = await DecideAsync(home);
            using var applier = await OpenAsync(home);
            await applier.ApplyAsync(desired, default);
            string ids = await home.Gateway.IpAsync("mptcp endpoint");

            var turned = desired with { Endpoints = [.. desired.Endpoints.Select(e => e with { Backup = !e.Backup })] };
            (await applier.ApplyAsync(turned, default)).Done.ShouldAllBe(o => o.StartsWith("ip mptcp endpoint change", StringComparison.Ordinal));
            (await applier.ApplyAsync(turned, default)).Done.ShouldBeEmpty();
            (await applier.ApplyAsync(desired, default)).Warnings.ShouldBeEmpty();

            (await home.Gateway.IpAsync("mptcp endpoint")).ShouldBe(ids);
        });
    }

    [SkippableFact]
    public async Task Without_CAP_NET_ADMIN_one_warning_says_so()
    {
        await using var home = await HomeNetwork.CreateAsync();
        string rules = await home.Gateway.IpAsync("rule");
        await NamespaceLoop.RunAsync(home.Gateway, async () =>
        {
            // Of this thread alone, which ends with the work.
            DropNetAdmin();
            using var applier = await OpenAsync(home);

            var outcome = await applier.ApplyAsync(await DecideAsync(home) with { Tproxy = null }, default);

            outcome.Warnings.ShouldHaveSingleItem().Code.ShouldBe("no-net-admin");
        });
        (await home.Gateway.IpAsync("rule")).ShouldBe(rules);
        (await home.Gateway.IpAsync("mptcp endpoint")).ShouldBeEmpty();
    }

    private static unsafe void DropNetAdmin()
    {
        // linux/capability.h: version 3, two words each of effective, permitted and inheritable.
        uint* header = stackalloc uint[2] { 0x20080522, 0 };
        uint* sets = stackalloc uint[6];
        if (capget(header, sets) != 0)
        {
            throw Libc.Error("capget");
        }

        const int NetAdmin = 12;
        sets[0] &= ~(1u << NetAdmin);
        if (capset(header, sets) != 0)
        {
            throw Libc.Error("capset");
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int capget(uint* header, uint* sets);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int capset(uint* header, uint* sets);

    private static Task<HostApplier> OpenAsync(HomeNetwork home) => HostApplier.OpenAsync(home.Config.State, NullLogger.Instance, default);

    private static async Task<DesiredState> DecideAsync(HomeNetwork home)
    {
        using var socket = RouteSocket.Open();
        var links = LinkResolver.Resolve(home.Config, await NetworkDump.ReadAsync(socket, default), LinkMemory.Empty).Snapshot;
        return HostPolicy.Decide(new PolicyInput
        {
            Config = home.Config,
            Links = links with { Links = [.. links.Links.Select(l => l with { State = LinkState.Up })] },
            Host = HostFactsReader.Read(new SysctlFiles()),
            TransparentV4 = new IPEndPoint(IPAddress.Loopback, 12345),
            TransparentV6 = new IPEndPoint(IPAddress.IPv6Loopback, 12346),
        });
    }

    private static Task DownAsync(HomeNetwork home) => NamespaceLoop.RunAsync(home.Gateway, async () =>
        (await HostController.CleanUpAsync(home.Config.State, NullLogger.Instance, default)).Warnings.ShouldBeEmpty());

    private static string[] Squeezed(string text) =>
        [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => string.Join(' ', l.Split(' ', StringSplitOptions.RemoveEmptyEntries)))];
}
