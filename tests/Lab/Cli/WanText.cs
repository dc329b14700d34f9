using System.Globalization;
using Aggregator.Lab.Emulation;
using Aggregator.Lab.Topology;

namespace Aggregator.Lab.Cli;

/// <summary>WANs and changes to them as people type them: `name=fibre,down=100,up=20,delay=10,loss=0.001,queue=500k,nat=symmetric`.</summary>
internal static class WanText
{
    internal const string Help =
        "name=NAME, down=MBIT/S, up=MBIT/S (0: unlimited), delay=MS (one way), jitter=MS, loss=RATIO (0.01 or 1%), queue=BYTES (500k, 2M), mtu=BYTES, "
        + "burst=BYTES@MBIT/S (7M@80: so much at that rate before the line's own holds), "
        + "nat=none|port-restricted|symmetric, strip=none|all|syn|synack|data-up|data-down|join|drop-join|drop-capable (joined by +), family=4|6|46, unshaped";

    /// <param name="text">`key=value,…`</param>
    /// <param name="number">Gives the name where none is given: wan1…</param>
    /// <exception cref="FormatException">The message names the key.</exception>
    internal static WanSpec Parse(string text, int number)
    {
        var spec = new WanSpec($"wan{number}");
        foreach (string part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var (key, value) = Pair(part);
            spec = key switch
            {
                "name" => spec with { Name = value },
                "down" => spec with { DownMbps = Rate(key, value) },
                "up" => spec with { UpMbps = Rate(key, value) },
                "delay" => spec with { DelayMs = Number(key, value) },
                "jitter" => spec with { JitterMs = Number(key, value) },
                "loss" => spec with { LossRatio = Ratio(key, value) },
                "queue" => spec with { QueueBytes = Bytes(key, value) },
                "mtu" => spec with { MtuBytes = Bytes(key, value) },
                "burst" when Burst(value) is var (bytes, rate) => spec with { BurstBytes = bytes, BurstMbps = rate },
                "nat" => spec with { Nat = Nat(value) },
                "strip" => spec with { Interference = Interference(value) },
                "family" when value is "4" or "6" or "46" => spec with { IPv4 = value.Contains('4'), IPv6 = value.Contains('6') },
                "unshaped" => spec with { Unshaped = value is "" or "yes" or "true" },
                _ => throw new FormatException($"'{part}': not understood; known are {Help}"),
            };
        }

        try
        {
            spec.Check();
        }
        catch (ArgumentException e)
        {
            throw new FormatException(e.Message);
        }

        return spec;
    }

    /// <summary>Applies one `key=value` to a WAN that works. What can be set: the link's keys for both directions, or for one with `down.` or `up.` before
    /// them; `rate` of both; `strip`; `blackhole=on|off`; `carrier=on|off`; `gone` and `back`.</summary>
    /// <exception cref="FormatException">The message names the key.</exception>
    internal static async Task ApplyAsync(LabWan wan, string text)
    {
        var (key, value) = Pair(text);
        switch (key)
        {
            case "carrier":
                await wan.CarrierAsync(OnOff(key, value));
                return;
            case "gone":
                await wan.RemoveAsync();
                return;
            case "back":
                await wan.RestoreAsync();
                return;
            case "strip":
                wan.Interference = Interference(value);
                return;
            case "down":
                wan.Down.Set(s => s with { RateMbps = Rate(key, value) });
                return;
            case "up":
                wan.Up.Set(s => s with { RateMbps = Rate(key, value) });
                return;
        }

        int dot = key.IndexOf('.');
        string side = dot < 0 ? "" : key[..dot];
        var change = Change(key[(dot + 1)..], value);
        if (side is "" or "down")
        {
            wan.Down.Set(change);
        }

        if (side is "" or "up")
        {
            wan.Up.Set(change);
        }

        if (side is not ("" or "down" or "up"))
        {
            throw new FormatException($"'{key}': the directions are down and up");
        }
    }

    internal static string Describe(MptcpInterference interference) => interference switch
    {
        MptcpInterference.None => "none",
        MptcpInterference.StripAll => "all",
        _ => string.Join('+', Names.Where(n => n.Flag != MptcpInterference.StripAll && interference.HasFlag(n.Flag)).Select(n => n.Name)),
    };

