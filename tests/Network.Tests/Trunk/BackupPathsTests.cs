using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Lanes;
using Aggregator.Mptcp;
using Aggregator.Network.Tests.Lab;
using Aggregator.Network.Tests.Mptcp;
using Aggregator.Trunk;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Trunk;

/// <summary>Backup subflows of single connections, with the kernel's user-space path manager and real veth pairs.</summary>
public sealed class BackupPathsTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(20);
    private static readonly IPAddress Second = IPAddress.Parse("10.7.2.1");

    [SkippableFact]
    public async Task A_connection_gets_a_backup_that_carries_nothing_until_its_own_path_is_gone()
    {
        await using MptcpRig rig = await PreparedAsync();
        var wans = new Wans(One, Two);
        await using BackupPaths paths = (await rig.Client.Run(() => BackupPaths.OpenAsync(true, wans, TimeProvider.System, NullLogger.Instance, rig.Patience)))!;
        using Socket listener = rig.Listen();
        (Socket client, Socket server) = await rig.ConnectAsync(listener);
        using Socket own = client;
        using Socket peer = server;
        await rig.TransferAsync(client, server, 1000);
        paths.Keep(client, new WanPath("wan1", IPAddress.Parse("10.7.1.1")));

        var near = new SocketLaneMeter(client);
        var far = new SocketLaneMeter(server);
        await LabTest.UntilAsync(() => near.TryRead(out _) && near.Backups == 1 && far.TryRead(out _) && far.Backups == 1, "the backup", Generous);
        await rig.TransferAsync(client, server, 8_000_000);
        await rig.TransferAsync(server, client, 8_000_000);
        BytesElsewhere(client).ShouldBe(0UL);
        BytesElsewhere(server).ShouldBe(0UL);
        near.TryRead(out LaneReading reading).ShouldBeTrue();
        near.IsElsewhere.ShouldBeFalse();
        reading.AcknowledgedBytes.ShouldBeGreaterThanOrEqualTo(8_001_000);
        reading.Rtt.ShouldBeGreaterThan(TimeSpan.Zero);

        // The cable out at the far end: nobody is told but by silence.
        await rig.Server.IpAsync("link set wan1 down");
        Task moved = rig.TransferAsync(client, server, 1_000_000);
        await LabTest.UntilAsync(() => near.TryRead(out _) && near.IsElsewhere, "bytes on the backup", Generous);
        await moved;
        BytesElsewhere(client).ShouldBeGreaterThan(0UL);
        near.HasLostOwnPath.ShouldBeFalse();

        await rig.Server.IpAsync("link set wan1 up");
        await LabTest.UntilAsync(() => near.TryRead(out _) && !near.IsElsewhere, "the return", Generous);
        output.WriteLine($"over the backup meanwhile: {BytesElsewhere(client)} bytes");
    }

    [SkippableFact]
    public async Task A_wan_that_goes_takes_its_backups_along_and_brings_them_back()
    {
        await using MptcpRig rig = await PreparedAsync();
        var wans = new Wans(One, Two);
        await using BackupPaths paths = (await rig.Client.Run(() => BackupPaths.OpenAsync(true, wans, TimeProvider.System, NullLogger.Instance, rig.Patience)))!;
        using Socket listener = rig.Listen();
        (Socket client, Socket server) = await rig.ConnectAsync(listener);
        using Socket own = client;
        using Socket peer = server;
        await rig.TransferAsync(client, server, 1000);
        paths.Keep(client, new WanPath("wan1", IPAddress.Parse("10.7.1.1")));
        await LabTest.UntilAsync(() => Established(client) == 2, "the backup", Generous);

        for (int round = 0; round < 2; round++)
        {
            wans.Set(One, Two with { IsUsable = false });
            await LabTest.UntilAsync(() => Established(client) == 1, "its end", Generous);
            wans.Set(One, Two);
            await LabTest.UntilAsync(() => Established(client) == 2, "its return", Generous);
        }

        await rig.TransferAsync(client, server, 1_000_000);
    }

    [SkippableFact]
    public async Task A_connection_that_fell_back_is_metered_as_what_it_is()
    {
        await using MptcpRig rig = await PreparedAsync();
        rig.Server.SetSysctl("net.mptcp.enabled", "0");
        using Socket listener = rig.Server.Run(() => TcpSocket.Listen(new IPEndPoint(IPAddress.IPv6Any, MptcpRig.Port), 16));
        (Socket client, Socket server) = await rig.ConnectAsync(listener);
        using Socket own = client;
        using Socket peer = server;
        await rig.TransferAsync(client, server, 100_000);
        foreach ((Socket socket, long least) in new[] { (client, 100_000L), (server, 0L) })
        {
            var meter = new SocketLaneMeter(socket);
            meter.TryRead(out LaneReading reading).ShouldBeTrue();
            meter.FellBack.ShouldBeTrue();
            meter.IsElsewhere.ShouldBeFalse();
            reading.AcknowledgedBytes.ShouldBeGreaterThanOrEqualTo(least);
            reading.CongestionWindowBytes.ShouldBeGreaterThan(0);
        }
    }

    [SkippableFact]
    public async Task Reading_a_lane_allocates_nothing()
    {
        await using MptcpRig rig = await PreparedAsync();
        using Socket listener = rig.Listen();
        (Socket client, Socket server) = await rig.ConnectAsync(listener);
        using Socket own = client;
        using Socket peer = server;
        await rig.TransferAsync(client, server, 1000);
        var meter = new SocketLaneMeter(client);
        meter.TryRead(out _).ShouldBeTrue();

        // What is compiled anew while it runs may allocate once; in steady state nothing does.
        long least = long.MaxValue;
        bool all = true;
        for (int batch = 0; batch < 5; batch++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 200; i++)
            {
                all &= meter.TryRead(out _);
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        least.ShouldBe(0);
        all.ShouldBeTrue();
    }

    private static Wan One => new("one", "wan1", 0, IPAddress.Parse("10.7.1.1"), null, LinkRole.Active, true, null);

    private static Wan Two => new("two", "wan2", 0, Second, null, LinkRole.Active, true, null);

    private static async Task<MptcpRig> PreparedAsync()
    {
        MptcpRig rig = await MptcpRig.CreateAsync();
        rig.Client.SetSysctl("net.mptcp.pm_type", "1");
        return rig;
    }

    private static int Established(Socket socket)
    {
        var subflows = new MptcpSubflow[9];
        MptcpSampler.TryRead(socket, subflows, out MptcpSample sample).ShouldBe(0);
        return subflows[..sample.Count].Count(s => s.Tcp.State == TcpState.Established);
    }

    /// <summary>Payload that this end sent over the second WAN.</summary>
    private static ulong BytesElsewhere(Socket socket)
    {
        var subflows = new MptcpSubflow[9];
        MptcpSampler.TryRead(socket, subflows, out MptcpSample sample).ShouldBe(0);
        return subflows[..sample.Count].Where(s => s.Local.Has(Second) || s.Remote.Has(Second)).Aggregate(0UL, (sum, s) => sum + s.Tcp.BytesSent);
    }

    private sealed class Wans(params Wan[] wans) : IWanList
    {
        private ImmutableArray<Wan> _wans = [.. wans];

        public event Action? Changed;

        public ImmutableArray<Wan> Current => _wans;

        internal void Set(params Wan[] wans)
        {
            _wans = [.. wans];
            Changed?.Invoke();
        }
    }
}
