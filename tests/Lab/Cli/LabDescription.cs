using System.Text.Json;
using System.Text.Json.Serialization;
using Aggregator.Lab.Topology;

namespace Aggregator.Lab.Cli;

/// <summary>A lab as scripts read it: `netlab up --json` prints it on one line.</summary>
internal sealed record LabDescription(string Id, IReadOnlyList<HostDescription> Hosts, IReadOnlyList<WanDescription> Wans)
{
    internal static LabDescription Of(NetworkLab lab) => new(
        lab.Id,
        [.. lab.Hosts.Select(h => new HostDescription(h.Role, h.Name, h.Address?.ToString(), h.AddressV6?.ToString()))],
        [.. lab.Wans.Select(w => new WanDescription(
            w.Name, w.Interface, w.Address?.ToString(), w.Router?.ToString(), w.AddressV6?.ToString(), w.RouterV6?.ToString()))]);

    internal string ToJson() => JsonSerializer.Serialize(this, LabJson.Default.LabDescription);
}

/// <param name="Namespace">For `ip netns exec`.</param>
internal sealed record HostDescription(string Role, string Namespace, string? Address, string? AddressV6);

internal sealed record WanDescription(string Name, string Interface, string? Address, string? Router, string? AddressV6, string? RouterV6);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(LabDescription))]
internal sealed partial class LabJson : JsonSerializerContext;
