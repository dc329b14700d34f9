using System.Globalization;
using Aggregator.Gateway.Policy;
using Aggregator.Host;
using Aggregator.Netlink;
using Aggregator.Processes;

namespace Aggregator.Gateway.Apply;

/// <summary>
/// Caps of WANs: a token bucket (TBF) as the interface's queueing discipline for what is sent; for what is received the same on an intermediate
/// device (IFB) that all incoming packets pass. Both delay rather than drop, as a slower line would. A queueing discipline that somebody else has
/// set up (SQM, for one) is left alone, and the cap is told to be missing. By `tc` and `ip`, which every host that routes has.
/// </summary>
internal sealed class RateCaps(HostJournal journal, RouteSocket routes)
{
    private const string Key = "cap/";

    /// <summary>Marks ours: `tc qdisc` shows it as a600:.</summary>
    private const uint Handle = 0xA600_0000;

    private const uint RootParent = 0xFFFF_FFFF;
    private const uint IngressHandle = 0xFFFF_0000;

    /// <summary>What a burst may send at line speed: 5 ms, and never less than some packets (or a large one would not pass at all).</summary>
    private const double BurstSeconds = 0.005;
    private const long LeastBurstBytes = 16 * 1024;

    /// <summary>How long a packet waits at most. Enough for TCP to fill the rate over 100 ms, short enough to talk beside it.</summary>
    private const int LatencyMs = 60;

    internal async Task ApplyAsync(IReadOnlyCollection<HostCap> wanted, List<string> done, Action<HostWarning> problem, CancellationToken cancellationToken)
    {
        var noted = Noted();
        if (wanted.Count == 0 && noted.Count == 0)
        {
            return;
        }

        var qdiscs = await routes.QdiscsAsync(cancellationToken);
        foreach (var (device, note) in noted.Where(n => wanted.All(w => w.Interface != n.Key)))
        {
            await RemoveAsync(device, note, cancellationToken);
            journal.Forget(Key + device);
            done.Add($"cap of {device} removed");
        }

        foreach (var cap in wanted.Where(w => !IsThere(w, qdiscs, noted)))
        {
            if (!noted.ContainsKey(cap.Interface) && Foreign(cap, qdiscs) is { } foreign)
            {
                problem(new HostWarning("cap-missing", foreign));
                continue;
            }

            if (noted.TryGetValue(cap.Interface, out string? old))
            {
                await RemoveAsync(cap.Interface, old, cancellationToken);
            }

            // Before the change: `down` must find it whatever happens next.
            journal.Update(Key + cap.Interface, Note(cap));
            if (await SetAsync(cap, cancellationToken) is { } why)
            {
                problem(new HostWarning("cap-missing", $"the cap of {cap.Interface} cannot be set: {why}"));
            }
            else
            {
                done.Add($"cap: {cap}");
            }
        }
    }

    internal async Task<int> RemoveAllAsync(CancellationToken cancellationToken)
    {
        var noted = Noted();
        foreach (var (device, note) in noted)
        {
            await RemoveAsync(device, note, cancellationToken);
            journal.Forget(Key + device);
        }

        return noted.Count;
    }

    private Dictionary<string, string> Noted() =>
        journal.Others.Where(o => o.Key.StartsWith(Key, StringComparison.Ordinal)).ToDictionary(o => o.Key[Key.Length..], o => o.Value);

    /// <summary>What somebody else has set up there; null: nothing. The kernel's own disciplines have no handle.</summary>
    private static string? Foreign(HostCap cap, List<QdiscInfo> qdiscs)
    {
        if (cap.UpBitsPerSecond is not null
            && qdiscs.FirstOrDefault(q => q.InterfaceIndex == cap.Index && q.Parent == RootParent && q.Handle != 0 && q.Handle != Handle) is { } root)
        {
            return $"{cap.Interface} has a queueing discipline of its own ({root.Kind}); it is left alone and the cap is not set: remove it (`tc qdisc del dev {cap.Interface} root`), or set the rate there";
        }

        return cap.DownBitsPerSecond is not null && qdiscs.Any(q => q.InterfaceIndex == cap.Index && q.Handle == IngressHandle)
            ? $"{cap.Interface} has an ingress discipline of its own; it is left alone and the cap is not set"
            : null;
    }