    private static readonly (string Name, MptcpInterference Flag)[] Names =
    [
        ("all", MptcpInterference.StripAll),
        ("syn", MptcpInterference.StripSyn),
        ("synack", MptcpInterference.StripSynAck),
        ("data-up", MptcpInterference.StripDataUp),
        ("data-down", MptcpInterference.StripDataDown),
        ("join", MptcpInterference.StripJoin),
        ("drop-join", MptcpInterference.DropJoinSyn),
        ("drop-capable", MptcpInterference.DropCapableSyn),
    ];

    private static Func<LinkSettings, LinkSettings> Change(string key, string value) => key switch
    {
        "rate" when Rate(key, value) is var rate => s => s with { RateMbps = rate },
        "delay" when Milliseconds(key, value) is var delay => s => s with { Delay = delay },
        "jitter" when Milliseconds(key, value) is var jitter => s => s with { Jitter = jitter },
        "loss" when Ratio(key, value) is var loss => s => s with { LossRatio = loss },
        "queue" when Bytes(key, value) is var queue => s => s with { QueueBytes = queue },
        "burst" when Burst(value) is var (burst, at) => s => s with { BurstBytes = burst, BurstRateBitsPerSecond = at is { } mbps ? (long)(mbps * 1e6) : null },
        "mtu" when Bytes(key, value) is var mtu => s => s with { MtuBytes = mtu == 0 ? null : mtu },
        "blackhole" when OnOff(key, value) is var on => s => s with { BlackHole = on },
        _ => throw new FormatException($"'{key}' cannot be set: known are down, up, rate, burst, delay, jitter, loss, queue, mtu, blackhole "
            + "(with down. or up. before them for one direction), strip, carrier, gone, back"),
    };

    private static (string Key, string Value) Pair(string text)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        return equals < 0 ? (text, "") : (text[..equals], text[(equals + 1)..]);
    }

    /// <summary>`7M@80`; without a rate as fast as the emulator can, and `0` takes the burst away.</summary>
    private static (int Bytes, double? Mbps) Burst(string value)
    {
        int at = value.IndexOf('@', StringComparison.Ordinal);
        return at < 0 ? (Bytes("burst", value), null) : (Bytes("burst", value[..at]), Rate("burst", value[(at + 1)..]));
    }

    private static double? Rate(string key, string value) => Number(key, value) is > 0 and var rate ? rate : null;

    private static TimeSpan Milliseconds(string key, string value) => TimeSpan.FromMilliseconds(Number(key, value));

    private static double Number(string key, string value) =>
        double.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number) && number <= 1e6
            ? number
            : throw new FormatException($"{key}={value}: a number is needed");

    private static double Ratio(string key, string value) => value.EndsWith('%') ? Number(key, value[..^1]) / 100 : Number(key, value);

    private static int Bytes(string key, string value)
    {
        long unit = value.Length == 0 ? 1 : char.ToLowerInvariant(value[^1]) switch { 'k' => 1000, 'm' => 1_000_000, _ => 1 };
        double bytes = Number(key, unit == 1 ? value : value[..^1]) * unit;
        return bytes <= int.MaxValue ? (int)bytes : throw new FormatException($"{key}={value}: too much");
    }

    private static bool OnOff(string key, string value) => value switch
    {
        "on" or "yes" or "true" or "1" => true,
        "off" or "no" or "false" or "0" => false,
        _ => throw new FormatException($"{key}={value}: on or off"),
    };

    private static NatKind Nat(string value) => value switch
    {
        "none" => NatKind.None,
        "port-restricted" => NatKind.PortRestricted,
        "symmetric" => NatKind.Symmetric,
        _ => throw new FormatException($"nat={value}: none, port-restricted or symmetric"),
    };

    private static MptcpInterference Interference(string value)
    {
        var result = MptcpInterference.None;
        foreach (string name in value.Split('+'))
        {
            int known = Array.FindIndex(Names, n => n.Name == name);
            result |= known >= 0
                ? Names[known].Flag
                : name == "none" ? MptcpInterference.None : throw new FormatException($"strip={value}: none, {string.Join(", ", Names.Select(n => n.Name))}");
        }

        return result;
    }
}
