using System.Text.Json;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Lab;
using Aggregator.Network.Tests.Scenarios;
using Aggregator.Processes;

namespace Aggregator.Network.Tests.Speed;

/// <summary>`speedtest --json` of the real daemons in a lab.</summary>
internal static class SpeedScene
{
    internal static async Task<JsonElement> SpeedtestAsync(this Scene scene, params string[] arguments)
    {
        ToolResult result = await scene.Product.GatewayCommandAsync(["speedtest", "--json", .. arguments]);
        using JsonDocument document = JsonDocument.Parse(result.OutputOrThrow());
        return document.RootElement.Clone();
    }

    internal static JsonElement Link(this JsonElement result, string name) =>
        result.GetProperty("links").EnumerateArray().Single(l => l.GetProperty("name").GetString() == name);

    internal static double? Number(this JsonElement element, string name) =>
        element.GetProperty(name) is { ValueKind: JsonValueKind.Number } value ? value.GetDouble() : null;

    internal static string? Text(this JsonElement element, string name) => element.GetProperty(name).GetString();
}
