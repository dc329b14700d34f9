using System.Text.Json;
using Aggregator.Lab.Product;

namespace Aggregator.Benchmarks.Scenarios.Packets;

/// <summary>What a run cost, and what either end says of its packets: where a figure does not hold, this says where to look.</summary>
internal sealed class PacketLoad
{
    private readonly AggregatorUnderTest _product;
    private readonly (string Name, int Id)[] _processes;
    private readonly double[] _seconds;

    private PacketLoad(AggregatorUnderTest product)
    {
        _product = product;
        _processes = [("gateway", product.Gateway.Id), ("VPS", product.Vps.Id), ("lines and load", Environment.ProcessId)];
        _seconds = [.. _processes.Select(p => ProcessUsage.Of(p.Id).CpuSeconds)];
    }

    internal static PacketLoad Begin(AggregatorUnderTest product) => new(product);

    internal async Task<string> EndAsync()
    {
        string cpu = string.Join(", ", _processes.Select((p, i) => $"{p.Name} {ProcessUsage.Of(p.Id).CpuSeconds - _seconds[i]:0.0}"));
        JsonElement gateway = (await _product.StatusAsync()).GetProperty("packets");
        using JsonDocument vps = JsonDocument.Parse((await _product.VpsCommandAsync("status", "--json")).OutputOrThrow());
        JsonElement far = vps.RootElement.GetProperty("gateways")[0].GetProperty("packets");
        return $"CPU seconds: {cpu}; gateway's {Tell(gateway)}; VPS's {Tell(far)}";
    }

    private static string Tell(JsonElement packets)
    {
        JsonElement lanes = packets.GetProperty("datagrams");
        return $"{Number(packets, "out_packets")} out, {Number(packets, "in_packets")} in; dropped {Number(packets, "dropped")}; by trunk: missing {Number(packets, "missing")}, late {Number(packets, "late")}; "
            + $"by datagram lanes: missing {Number(lanes, "missing")}, late {Number(lanes, "late")} ("
            + string.Join(", ", lanes.GetProperty("lanes").EnumerateArray().Select(l => $"{l.GetProperty("link")} {Number(l, "tx_bytes") / 1e6:0.0} MB out, {Number(l, "rx_bytes") / 1e6:0.0} in, loss {Number(l, "loss_out_ratio"):0.000}/{Number(l, "loss_in_ratio"):0.000}, rtt {Number(l, "rtt_ms"):0}"))
            + ")";
    }

    private static double Number(JsonElement of, string name) => of.GetProperty(name) is { ValueKind: JsonValueKind.Number } value ? value.GetDouble() : 0;
}
