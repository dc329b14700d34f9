namespace Aggregator.Gateway.Doctor;

/// <summary>Names as in `doctor --json`, in lower case; the worse, the higher.</summary>
internal enum CheckResult
{
    /// <summary>Cannot be known here and now, or does not apply.</summary>
    Skip,
    Ok,
    Warn,
    Fail,
}

/// <param name="Text">What was found, with figures: a sentence or several, without a full stop.</param>
/// <param name="Remedy">The next step; null where there is nothing to do.</param>
internal sealed record Finding(CheckResult Result, string Text, string? Remedy = null)
{
    internal static Finding Ok(string text) => new(CheckResult.Ok, text);

    internal static Finding Skip(string text, string? remedy = null) => new(CheckResult.Skip, text, remedy);

    internal static Finding Warn(string text, string remedy) => new(CheckResult.Warn, text, remedy);

    internal static Finding Fail(string text, string remedy) => new(CheckResult.Fail, text, remedy);

    /// <summary>Several as one: the worst result, the worst first, each remedy once.</summary>
    /// <param name="findings">Of single links, files, …</param>
    /// <param name="nothing">What it means that there are none.</param>
    internal static Finding Join(IEnumerable<Finding> findings, string nothing)
    {
        Finding[] all = [.. findings.OrderByDescending(f => f.Result)];
        if (all.Length == 0)
        {
            return Skip(nothing);
        }

        string remedy = string.Join("; ", all.Select(f => f.Remedy).OfType<string>().Distinct());
        return new Finding(all[0].Result, string.Join("; ", all.Select(f => f.Text).Distinct()), remedy.Length == 0 ? null : remedy);
    }
}
