using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Events;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Policy;
using Aggregator.Gateway.Roles;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Apply;

/// <summary>
/// Schedules and billing days with the real host, the real counters and the daemon's own loops; only the day and the hour are not today's. A clock that
/// is set does not wake anybody: it is noticed by the next look, as in the daemon.
/// </summary>
public sealed class MovedClockTests
{
    private const int DiscardPort = 9;
    private const long LimitBytes = 2_000_000;

    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(40);

    [SkippableFact]
    public async Task A_schedule_changes_what_the_host_does_at_its_hour_and_back()
    {
        await using var home = await HomeNetwork.CreateAsync();
        var clock = new SetClock(At("2026-03-06 21:59:30"));
        var night = new ScheduleRule([DayOfWeek.Friday], new TimeOnly(22, 0), new TimeOnly(6, 30), LinkRole.Off);
        var noon = new ScheduleRule([DayOfWeek.Saturday], new TimeOnly(12, 0), new TimeOnly(13, 0), LinkRole.Backup);
        await RunAsync(home, new LinkLimits { Schedule = [night, noon] }, clock, async parts =>
        {
            await EndpointsAsync(home, "10.1.0.2 dev wan1", "10.2.0.2 dev wan2");
            clock.Set(At("2026-03-06 22:00:01"));
            await EndpointsAsync(home, "10.2.0.2 dev wan2");
            parts.Host.Snapshot.Find("fibre")!.RoleReason.ShouldBe("its schedule: off from 22:00 to 06:30");

            // Over midnight, and over a clock that is set back.
            clock.Set(At("2026-03-07 03:00:00"));
            await StaysAsync(home, "10.2.0.2 dev wan2");
            clock.Set(At("2026-03-06 21:00:00"));
            await EndpointsAsync(home, "10.1.0.2 dev wan1", "10.2.0.2 dev wan2");
            clock.Set(At("2026-03-07 06:29:59"));
            await EndpointsAsync(home, "10.2.0.2 dev wan2");
            clock.Set(At("2026-03-07 06:30:00"));
            await EndpointsAsync(home, "10.1.0.2 dev wan1", "10.2.0.2 dev wan2");
            clock.Set(At("2026-03-07 12:30:00"));
            await EndpointsAsync(home, "10.1.0.2 backup dev wan1", "10.2.0.2 dev wan2");
            clock.Set(At("2026-03-07 13:00:00"));
            await EndpointsAsync(home, "10.1.0.2 dev wan1", "10.2.0.2 dev wan2");
        });
    }

    [SkippableFact]
    public async Task A_quota_ends_the_use_of_a_link_until_its_billing_day_also_over_restarts()
    {
        await using var home = await HomeNetwork.CreateAsync();
        // A month that has no thirty-first: the period begins on its last day.
        var clock = new SetClock(At("2026-02-27 12:00:00"));
        var limits = new LinkLimits { Quota = new Quota(LimitBytes, BillingDay: 31) };
        long used = 0;
        await RunAsync(home, limits, clock, async parts =>
        {
            await EndpointsAsync(home, "10.1.0.2 dev wan1", "10.2.0.2 dev wan2");
            Used(parts).Since.ShouldBe(new DateOnly(2026, 1, 31));
            await MoveAsync(home, LimitBytes / 2);
            await UntilAsync(() => Used(parts).UsedBytes >= LimitBytes / 2, () => $"half of it counted: {Used(parts)}");
        });

        // What moves while nobody looks is counted by the kernel.
        await MoveAsync(home, LimitBytes / 4);
        await RunAsync(home, limits, clock, async parts =>
        {
            await UntilAsync(() => Used(parts).UsedBytes >= LimitBytes * 3 / 4, () => $"three quarters counted: {Used(parts)}");
            Used(parts).Exceeded.ShouldBeFalse();
            await MoveAsync(home, LimitBytes / 4);
            await EndpointsAsync(home, "10.2.0.2 dev wan2");
            used = Used(parts).UsedBytes;
            parts.Events.Latest().ShouldContain(e => e.Action == EventAction.QuotaExceeded);
        });

        clock.Set(At("2026-02-27 23:59:58"));
        await RunAsync(home, limits, clock, async parts =>
        {
            await EndpointsAsync(home, "10.2.0.2 dev wan2");
            Used(parts).UsedBytes.ShouldBeGreaterThanOrEqualTo(used);
            clock.Set(At("2026-02-28 00:00:01"));
            await EndpointsAsync(home, "10.1.0.2 dev wan1", "10.2.0.2 dev wan2");
            Used(parts).ShouldSatisfyAllConditions(
                r => r.Since.ShouldBe(new DateOnly(2026, 2, 28)),
                r => r.Until.ShouldBe(new DateOnly(2026, 3, 31)),
                r => r.UsedBytes.ShouldBeLessThan(LimitBytes / 4));
            parts.Events.Latest().ShouldContain(e => e.Action == EventAction.QuotaBegun);

            // The new period has its own amount.
            await MoveAsync(home, LimitBytes);
            await EndpointsAsync(home, "10.2.0.2 dev wan2");
            clock.Set(At("2026-03-31 00:00:00"));
            await EndpointsAsync(home, "10.1.0.2 dev wan1", "10.2.0.2 dev wan2");
        });
    }

