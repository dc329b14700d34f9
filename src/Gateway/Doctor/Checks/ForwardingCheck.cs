namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>Whether the host routes what the gateway does not carry (UDP, ICMP) between LAN and WANs.</summary>
internal sealed class ForwardingCheck : ICheck
{
    public string Id => "forwarding";

    public string Title => "The host forwards for the LAN";

    public Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken) => Task.FromResult(
        context.Daemon?.Status.Packets is { State: "on" } ? Finding.Ok("UDP and ICMP of the LAN are carried, with forwarding between LAN and tunnel alone")
        : Decide(!context.Config.Lan.IsEmpty, context.Files.Number("/proc/sys/net/ipv4/ip_forward")));

    /// <param name="lan">Whether there is a LAN.</param>
    /// <param name="forward">net.ipv4.ip_forward; null: not known.</param>
    internal static Finding Decide(bool lan, long? forward) => (lan, forward) switch
    {
        (false, _) => Finding.Skip("`lan` names no interface"),
        (_, null) => Finding.Skip("net.ipv4.ip_forward cannot be read"),
        (_, 0) => Finding.Warn("net.ipv4.ip_forward is 0: UDP and ICMP of the LAN (DNS, ping, calls) go nowhere", "`sysctl net.ipv4.ip_forward=1`, and the same in /etc/sysctl.d"),
        _ => Finding.Ok("net.ipv4.ip_forward is 1"),
    };
}
