using Aggregator.Protocol.V1;

namespace Aggregator.Health;

/// <summary>A report in words, for logs and one-line displays.</summary>
internal static class HealthText
{
    /// <summary>The findings' texts, those of the report's own level first; empty where there are none.</summary>
    internal static string Summary(VpsHealth report) => string.Join("; ", report.Findings.Select(f => f.Text));

    /// <summary>The findings that make the report critical.</summary>
    internal static string WhyCritical(VpsHealth report) =>
        string.Join("; ", report.Findings.Where(f => f.Level == HealthReport.Name(HealthLevel.Critical)).Select(f => f.Text));
}
