namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>This clock against the VPS's, by the question with the shortest round trip.</summary>
internal sealed class ClockCheck : ICheck
{
    /// <summary>Nothing of ours depends on clocks; logs of both sides that do not match, and others' certificates, do.</summary>
    internal static readonly TimeSpan Warn = TimeSpan.FromSeconds(2);

    public string Id => "clock";

    public string Title => "The clocks of both sides agree";

    public async Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken) =>
        Decide([.. (await context.Paths.AllAsync(context, cancellationToken)).Select(a => a.Answer)]);

    internal static Finding Decide(IReadOnlyList<PathAnswer> answers)
    {
        if (answers.Select(a => a.View).OfType<PathView>().MinBy(v => v.RoundTrip) is not { } view)
        {
            return Finding.Skip($"the VPS could not be asked{(answers.Count > 0 ? $" ({answers[0].Problem})" : "")}");
        }

        TimeSpan half = view.RoundTrip / 2;
        TimeSpan off = view.ClockAhead.Duration();
        string text = $"this clock is {Texts.Duration(off)} {(view.ClockAhead > TimeSpan.Zero ? "behind" : "ahead of")} the VPS's";
        return off > Warn + half
            ? Finding.Warn(text, "let both follow NTP: `timedatectl set-ntp true` on each")
            : Finding.Ok($"they agree within {Texts.Duration(off + half)}");
    }
}
