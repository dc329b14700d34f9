using System.Net;
using System.Text;
using System.Text.Json;
using Aggregator.Cli;
using Aggregator.Lab.Ownership;
using Aggregator.Lab.Topology;
using Aggregator.Processes;
using Aggregator.Protocol.V1;
using Grpc.Core;

namespace Aggregator.Lab.Product;

/// <summary>
/// The real daemons in a lab: aggregator-vps on its VPS, aggregator-gateway on its gateway, paired through their command lines, with
/// configuration files as users write them. State lives in a temporary directory that goes with it.
/// </summary>
internal sealed class AggregatorUnderTest : IAsyncDisposable
{
    internal const int Port = 7443;
    internal const int SocksPort = 1080;
    internal const int HttpPort = 3128;

    /// <summary>A start compiles (JIT) on a machine that may be busy with other tests.</summary>
    private static readonly TimeSpan StartTime = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(100);

    private readonly string _directory = Directory.CreateTempSubdirectory("aggregator-test-").FullName;
    private readonly ProductSettings _settings;
#pragma warning disable CA2213 // The lab disposes of its programs; ours is to end them in good order.
    private LabProcess? _gateway;
    private LabProcess? _vps;
#pragma warning restore CA2213

    private AggregatorUnderTest(NetworkLab lab, ProductSettings settings)
    {
        Lab = lab;
        _settings = settings;
        ExitCleanup.AddDirectory(_directory);
    }

    internal NetworkLab Lab { get; }

    internal string GatewayConfig => Path.Combine(_directory, "gateway.yaml");

    /// <summary>The gateway daemon's Unix socket.</summary>
    internal string GatewayApi => Path.Combine(_directory, "gateway.sock");

    internal string VpsConfig => Path.Combine(_directory, "vps.yaml");

    internal LabProcess Gateway => _gateway ?? throw new InvalidOperationException("the gateway is not started");

    internal LabProcess Vps => _vps ?? throw new InvalidOperationException("the VPS is not started");

    /// <summary>The gateway's SOCKS5 server, in the LAN.</summary>
    internal IPEndPoint Socks { get; } = new(LabAddresses.LanGateway, SocksPort);

    /// <summary>The gateway's HTTP proxy, in the LAN.</summary>
    internal IPEndPoint Http { get; } = new(LabAddresses.LanGateway, HttpPort);

    /// <summary>Starts both, pairs them and waits until the gateway is connected over every active link that is up.</summary>
    /// <exception cref="IOException">A daemon or a command failed; the message has its output.</exception>
    /// <exception cref="TimeoutException">It did not come to be connected.</exception>
    internal static async Task<AggregatorUnderTest> StartAsync(NetworkLab lab, ProductSettings? settings = null)
    {
        AggregatorUnderTest product = await PrepareAsync(lab, settings);
        try
        {
            await product.StartVpsAsync();
            await product.PairAsync();
            product.StartGateway();
            await product.WaitForConnectedAsync();
            return product;
        }
        catch
        {
            await product.DisposeAsync();
            throw;
        }
    }

    /// <summary>Writes the configuration files and starts nothing.</summary>
    internal static async Task<AggregatorUnderTest> PrepareAsync(NetworkLab lab, ProductSettings? settings = null)
    {
        var product = new AggregatorUnderTest(lab, settings ?? new ProductSettings());
        await File.WriteAllTextAsync(product.VpsConfig, product.VpsText());
        await File.WriteAllTextAsync(product.GatewayConfig, product.GatewayText());
        return product;
    }

    internal async Task StartVpsAsync()
    {
        string[] command = [.. _settings.VpsLauncher, ProductFiles.Vps, "run", "--config", VpsConfig];
        _vps = Lab.Vps.Start(command[0], command[1..]);
        await WaitAsync(
            _vps,
            async () => (await Lab.Vps.OutputAsync("ss", "-Hltn", "sport", "=", $":{Port}")).Length > 0,
            $"listener on port {Port}",
            StartTime);
    }

    internal void StartGateway()
    {
        string[] command = [.. _settings.GatewayLauncher, ProductFiles.Gateway, "run", "--config", GatewayConfig];
        _gateway = Lab.Gateway.Start(command[0], command[1..]);
    }

    /// <summary>Makes a code on the VPS and proves it on the gateway.</summary>
    internal async Task PairAsync(string name = "home")
    {
        string uri = (await VpsCommandAsync("pair", "--name", name)).OutputOrThrow().Trim();
        (await GatewayCommandAsync("pair", uri)).OutputOrThrow();
    }

    /// <summary>Runs aggregator-gateway with our configuration, on the gateway.</summary>
    internal Task<ToolResult> GatewayCommandAsync(params string[] arguments) =>
        Lab.Gateway.RunAsync(ProductFiles.Gateway, [.. arguments, "--config", GatewayConfig]);

    /// <summary>Runs aggregator-vps with our configuration, on the VPS.</summary>
    internal Task<ToolResult> VpsCommandAsync(params string[] arguments) =>
        Lab.Vps.RunAsync(ProductFiles.Vps, [.. arguments, "--config", VpsConfig]);

