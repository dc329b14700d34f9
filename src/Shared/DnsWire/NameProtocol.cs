using Aggregator.Flows;

namespace Aggregator.DnsWire;

/// <summary>
/// Questions from a gateway to its VPS's own resolver: a flow to a name that no name of the internet is, on which DNS messages go as over TCP (proto/names.md).
/// </summary>
internal static class NameProtocol
{
    internal static readonly FlowTarget Target = new("names.aggregator.invalid", ResolvConf.Port);

    /// <summary>From the question to its answer; a client that asks itself gives up after 5 s.</summary>
    internal static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(4.5);
}