    private static DateTimeOffset At(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);

    private static QuotaReading Used(Parts parts) => parts.Quotas.Current["fibre"];

    private static Task RunAsync(HomeNetwork home, LinkLimits fibre, SetClock clock, Func<Parts, Task> work) => NamespaceLoop.RunAsync(home.Gateway, async () =>
    {
        var config = home.Config with
        {
            Wans = [new WanConfig("wan1", "fibre", LinkRole.Active, null) { Limits = fibre }, new WanConfig("wan2", "lte", LinkRole.Active, null)],
        };
        await using var host = new HostController(config, clock, NullLoggerFactory.Instance);
        await using var events = new EventLog(config.State, clock, NullLogger.Instance);
        var book = new LimitsBook(config, NullLogger.Instance);
        // The loop is the pool's: counters are those of a thread that is in the namespace.
        Func<string, InterfaceCounters?> counters = name => home.Gateway.Run(() => InterfaceCounters.Read(name));
        var quotas = new QuotaMeter(config.State, "one host", counters, events, clock, NullLogger.Instance);
        await using var roles = new RoleKeeper(host.Links, book, quotas, new LinkConditions(), counters, clock, NullLogger.Instance);
        host.Links.Loaded += roles.Start;
        // Nobody is paired, so nothing is probed: a probe that begins on the roles' loop would have its sockets outside of the namespace.
        await host.StartAsync(default);
        await work(new Parts(host, quotas, events));
    });

    /// <summary>Through wan1, and nobody has to answer.</summary>
    private static async Task MoveAsync(HomeNetwork home, long bytes)
    {
        using Socket socket = home.Gateway.Run(() =>
        {
            var made = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            made.Bind(new IPEndPoint(IPAddress.Parse("10.1.0.2"), 0));
            return made;
        });
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Parse("10.1.0.1"), DiscardPort));
        byte[] data = new byte[1200];
        for (long sent = 0; sent < bytes; sent += data.Length)
        {
            try
            {
                await socket.SendAsync(data);
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
            {
                // Nobody listens; what was sent has gone out all the same.
            }
        }
    }

    private static async Task EndpointsAsync(HomeNetwork home, params string[] expected)
    {
        string[] shown = [];
        for (long began = TimeProvider.System.GetTimestamp(); TimeProvider.System.GetElapsedTime(began) < Generous; await Task.Delay(20))
        {
            shown = await ShownAsync(home);
            if (shown.SequenceEqual(expected))
            {
                return;
            }
        }

        shown.ShouldBe(expected);
    }

    /// <summary>For longer than a look takes to come.</summary>
    private static async Task StaysAsync(HomeNetwork home, params string[] expected)
    {
        for (int i = 0; i < 15; i++)
        {
            (await ShownAsync(home)).ShouldBe(expected);
            await Task.Delay(100);
        }
    }

    private static async Task<string[]> ShownAsync(HomeNetwork home) =>
    [
        .. (await home.Gateway.IpJsonAsync("mptcp endpoint"))
            .Select(e => $"{e.GetProperty("address").GetString()}{(e.TryGetProperty("backup", out _) ? " backup" : "")} dev {e.GetProperty("dev").GetString()}")
            .Where(e => e.StartsWith("10.", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal),
    ];

    private static async Task UntilAsync(Func<bool> reached, Func<string> what)
    {
        for (long began = TimeProvider.System.GetTimestamp(); !reached(); await Task.Delay(20))
        {
            TimeProvider.System.GetElapsedTime(began).ShouldBeLessThan(Generous, what());
        }
    }

    private sealed record Parts(HostController Host, QuotaMeter Quotas, EventLog Events);

    /// <summary>Timers and intervals are real; what day it is, is said. Local time is UTC.</summary>
    private sealed class SetClock(DateTimeOffset now) : TimeProvider
    {
        private long _ticks = now.UtcTicks;

        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => new(Volatile.Read(ref _ticks), TimeSpan.Zero);

        internal void Set(DateTimeOffset now) => Volatile.Write(ref _ticks, now.UtcTicks);
    }
}