    private static bool IsThere(HostCap cap, List<QdiscInfo> qdiscs, Dictionary<string, string> noted)
    {
        bool up = qdiscs.Any(q => q.InterfaceIndex == cap.Index && q.Parent == RootParent && q.Handle == Handle);
        bool down = qdiscs.Any(q => q.InterfaceIndex == cap.Index && q.Handle == IngressHandle);
        return noted.GetValueOrDefault(cap.Interface) == Note(cap) && up == cap.UpBitsPerSecond is not null && down == cap.DownBitsPerSecond is not null;
    }

    /// <summary>The intermediate device, then what is set: a change of either is another note.</summary>
    private static string Note(HostCap cap) => $"{cap.Device} {cap}";

    /// <returns>Null: it is set.</returns>
    private static async Task<string?> SetAsync(HostCap cap, CancellationToken cancellationToken)
    {
        if (cap.UpBitsPerSecond is { } up && await TcAsync(Bucket(cap.Interface, up), cancellationToken) is { } problem)
        {
            return problem;
        }

        if (cap.DownBitsPerSecond is not { } down)
        {
            return null;
        }

        if (await RunAsync("ip", ["link", "add", cap.Device, "type", "ifb"], cancellationToken) is { } noDevice)
        {
            return $"what is received needs the kernel's ifb device: {noDevice}";
        }

        problem = await RunAsync("ip", ["link", "set", cap.Device, "up"], cancellationToken)
            ?? await TcAsync(Bucket(cap.Device, down), cancellationToken)
            ?? await TcAsync($"qdisc add dev {cap.Interface} handle ffff: ingress", cancellationToken);
        if (problem is not null)
        {
            return problem;
        }

        // Kernels have the one or the other classifier.
        string redirect = $"action mirred egress redirect dev {cap.Device}";
        return await TcAsync($"filter add dev {cap.Interface} parent ffff: protocol all matchall {redirect}", cancellationToken) is null
            ? null
            : await TcAsync($"filter add dev {cap.Interface} parent ffff: protocol all u32 match u32 0 0 {redirect}", cancellationToken);
    }

    private static string Bucket(string device, long bitsPerSecond)
    {
        long burst = Math.Max(LeastBurstBytes, (long)(bitsPerSecond / 8.0 * BurstSeconds));
        return string.Create(CultureInfo.InvariantCulture, $"qdisc replace dev {device} root handle a600: tbf rate {bitsPerSecond}bit burst {burst} latency {LatencyMs}ms");
    }

    /// <summary>What is not there is removed already.</summary>
    private async Task RemoveAsync(string device, string note, CancellationToken cancellationToken)
    {
        var links = await routes.LinksAsync(cancellationToken);
        var qdiscs = await routes.QdiscsAsync(cancellationToken);
        if (links.FirstOrDefault(l => l.Name == device) is { } link)
        {
            if (qdiscs.Any(q => q.InterfaceIndex == link.Index && q.Parent == RootParent && q.Handle == Handle))
            {
                await TcAsync($"qdisc del dev {device} root", cancellationToken);
            }

            // Ours where the note says that what is received is capped.
            if (note.Contains(" down ", StringComparison.Ordinal) && qdiscs.Any(q => q.InterfaceIndex == link.Index && q.Handle == IngressHandle))
            {
                await TcAsync($"qdisc del dev {device} ingress", cancellationToken);
            }
        }

        string intermediate = note.Split(' ')[0];
        if (links.Any(l => l.Name == intermediate))
        {
            await RunAsync("ip", ["link", "del", intermediate], cancellationToken);
        }
    }

    private static Task<string?> TcAsync(string command, CancellationToken cancellationToken) => RunAsync("tc", command.Split(' '), cancellationToken);

    private static async Task<string?> RunAsync(string program, string[] arguments, CancellationToken cancellationToken)
    {
        var result = await Tool.RunAsync(program, arguments, cancellationToken: cancellationToken);
        return result.Succeeded ? null
            : result.ExitCode == 127 ? $"the program {program} (package iproute2) is not installed"
            : result.Error.Trim().Split('\n')[0];
    }
}
