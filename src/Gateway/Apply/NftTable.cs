using Aggregator.Gateway.Links;
using System.Security.Cryptography;
using System.Text;
using Aggregator.Gateway.Policy;
using Aggregator.Host;
using Aggregator.Processes;

namespace Aggregator.Gateway.Apply;

/// <summary>
/// Loads and removes the gateway's one nftables table. What was loaded is remembered as two digests, of our text and of the listing that nft
/// gave for it: so a table that somebody has changed since is seen, whatever form nft prints it in.
/// </summary>
internal sealed class NftTable(HostJournal journal)
{
    private const string JournalKey = "nft/inet/" + HostNumbers.NftTable;

    /// <summary>Noted before the first load: from then on a table of this name is ours.</summary>
    private const string Loading = "loading";

    private static readonly string[] List = ["list", "table", "inet", HostNumbers.NftTable];
    private static readonly string[] Delete = ["delete", "table", "inet", HostNumbers.NftTable];

    /// <summary>Changes made (0 or 1), or what stands in the way.</summary>
    internal async Task<(int Changes, HostWarning? Problem)> ApplyAsync(TproxyTable? wanted, CancellationToken cancellationToken)
    {
        bool ours = journal.Others.TryGetValue(JournalKey, out string? noted);
        if (wanted is null)
        {
            return ours ? await RemoveAsync(cancellationToken) : (0, null);
        }

        string script = wanted.Script();
        var listing = await Tool.RunAsync("nft", List, cancellationToken: cancellationToken);
        if (Missing(listing) is { } missing)
        {
            return (0, missing);
        }

        if (listing.Succeeded && !ours && !IsMarked(listing.Output))
        {
            return (0, new HostWarning("nft-table-taken", $"there is a table `inet {HostNumbers.NftTable}` that the gateway did not make; rename it to use transparent ingress"));
        }

        if (listing.Succeeded && noted == Digests(script, listing.Output))
        {
            return (0, null);
        }

        journal.Update(JournalKey, Loading);
        var loaded = await Tool.RunAsync("nft", ["-f", "-"], script, cancellationToken);
        if (!loaded.Succeeded)
        {
            return (0, new HostWarning("tproxy-unavailable", $"transparent ingress is off: nft refuses its table ({FirstLine(loaded.Error)})"));
        }

        listing = await Tool.RunAsync("nft", List, cancellationToken: cancellationToken);
        journal.Update(JournalKey, Digests(script, listing.Output));
        return (1, null);
    }

    /// <summary>Removes the table where it is ours.</summary>
    internal async Task<(int Changes, HostWarning? Problem)> RemoveAsync(CancellationToken cancellationToken)
    {
        var listing = await Tool.RunAsync("nft", List, cancellationToken: cancellationToken);
        if (!listing.Succeeded)
        {
            if (IsAbsent(listing))
            {
                journal.Forget(JournalKey);
                return (0, null);
            }

            // Without nft there is no table that we could have loaded; only an entry in the journal says otherwise.
            return (0, journal.Others.ContainsKey(JournalKey) ? Missing(listing) : null);
        }

        if (!journal.Others.ContainsKey(JournalKey) && !IsMarked(listing.Output))
        {
            return (0, null);
        }

        var deleted = await Tool.RunAsync("nft", Delete, cancellationToken: cancellationToken);
        if (!deleted.Succeeded)
        {
            return (0, new HostWarning("nft", $"the table could not be removed: {FirstLine(deleted.Error)}"));
        }

        journal.Forget(JournalKey);
        return (1, null);
    }

    private static HostWarning? Missing(ToolResult listing) =>
        listing.Succeeded || IsAbsent(listing) ? null
        : listing.ExitCode == 127 ? new HostWarning("nft-missing", "transparent ingress is off: the program nft (package nftables) is not installed")
        : new HostWarning("tproxy-unavailable", $"transparent ingress is off: {FirstLine(listing.Error)}");

    private static bool IsAbsent(ToolResult listing) => listing.Error.Contains("No such file or directory", StringComparison.Ordinal) && listing.ExitCode == 1;

    private static bool IsMarked(string listing) => listing.Contains($"chain {TproxyTable.MarkerChain} ", StringComparison.Ordinal);

    private static string Digests(string script, string listing) => $"{Digest(script)} {Digest(listing)}";

    private static string Digest(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static string FirstLine(string text) => text.Trim().Split('\n')[0];
}
