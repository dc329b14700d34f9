using System.Text.Json;
using Aggregator.Cli;
using Aggregator.Identity;
using Aggregator.Protocol.V1;
using Aggregator.Vps.Cli;
using Aggregator.Vps.Tests.Pairing;
using Grpc.Core;
using Shouldly;
using Xunit;

namespace Aggregator.Vps.Tests.Health;

/// <summary>The real host's health over the real port and the real socket.</summary>
public sealed class HealthReportsTests : IAsyncLifetime
{
    private readonly CancellationTokenSource _limit = new(TimeSpan.FromSeconds(30));
    private readonly TemporaryDirectory _directory = new();
    private VpsUnderTest _vps = null!;

    private CancellationToken Limit => _limit.Token;

    public async Task InitializeAsync() => _vps = await VpsUnderTest.StartAsync();

    public async Task DisposeAsync()
    {
        await _vps.DisposeAsync();
        _directory.Dispose();
        _limit.Dispose();
    }

    [Fact]
    public async Task A_gateway_gets_reports_by_itself_and_answers_to_its_clock()
    {
        using var key = _vps.Pair();
        using var channel = _vps.Channel(key);
        using var call = new HealthReports.HealthReportsClient(channel).Watch(cancellationToken: Limit);

        var first = (await NextAsync(call, u => u.Report is not null)).Report;
        first.Process.RssBytes.ShouldBeGreaterThan(1_000_000UL);
        first.Process.Sockets.ShouldBeGreaterThan(1UL);
        first.Memory.HasTotalBytes.ShouldBeTrue();
        first.Clocks.ShouldBeEmpty();

        long before = DateTimeOffset.UnixEpoch.Ticks;
        await call.RequestStream.WriteAsync(new ClockProbe { Sequence = 7, SentUs = 1, VpsAheadMs = -4000, UncertaintyMs = 2 }, Limit);
        var echo = (await NextAsync(call, u => u.Echo is not null)).Echo;
        echo.Sequence.ShouldBe(7UL);
        long now = (TimeProvider.System.GetUtcNow().Ticks - before) / 10;
        echo.ReceivedUs.ShouldBeInRange(now - 10_000_000, now);
        echo.SentUs.ShouldBeInRange(echo.ReceivedUs, now);

        // At once and not after two seconds, because the level is another one.
        var changed = (await NextAsync(call, u => u.Report?.Clocks.Count > 0)).Report;
        changed.Clocks[0].AheadMs.ShouldBe(-4000);
        changed.Findings.Select(f => f.Code).ShouldContain("clock-skew");
        changed.Level.ShouldNotBe("ok");
    }

    [Fact]
    public async Task A_gateway_sees_its_own_clock_only_and_takes_its_word_with_it()
    {
        using var one = _vps.Pair("one");
        using var two = _vps.Pair("two");
        using var channelOne = _vps.Channel(one);
        using var channelTwo = _vps.Channel(two);
        using (var first = new HealthReports.HealthReportsClient(channelOne).Watch(cancellationToken: Limit))
        {
            await first.RequestStream.WriteAsync(new ClockProbe { Sequence = 1, VpsAheadMs = double.NaN, UncertaintyMs = -1e300 }, Limit);
            await NextAsync(first, u => u.Report?.Clocks.Count == 1);
            using var second = new HealthReports.HealthReportsClient(channelTwo).Watch(cancellationToken: Limit);
            (await NextAsync(second, u => u.Report is not null)).Report.Clocks.ShouldBeEmpty();
            using var json = await HealthAsync();
            json.RootElement.GetProperty("clocks").EnumerateArray().Single().GetProperty("gateway").GetString().ShouldBe("gateway one");
        }

        while (true)
        {
            using var json = await HealthAsync();
            if (json.RootElement.GetProperty("clocks").GetArrayLength() == 0)
            {
                break;
            }

            await Task.Delay(50, Limit);
        }
    }

    [Fact]
    public async Task Strangers_get_nothing()
    {
        using var stranger = IdentityKey.CreateEphemeral();
        using var channel = _vps.Channel(stranger);
        using var call = new HealthReports.HealthReportsClient(channel).Watch(cancellationToken: Limit);
        (await Should.ThrowAsync<RpcException>(call.ResponseStream.MoveNext(Limit))).StatusCode.ShouldBe(StatusCode.Unauthenticated);
        using var paired = _vps.Pair();
        using var second = _vps.Channel(paired);
        var local = new VpsHealthLocal.VpsHealthLocalClient(second);
        (await Should.ThrowAsync<RpcException>(local.GetHealthAsync(new HealthRequest(), cancellationToken: Limit).ResponseAsync))
            .StatusCode.ShouldBe(StatusCode.Unauthenticated, "what is for the host's own user is not for gateways");
    }

    [Fact]
    public async Task The_command_asks_the_daemon()
    {
        using var json = await HealthAsync();
        var root = json.RootElement;
        root.GetProperty("process").GetProperty("rss_bytes").GetInt64().ShouldBeGreaterThan(1_000_000);
        root.GetProperty("process").GetProperty("relay_limit_bytes").GetInt64().ShouldBe(_vps.Budget.LimitBytes);
        root.GetProperty("kernel").GetString().ShouldBe(File.ReadAllText("/proc/sys/kernel/osrelease").Trim());
    }

    [Fact]
    public async Task Without_a_daemon_the_command_measures()
    {
        var (code, output, error) = await RunAsync("health", "--json", "--config", Config("nobody.sock"));
        using var json = JsonDocument.Parse(output);
        var root = json.RootElement;
        root.GetProperty("process").ValueKind.ShouldBe(JsonValueKind.Null);
        root.GetProperty("memory").GetProperty("total_bytes").GetInt64().ShouldBeGreaterThan(0);
        root.GetProperty("swap").GetProperty("in_pages_per_s").ValueKind.ShouldBe(JsonValueKind.Number);
        bool critical = root.GetProperty("level").GetString() == "critical";
        code.ShouldBe(critical ? ExitCode.Failed : ExitCode.Done, error);

        (await RunAsync("health", "--config", Config("nobody.sock"))).Output.ShouldContain("\nmemory      ");
    }

    private async Task<JsonDocument> HealthAsync() =>
        JsonDocument.Parse((await RunAsync("health", "--json", "--config", Config(_vps.Api))).Output);

    private string Config(string api)
    {
        File.WriteAllText(_directory["vps.yaml"], $"public: [a.example]\nstate: {_directory["state"]}\napi: {Path.Combine(_directory["."], api)}\n");
        return _directory["vps.yaml"];
    }

    private async Task<HealthUpdate> NextAsync(AsyncDuplexStreamingCall<ClockProbe, HealthUpdate> call, Func<HealthUpdate, bool> wanted)
    {
        while (await call.ResponseStream.MoveNext(Limit))
        {
            if (wanted(call.ResponseStream.Current))
            {
                return call.ResponseStream.Current;
            }
        }

        throw new IOException("the call ended");
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        int code = await CommandLine.RunAsync(RootCommandFactory.Create(), RootCommandFactory.Name, arguments, output, error);
        return (code, output.ToString(), error.ToString());
    }
}
