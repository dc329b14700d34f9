using System.Globalization;
using Aggregator.Interop;
using Aggregator.Lab.Product;
using Aggregator.Network.Tests.Scenarios;
using Aggregator.Processes;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Hardening;

/// <summary>What people do to a running gateway without meaning harm.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class GatewayAloneTests
{
    private static readonly TimeSpan AtMost = TimeSpan.FromSeconds(30);

    [SkippableFact]
    public async Task A_second_gateway_is_turned_away_and_a_hang_up_ends_nothing()
    {
        await using Scene scene = await Scene.StartAsync();
        AggregatorUnderTest product = scene.Product;
        string rules = await RulesAsync(scene);

        // Another state, and by mistake the same `api`.
        string config = product.GatewayConfig + ".second";
        string text = await File.ReadAllTextAsync(product.GatewayConfig);
        await File.WriteAllTextAsync(config, text.Replace("/gateway\napi:", "/gateway-second\napi:", StringComparison.Ordinal));
        (await File.ReadAllTextAsync(config)).ShouldNotBe(text);
        ToolResult second = await scene.Lab.Gateway.RunAsync(ProductFiles.Gateway, "run", "--config", config);
        second.ExitCode.ShouldBe(1);
        second.Error.ShouldContain("another aggregator-gateway");
        second.Error.Trim().ShouldNotContain("\n");
        (await RulesAsync(scene)).ShouldBe(rules);
        (await product.StatusAsync()).GetProperty("node").GetProperty("state").GetString().ShouldBe("connected");

        // A terminal that is closed, or a reload out of habit: the session is made anew, and the rules stay.
        product.Gateway.Signal(Libc.SIGHUP).ShouldBeTrue();
        await product.WaitForConnectedAsync(AtMost);
        product.Gateway.HasExited.ShouldBeFalse();
        (await RulesAsync(scene)).ShouldBe(rules);
    }

    [SkippableFact]
    public async Task A_full_state_directory_is_one_line_and_leaves_nothing_on_the_host()
    {
        await using Scene scene = await Scene.PrepareAsync();
        string rules = await RulesAsync(scene);
        string state = Directory.CreateTempSubdirectory("aggregator-full-").FullName;
        try
        {
            // In a mount namespace of its own, which goes with the command. Room for the key and little more.
            string yaml = Path.Combine(state, "gateway.yaml");
            string text = await File.ReadAllTextAsync(scene.Product.GatewayConfig);
            string full = Path.Combine(state, "full");
            Directory.CreateDirectory(full);
            await File.WriteAllTextAsync(yaml, string.Join('\n', text.Split('\n').Where(l => !l.StartsWith("state:", StringComparison.Ordinal))) + $"\nstate: {full}\n");
            string script = string.Create(
                CultureInfo.InvariantCulture,
                $"mount -t tmpfs -o size=64k,mode=700 tmpfs {full} && {{ openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt; }} > {full}/identity.pem && chmod 600 {full}/identity.pem && : > {full}/lock && head -c 70000 /dev/zero > {full}/fill; exec {ProductFiles.Gateway} run --config {yaml}");
            ToolResult run = await scene.Lab.Gateway.RunAsync("unshare", "--mount", "sh", "-c", script);
            run.ExitCode.ShouldBe(1);
            string last = run.Error.Trim().Split('\n')[^1];
            last.ShouldStartWith("aggregator-gateway: ");
            last.ShouldContain("No space left on device");
            run.Error.ShouldNotContain("   at ");
            (await RulesAsync(scene)).ShouldBe(rules);
        }
        finally
        {
            Directory.Delete(state, recursive: true);
        }
    }

    private static async Task<string> RulesAsync(Scene scene) =>
        await scene.Lab.Gateway.OutputAsync("ip", "-4", "rule") + await scene.Lab.Gateway.OutputAsync("ip", "-6", "rule");
}
