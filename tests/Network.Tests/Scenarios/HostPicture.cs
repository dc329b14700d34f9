using System.Text.RegularExpressions;
using Aggregator.Lab.Topology;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>Everything on a host that the gateway may change, as the system's own tools print it.</summary>
internal static partial class HostPicture
{
    private static readonly string[][] Commands =
    [
        ["ip", "-4", "rule"],
        ["ip", "-6", "rule"],
        ["ip", "-4", "route", "show", "table", "all"],
        ["ip", "-6", "route", "show", "table", "all"],
        ["nft", "list", "ruleset"],
        ["ip", "mptcp", "endpoint"],
        ["ip", "mptcp", "limits"],
    ];

    /// <summary>As issue and users look at it.</summary>
    internal static async Task<string> ReadAsync(LabHost host)
    {
        var text = new System.Text.StringBuilder();
        foreach (string[] command in Commands)
        {
            text.Append($"# {string.Join(' ', command)}\n{await host.OutputAsync(command[0], command[1..])}");
        }

        return text.Append(await SysctlsAsync(host)).ToString();
    }

    /// <summary>
    /// The same, without what any two starts may have different: the port of the transparent listener, the numbers that the kernel gives endpoints,
    /// and buffer sizes, which follow the round trips measured (a busy machine's are longer). Endpoints and routes are listed in the order in
    /// which they were made; it means nothing, so they are sorted. Whether an endpoint is a backup follows how well its line does at that moment.
    /// </summary>
    internal static async Task<string> ReadComparableAsync(LabHost host) =>
        SortedSections(BufferSize().Replace(BackupEndpoint().Replace(EndpointId().Replace(TproxyPort().Replace(await ReadAsync(host), "$1PORT"), "id N"), "$1"), "$1SIZE"));

    private static string SortedSections(string picture) => string.Join(
        "\n# ",
        picture.Split("\n# ").Select(section =>
        {
            string[] lines = section.Split('\n');
            return lines[0].Contains(" route ", StringComparison.Ordinal) || lines[0].EndsWith("mptcp endpoint", StringComparison.Ordinal)
                ? string.Join('\n', lines[..1].Concat(lines[1..].Order(StringComparer.Ordinal)))
                : section;
        }));

    /// <summary>The lines that differ, for the message of a failed test; empty where both are equal byte by byte.</summary>
    internal static string Difference(string wanted, string actual)
    {
        if (wanted == actual)
        {
            return "";
        }

        List<string> missing = [.. wanted.Split('\n')], added = [];
        foreach (string line in actual.Split('\n'))
        {
            if (!missing.Remove(line))
            {
                added.Add(line);
            }
        }

        return missing.Count + added.Count == 0
            ? $"the same lines in another order:\n{actual}"
            : string.Join('\n', missing.Select(l => $"- {l}").Concat(added.Select(l => $"+ {l}")));
    }

    /// <summary>The network's, without counters that live by themselves.</summary>
    private static async Task<string> SysctlsAsync(LabHost host) =>
        $"# sysctl\n{await host.ShellAsync("sysctl -a 2>/dev/null | grep '^net\\.' | grep -v -e nf_conntrack_count -e '\\.nf_log\\.' -e stable_secret")}";

    [GeneratedRegex(@"(tproxy [^\n]*:)\d+")]
    private static partial Regex TproxyPort();

    [GeneratedRegex(@"(net\.ipv4\.tcp_[rw]mem = \d+\s+\d+\s+)\d+")]
    private static partial Regex BufferSize();

    [GeneratedRegex(@"(\bid N [^\n]*) backup\b")]
    private static partial Regex BackupEndpoint();

    [GeneratedRegex(@"\bid \d+")]
    private static partial Regex EndpointId();
}
