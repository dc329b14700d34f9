namespace Aggregator.Datagrams;

/// <summary>Which lanes a real-time packet takes.</summary>
internal enum RealTimePolicy
{
    /// <summary>The quickest; a second one too while that is in doubt.</summary>
    Best,

    /// <summary>One after the other, in proportion to what each takes without queue or loss; put back in order.</summary>
    Spread,

    /// <summary>So many of the quickest that all copies together are hardly ever lost.</summary>
    Duplicate,
}

internal static class RealTimePolicies
{
    /// <summary>As written in configurations and over gRPC; null: not one.</summary>
    internal static RealTimePolicy? TryParse(string text) => text switch
    {
        "best" => RealTimePolicy.Best,
        "spread" => RealTimePolicy.Spread,
        "duplicate" => RealTimePolicy.Duplicate,
        _ => null,
    };

    internal static string Text(this RealTimePolicy policy) => policy switch
    {
        RealTimePolicy.Spread => "spread",
        RealTimePolicy.Duplicate => "duplicate",
        _ => "best",
    };
}
