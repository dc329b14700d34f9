using Aggregator.Gateway.Policy;

namespace Aggregator.Gateway.Apply;

/// <summary>One change of the host.</summary>
internal abstract record HostOperation
{
    internal sealed record AddRoute(HostRoute Route) : HostOperation
    {
        public override string ToString() => $"ip route add {Route}";
    }

    internal sealed record DeleteRoute(HostRoute Route) : HostOperation
    {
        public override string ToString() => $"ip route del {Route}";
    }

    internal sealed record AddRule(HostRule Rule) : HostOperation
    {
        public override string ToString() => $"ip rule add {Rule}";
    }

    internal sealed record DeleteRule(HostRule Rule) : HostOperation
    {
        public override string ToString() => $"ip rule del {Rule}";
    }

    internal sealed record AddEndpoint(HostEndpoint Endpoint) : HostOperation
    {
        public override string ToString() => $"ip mptcp endpoint add {Endpoint}";
    }

    internal sealed record DeleteEndpoint(HostEndpoint Endpoint, byte Id) : HostOperation
    {
        public override string ToString() => $"ip mptcp endpoint del {Endpoint}";
    }

    /// <summary>Changes the backup flag; live connections hear of it (MP_PRIO).</summary>
    internal sealed record ChangeEndpoint(HostEndpoint Endpoint, byte Id) : HostOperation
    {
        public override string ToString() => $"ip mptcp endpoint change {Endpoint}";
    }

    internal sealed record SetLimits(HostMptcpLimits Limits, HostMptcpLimits Before) : HostOperation
    {
        public override string ToString() => $"ip mptcp limits set {Limits}";
    }
}
