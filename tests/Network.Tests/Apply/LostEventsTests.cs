using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Policy;
using Aggregator.Netlink;
using Aggregator.Network.Tests.Netlink;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Apply;

/// <summary>The kernel's word about a change gets lost, or comes again and again: what is decided follows the host all the same, and only what it is.</summary>
public sealed class LostEventsTests
{
    /// <summary>More than the kernel keeps for a reader that is not there (1 MiB, doubled, of some 700 bytes each).</summary>
    private const int Flood = 8_000;

    private const int Repetitions = 200;
    private const int FloodTable = 7001;
    private const int EventsLost = 2305;

    private static readonly IPEndPoint Vps = new(HomeNetwork.VpsV4, 7443);

    [SkippableFact]
    public async Task Changes_behind_an_overrun_are_found_and_repeated_ones_are_none()
    {
        await using var home = await HomeNetwork.CreateAsync();
        using var log = new EventIds();
        await NamespaceLoop.RunAsync(home.Gateway, async () =>
        {
            using var limit = new CancellationTokenSource(Events.Patience);
            await using var controller = new HostController(home.Config, TimeProvider.System, log);
            controller.SetNode([Vps]);
            await controller.StartAsync(default);
            await UntilAsync(() => Endpoints(controller) == "10.1.0.2, 10.2.0.2" && controller.Snapshot.Links.All(l => l is { Checking: false, State: LinkState.Up }));

            // This thread is the daemon's: while it waits here, nobody reads.
            Blocking(() => FloodAsync(home, async () =>
            {
                await home.Gateway.IpAsync("address add 10.1.0.9/24 dev wan1");
                await home.Gateway.IpAsync("address del 10.1.0.2/24 dev wan1");
                await home.Gateway.IpAsync("address replace 10.1.0.9/24 dev wan1");
            }));
            log.Seen(EventsLost).ShouldBe(0);
            await UntilAsync(() => Endpoints(controller) == "10.1.0.9, 10.2.0.2" && controller.Snapshot.Find("fibre") is { Checking: false, State: LinkState.Up });
            log.Seen(EventsLost).ShouldBeGreaterThan(0, "or this test shows nothing");

            int decisions = 0;
            controller.Links.Changed += () => decisions++;
            for (int i = 0; i < Repetitions; i++)
            {
                await home.Gateway.IpAsync("address change 10.1.0.9/24 dev wan1");
            }

            await home.Gateway.IpAsync("link set wan2 down");
            await UntilAsync(() => controller.Snapshot.Find("lte") is { State: LinkState.Down });
            decisions.ShouldBeLessThan(Repetitions / 10);
            await controller.StopAsync(default);

            async Task UntilAsync(Func<bool> reached)
            {
                while (!reached())
                {
                    await Task.Delay(10, limit.Token);
                }
            }
        });
    }

    private static string Endpoints(HostController controller) => string.Join(
        ", ", controller.Report.Desired.Endpoints.Where(e => e.Address.AddressFamily == AddressFamily.InterNetwork).Select(e => e.Address).Order(Comparer<IPAddress>.Create((a, b) => string.CompareOrdinal(a.ToString(), b.ToString()))));

    /// <summary>Elsewhere, and the calling thread stands still until it is done.</summary>
    private static void Blocking(Func<Task> work)
    {
        Task done = Task.Run(work);
        ((IAsyncResult)done).AsyncWaitHandle.WaitOne();
        done.IsCompletedSuccessfully.ShouldBeTrue(done.Exception?.ToString());
    }

    private static async Task FloodAsync(HomeNetwork home, Func<Task> change)
    {
        using RouteSocket socket = home.Gateway.Run(RouteSocket.Open);
        for (int i = 0; i < Flood; i++)
        {
            var route = RouteInfo.Unreachable(Prefixes.Containing(new IPAddress([10, 100, (byte)(i >> 8), (byte)i]), 32), FloodTable, 201);
            (await socket.AddRouteAsync(route)).IsSuccess.ShouldBeTrue();
        }

        await change();
    }

    /// <summary>Counts what is logged, by event.</summary>
    private sealed class EventIds : ILoggerFactory, ILogger
    {
        private readonly System.Collections.Concurrent.ConcurrentDictionary<int, int> _seen = new();

        internal int Seen(int id) => _seen.GetValueOrDefault(id);

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            _seen.AddOrUpdate(eventId.Id, 1, (_, n) => n + 1);

        public void Dispose()
        {
        }
    }
}