    /// <summary>`aggregator-gateway status --json`.</summary>
    internal async Task<JsonElement> StatusAsync()
    {
        using JsonDocument status = JsonDocument.Parse((await GatewayCommandAsync("status", "--json")).OutputOrThrow());
        return status.RootElement.Clone();
    }

    /// <summary>Waits until the node is connected and every active link works, if not well.</summary>
    internal Task WaitForConnectedAsync(TimeSpan? atMost = null) => WaitForStatusAsync(
        s => s.GetProperty("node").GetProperty("state").GetString() == "connected"
            && s.GetProperty("links").EnumerateArray().All(l => l.GetProperty("role").GetString() != "active" || l.GetProperty("state").GetString() != "down"),
        "connection over every active link",
        atMost ?? StartTime);

    /// <summary>Asks for the status until it is as <paramref name="condition"/> wants it, and `status --json` says so.</summary>
    internal async Task WaitForStatusAsync(Func<JsonElement, bool> condition, string what, TimeSpan atMost)
    {
        string last = "";
        try
        {
            await WaitAsync(
                Gateway,
                async () =>
                {
                    last = await AskAsync();
                    if (!Holds(last))
                    {
                        return false;
                    }

                    ToolResult status = await GatewayCommandAsync("status", "--json");
                    last = status.Succeeded ? status.Output : status.Error;
                    return status.Succeeded && Holds(last);
                },
                what,
                atMost);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}\n--- last status\n{last}", e);
        }

        bool Holds(string status)
        {
            if (!status.StartsWith('{'))
            {
                return false;
            }

            using JsonDocument document = JsonDocument.Parse(status);
            return condition(document.RootElement);
        }
    }

    /// <summary>The daemon's status as the command would print it, or why there is none. Asked in here: a command compiles itself for half a second of both processors each time.</summary>
    private async Task<string> AskAsync()
    {
        try
        {
            using LocalClient? local = await LocalClient.TryConnectAsync(GatewayApi, CancellationToken.None);
            return local is null
                ? "the daemon does not answer"
                : JsonOutput.Format(await new GatewayLocal.GatewayLocalClient(local.Channel).GetStatusAsync(new StatusRequest()).ResponseAsync);
        }
        catch (RpcException e)
        {
            // It is about to start or to end.
            return e.Status.ToString();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (LabProcess? process in (LabProcess?[])[_gateway, _vps])
        {
            if (process is { HasExited: false })
            {
                try
                {
                    // In good order, so that every test also sees the daemons end.
                    await process.StopAsync(TimeSpan.FromSeconds(15));
                }
                finally
                {
                    process.Kill();
                }
            }
        }

        ExitCleanup.RemoveDirectory(_directory);
    }

    private static async Task WaitAsync(LabProcess process, Func<Task<bool>> condition, string what, TimeSpan atMost)
    {
        using var limit = new CancellationTokenSource(atMost);
        while (!await condition())
        {
            if (process.HasExited)
            {
                throw new IOException($"{process.Title} ended with status {process.ExitCode}\n{process.Transcript()}");
            }

            if (limit.IsCancellationRequested)
            {
                throw new TimeoutException($"{process.Title}: no {what} within {atMost.TotalSeconds:0} s\n{process.Transcript()}");
            }

            await Task.Delay(LookAgain);
        }
    }

    private string VpsText()
    {
        var text = new StringBuilder();
        text.Append($"listen: \"[::]:{Port}\"\n");
        text.Append($"public: [{string.Join(", ", (_settings.Public ?? [LabAddresses.Vps.ToString()]).Select(Quoted))}]\n");
        text.Append($"egress:\n  allow: [{string.Join(", ", _settings.EgressAllow.Select(Quoted))}]\n");
        text.Append(_settings.Encrypt ? "" : "plain: allow\n");
        text.Append($"state: {Path.Combine(_directory, "vps")}\napi: {Path.Combine(_directory, "vps.sock")}\n");
        return text.Append(_settings.VpsMore).ToString();
    }

    private string GatewayText()
    {
        var text = new StringBuilder();
        text.Append(Lab.Spec.ClientLan ? "lan: [lan0]\n" : "");
        text.Append("wans:\n");
        foreach (LabWan wan in Lab.Wans)
        {
            text.Append($"  - interface: {wan.Interface}\n    name: {wan.Name}\n");
            text.Append(_settings.WanMore.GetValueOrDefault(wan.Name, ""));
            text.Append(_settings.Roles.TryGetValue(wan.Name, out string? role) ? $"    role: {role}\n" : "");
        }

        if (Lab.Spec.ClientLan)
        {
            text.Append($"ingress:\n  transparent: {_settings.TransparentText ?? (_settings.Transparent ? "true" : "false")}\n  socks: {Socks}\n  http: {Http}\n");
        }

        text.Append(_settings.Carrier is { } carrier ? $"carrier: {carrier}\n" : "");
        text.Append(_settings.Encrypt ? "" : "cipher: none\n");
        text.Append($"state: {Path.Combine(_directory, "gateway")}\napi: {GatewayApi}\n");
        return text.Append(_settings.GatewayMore).ToString();
    }

    private static string Quoted(string text) => $"\"{text}\"";
}
