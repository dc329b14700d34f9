using Aggregator.Doctor;

namespace Aggregator.Gateway.Portals;

internal enum PortalVerdict
{
    /// <summary>Nothing was learned.</summary>
    Unknown,
    None,
    Portal,
}

/// <summary>What an answer, or none, to a question over one WAN says of a portal there. Pure.</summary>
internal static class PortalAnswer
{
    private const int NoContent = 204;

    /// <param name="answer">Of the URL that answers 204 where there is no portal; null: nobody answered with HTTP.</param>
    internal static PortalVerdict OfUrl(HttpAnswer? answer) => answer switch
    {
        null => PortalVerdict.Unknown,
        { Status: NoContent } => PortalVerdict.None,
        _ => PortalVerdict.Portal,
    };

    /// <summary>Of the VPS's port 80, where normally nobody answers.</summary>
    /// <param name="reached">The VPS answers over this WAN otherwise.</param>
    /// <param name="elsewhere">What the same question was answered over another WAN that reaches the VPS; null: not asked, or no answer.</param>
    /// <param name="hosts">The VPS's own names and addresses.</param>
    internal static PortalVerdict OfVps(HttpAnswer? answer, bool reached, HttpAnswer? elsewhere, IReadOnlyCollection<string> hosts)
    {
        if (answer is null)
        {
            // A refusal of the VPS's is as good as its silence, as long as it is the VPS that is heard.
            return reached ? PortalVerdict.None : PortalVerdict.Unknown;
        }

        if (elsewhere is not null)
        {
            return answer == elsewhere ? PortalVerdict.None : PortalVerdict.Portal;
        }

        if (!reached)
        {
            // Whoever answers for a VPS that is silent does it in its place, with whatever status.
            return PortalVerdict.Portal;
        }

        // The VPS's own web server may redirect to itself; a portal leads elsewhere, or says what it is (RFC 6585 section 6).
        bool leads = answer.Status is 301 or 302 or 303 or 307 or 308
            && Uri.TryCreate(answer.Location, UriKind.Absolute, out var to)
            && !hosts.Contains(to.DnsSafeHost, StringComparer.OrdinalIgnoreCase);
        return leads || answer.Status == 511 ? PortalVerdict.Portal : PortalVerdict.None;
    }
}
