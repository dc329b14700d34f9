using System.Globalization;

namespace Aggregator.Host;

/// <summary>How a wanted value relates to the one that the host had before.</summary>
internal enum SysctlRule
{
    /// <summary>The value, whatever was there.</summary>
    Exact,

    /// <summary>The last number (or, where the value has several, that many) is raised and never lowered; numbers before stay (tcp_rmem's maximum).</summary>
    AtLeast,

    /// <summary>A single number that is lowered and never raised (vm.swappiness).</summary>
    AtMost,

    /// <summary>The value only where the host had 1 (rp_filter: loose in place of strict, but not in place of none).</summary>
    InPlaceOfOne,
}

/// <summary>A setting that a daemon wants.</summary>
internal sealed record SysctlSetting(SysctlName Name, string Value, SysctlRule Rule = SysctlRule.Exact)
{
    /// <summary>What to write where the host had <paramref name="original"/>; null where that is good as it is.</summary>
    internal string? ValueFor(string original)
    {
        string? wanted = Rule switch
        {
            SysctlRule.Exact => Value,
            SysctlRule.AtLeast => Raised(original),
            SysctlRule.AtMost => long.TryParse(original, NumberStyles.None, CultureInfo.InvariantCulture, out long had)
                && had <= long.Parse(Value, CultureInfo.InvariantCulture) ? null : Value,
            SysctlRule.InPlaceOfOne => original == "1" ? Value : null,
            _ => throw new InvalidOperationException($"unknown rule {Rule}"),
        };
        return wanted == original ? null : wanted;
    }

    public override string ToString() => Rule switch
    {
        SysctlRule.AtLeast => $"{Name} >= {Value}",
        SysctlRule.AtMost => $"{Name} <= {Value}",
        SysctlRule.InPlaceOfOne => $"{Name} = {Value} (where it is 1)",
        _ => $"{Name} = {Value}",
    };

    private string? Raised(string original)
    {
        string[] numbers = original.Split(' ');
        string[] wanted = Value.Split(' ');
        bool raised = false;
        for (int i = 1; i <= Math.Min(numbers.Length, wanted.Length); i++)
        {
            if (!long.TryParse(numbers[^i], NumberStyles.None, CultureInfo.InvariantCulture, out long had)
                || had < long.Parse(wanted[^i], CultureInfo.InvariantCulture))
            {
                numbers[^i] = wanted[^i];
                raised = true;
            }
        }

        return raised ? string.Join(' ', numbers) : null;
    }
}

/// <summary>A setting that is as a daemon wants it because the daemon changed it.</summary>
/// <param name="Before">What `down` puts back.</param>
internal sealed record AppliedSysctl(SysctlName Name, string Value, string Before);
