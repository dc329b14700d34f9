namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>The connection tracking table: when it is full, new connections of the LAN are dropped without a word.</summary>
internal sealed class ConntrackCheck : ICheck
{
    internal const double WarnRatio = 0.75;
    internal const double FailRatio = 0.95;

    public string Id => "conntrack";

    public string Title => "Connection tracking has room";

    public Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken) => Task.FromResult(Decide(
        context.Files.Number("/proc/sys/net/netfilter/nf_conntrack_count"),
        context.Files.Number("/proc/sys/net/netfilter/nf_conntrack_max")));

    internal static Finding Decide(long? count, long? max) => (count, max) switch
    {
        ({ } used, > 0 and var most) when used >= most * FailRatio => Finding.Fail($"{used} of {most} entries are used: new connections are dropped", $"`sysctl net.netfilter.nf_conntrack_max={most * 2}`"),
        ({ } used, > 0 and var most) when used >= most * WarnRatio => Finding.Warn($"{used} of {most} entries are used", $"`sysctl net.netfilter.nf_conntrack_max={most * 2}`"),
        ({ } used, > 0 and var most) => Finding.Ok($"{used} of {most} entries are used"),
        _ => Finding.Skip("this kernel tracks no connections, or does not tell"),
    };
}
