using Aggregator.Gateway.Links;
using System.Security.Cryptography;
using System.Text;
using Aggregator.Gateway.Policy;
using Aggregator.Host;
using Aggregator.Processes;

namespace Aggregator.Gateway.Apply;

/// <summary>
/// Loads and removes one of the gateway's nftables tables. What was loaded is remembered as two digests, of our text and of the listing that nft
/// gave for it: so a table that somebody has changed since is seen, whatever form nft prints it in.
/// </summary>
/// <param name="name">The table's, of family inet.</param>
/// <param name="marker">A chain by whose name the table is known as ours, also when the journal is lost.</param>
/// <param name="purpose">What is missing without it, for people.</param>
internal sealed class NftTable(HostJournal journal, string name, string marker, string purpose)
{
    private readonly string _journalKey = "nft/inet/" + name;

    /// <summary>Noted before the first load: from then on a table of this name is ours.</summary>
    private const string Loading = "loading";

    /// <summary>Without what the kernel adds to sets as packets pass.</summary>
    private readonly string[] _list = ["--terse", "list", "table", "inet", name];
    private readonly string[] _delete = ["delete", "table", "inet", name];

    /// <summary>Changes made (0 or 1), or what stands in the way.</summary>
    internal async Task<(int Changes, HostWarning? Problem)> ApplyAsync(string? script, CancellationToken cancellationToken)
    {
        bool ours = journal.Others.TryGetValue(_journalKey, out string? noted);
        if (script is null)
        {
            return ours ? await RemoveAsync(cancellationToken) : (0, null);
        }

        var listing = await Tool.RunAsync("nft", _list, cancellationToken: cancellationToken);
        if (Missing(listing) is { } missing)
        {
            return (0, missing);
        }

        if (listing.Succeeded && !ours && !IsMarked(listing.Output))
        {
            return (0, new HostWarning("nft-table-taken", $"there is a table `inet {name}` that the gateway did not make; rename it to use {purpose}"));
        }

        if (listing.Succeeded && noted == Digests(script, listing.Output))
        {
            return (0, null);
        }

        journal.Update(_journalKey, Loading);
        var loaded = await Tool.RunAsync("nft", ["-f", "-"], script, cancellationToken);
        if (!loaded.Succeeded)
        {
            return (0, new HostWarning("tproxy-unavailable", $"{purpose} is off: nft refuses its table ({FirstLine(loaded.Error)})"));
        }

        listing = await Tool.RunAsync("nft", _list, cancellationToken: cancellationToken);
        journal.Update(_journalKey, Digests(script, listing.Output));
        return (1, null);
    }

    /// <summary>Removes the table where it is ours.</summary>
    internal async Task<(int Changes, HostWarning? Problem)> RemoveAsync(CancellationToken cancellationToken)
    {
        var listing = await Tool.RunAsync("nft", _list, cancellationToken: cancellationToken);
        if (!listing.Succeeded)
        {
            if (IsAbsent(listing))
            {
                journal.Forget(_journalKey);
                return (0, null);
            }

            // Without nft there is no table that we could have loaded; only an entry in the journal says otherwise.
            return (0, journal.Others.ContainsKey(_journalKey) ? Missing(listing) : null);
        }

        if (!journal.Others.ContainsKey(_journalKey) && !IsMarked(listing.Output))
        {
            return (0, null);
        }

        var deleted = await Tool.RunAsync("nft", _delete, cancellationToken: cancellationToken);
        if (!deleted.Succeeded)
        {
            return (0, new HostWarning("nft", $"the table could not be removed: {FirstLine(deleted.Error)}"));
        }

        journal.Forget(_journalKey);
        return (1, null);
    }

    private HostWarning? Missing(ToolResult listing) =>
        listing.Succeeded || IsAbsent(listing) ? null
        : listing.ExitCode == 127 ? new HostWarning("nft-missing", $"{purpose} is off: the program nft (package nftables) is not installed")
        : new HostWarning("tproxy-unavailable", $"{purpose} is off: {FirstLine(listing.Error)}");

    private static bool IsAbsent(ToolResult listing) => listing.Error.Contains("No such file or directory", StringComparison.Ordinal) && listing.ExitCode == 1;

    private bool IsMarked(string listing) => listing.Contains($"chain {marker} ", StringComparison.Ordinal);

    private static string Digests(string script, string listing) => $"{Digest(script)} {Digest(listing)}";

    private static string Digest(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static string FirstLine(string text) => text.Trim().Split('\n')[0];
}
