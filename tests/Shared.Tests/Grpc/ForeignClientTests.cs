using System.Diagnostics;
using System.Text.Json;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Rpc;

/// <summary>grpcio's client and our server.</summary>
public sealed class ForeignClientTests(Foreign foreign) : IClassFixture<Foreign>, IAsyncLifetime
{
    private EchoHost _host = null!;

    public async Task InitializeAsync() => _host = await EchoHost.StartAsync();

    public async Task DisposeAsync() => await _host.DisposeAsync();

    [Fact]
    public async Task Unary() => (await RunAsync("unary")).GetProperty("text").GetString().ShouldBe("grüße");

    [Fact]
    public async Task Client_streaming()
    {
        JsonElement result = await RunAsync("join");
        result.GetProperty("number").GetInt32().ShouldBe(1000);
        result.GetProperty("text").GetString().ShouldBe("0,1,2,3,4,5");
    }

    [Fact]
    public async Task Server_streaming()
    {
        JsonElement result = await RunAsync("repeat");
        result.GetProperty("ordered").GetBoolean().ShouldBeTrue();
        Pairs(result.GetProperty("trailers")).ShouldContain("count=500");
    }

    [Fact]
    public async Task Duplex_streaming_turn_by_turn_then_half_close()
    {
        JsonElement result = await RunAsync("chat");
        result.GetProperty("answers").GetInt32().ShouldBe(51);
        result.GetProperty("last").GetString().ShouldBe("bye");
        result.GetProperty("ordered").GetBoolean().ShouldBeTrue();
    }

    [Fact]
    public async Task The_server_ends_while_the_client_still_writes() =>
        (await RunAsync("early_end")).GetProperty("code").GetString().ShouldBe("OK");

    [Fact]
    public async Task Status_with_a_message_in_any_script_and_trailers()
    {
        JsonElement result = await RunAsync("fail");
        result.GetProperty("code").GetString().ShouldBe("NOT_FOUND");
        result.GetProperty("details").GetString().ShouldBe("Größe % 漢字 🚀\n");
        new[] { "why=asked", "raw-bin=000102ff" }.ShouldBeSubsetOf(Pairs(result.GetProperty("trailers")));
    }

    [Fact]
    public async Task An_unexpected_exception_is_unknown()
    {
        JsonElement result = await RunAsync("crash");
        result.GetProperty("code").GetString().ShouldBe("UNKNOWN");
        result.GetProperty("details").GetString()!.ShouldNotContain("secret");
    }

    [Fact]
    public async Task Initial_and_trailing_metadata()
    {
        JsonElement result = await RunAsync("headers");
        Pairs(result.GetProperty("initial")).ShouldContain("answer=42");
        Pairs(result.GetProperty("initial")).ShouldContain("bytes-bin=090009");
        Pairs(result.GetProperty("trailing")).ShouldBe(["after=all", "bytes-bin=070007"], ignoreOrder: true);
    }

    [Fact]
    public async Task Request_metadata_and_deadline()
    {
        string[] lines = (await RunAsync("context")).GetProperty("text").GetString()!.Split('\n');
        lines.ShouldContain("x-text=plain text");
        lines.ShouldContain($"x-raw-bin={string.Concat(Enumerable.Range(0, 256).Select(i => i.ToString("X2")))}");
        lines.ShouldContain("x-empty-bin=");
        DateTime deadline = DateTime.Parse(lines.Single(line => line.StartsWith("deadline=", StringComparison.Ordinal))[9..]).ToUniversalTime();
        (deadline - TimeProvider.System.GetUtcNow().UtcDateTime).ShouldBeInRange(TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task The_deadline_fires_on_our_side()
    {
        JsonElement result = await RunAsync("deadline");
        result.GetProperty("code").GetString().ShouldBe("DEADLINE_EXCEEDED");
        await _host.Events.Of("cancelled");
    }

    [Fact]
    public async Task Cancellation_fires_on_our_side()
    {
        JsonElement result = await RunAsync("cancel", async process =>
        {
            (await process.StandardOutput.ReadLineAsync()).ShouldBe("waiting");
            await _host.Events.Of("started");
            await process.StandardInput.WriteLineAsync("go");
        });
        result.GetProperty("code").GetString().ShouldBe("CANCELLED");
        await _host.Events.Of("cancelled");
    }

    [Fact]
    public async Task Cancellation_of_a_stream_fires_on_our_side()
    {
        (await RunAsync("cancel_stream")).GetProperty("code").GetString().ShouldBe("CANCELLED");
        await _host.Events.Of("cancelled");
    }

    [Fact]
    public async Task Four_mebibytes_are_the_limit()
    {
        JsonElement result = await RunAsync("limits");
        result.GetProperty("passed").GetInt32().ShouldBe((4 * 1024 * 1024) - 16);
        result.GetProperty("code").GetString().ShouldBe("RESOURCE_EXHAUSTED");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task GZip(bool compressResponses)
    {
        await _host.DisposeAsync();
        _host = await EchoHost.StartAsync(options => options.ResponseCompressionAlgorithm = compressResponses ? "gzip" : null);
        JsonElement result = await RunAsync("gzip");
        result.GetProperty("unary").GetInt32().ShouldBe(1_000_000);
        result.GetProperty("chat").EnumerateArray().Select(size => size.GetInt32()).ShouldBe([1_000_000, 1_000_000, 1_000_000, 0]);
        result.GetProperty("bomb").GetString().ShouldBe("RESOURCE_EXHAUSTED");
    }

    [Fact]
    public async Task A_compression_that_we_do_not_know() =>
        (await RunAsync("deflate")).GetProperty("code").GetString().ShouldBe("UNIMPLEMENTED");

    [Fact]
    public async Task What_is_not_there() =>
        (await RunAsync("unimplemented")).GetProperty("codes").EnumerateArray().Select(code => code.GetString())
            .ShouldBe(["UNIMPLEMENTED", "UNIMPLEMENTED"]);

    [Fact]
    public async Task A_slow_reader_gets_all()
    {
        JsonElement result = await RunAsync("slow_reader");
        result.GetProperty("rest").GetInt32().ShouldBe(299);
        result.GetProperty("code").GetString().ShouldBe("OK");
    }

    [Fact]
    public async Task Two_hundred_calls_at_once() => (await RunAsync("parallel")).GetProperty("same").GetBoolean().ShouldBeTrue();

    private async Task<JsonElement> RunAsync(string name, Func<Process, Task>? talk = null)
    {
        using Process process = Foreign.Start("foreign_client.py", $"127.0.0.1:{_host.Port}", foreign.Stubs, name);
        try
        {
            Task<string> errors = process.StandardError.ReadToEndAsync();
            if (talk is not null)
            {
                await talk(process);
            }

            string output = await process.StandardOutput.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(90));
            await process.WaitForExitAsync();
            process.ExitCode.ShouldBe(0, await errors);
            return JsonDocument.Parse(output).RootElement;
        }
        finally
        {
            process.Kill();
        }
    }

    private static string[] Pairs(JsonElement metadata) =>
        [.. metadata.EnumerateArray().Select(pair => $"{pair[0].GetString()}={pair[1].GetString()}")];
}
