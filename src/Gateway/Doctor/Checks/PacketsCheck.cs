using Aggregator.Protocol.V1;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>Whether UDP, ping and the rest of the LAN are carried, and how the VPS translates their addresses.</summary>
internal sealed class PacketsCheck : ICheck
{
    /// <summary>A part of all packets that is worth a word: queues are full, or somebody's address is not the LAN's.</summary>
    private const double ManyPart = 0.02;

    public string Id => "packets";

    public string Title => "UDP, ping and the rest of the LAN go over the VPS";

    public Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken) => Task.FromResult(
        context.Daemon is not { } daemon ? Finding.Skip("the daemon is not running")
        : Decide((context.Config.Ingress.Transparent && !context.Config.Lan.IsEmpty) || context.Config.Ingress.Socks is not null, daemon.Status.Packets));

    /// <param name="wanted">The LAN's traffic is to be carried, or SOCKS5 clients' UDP.</param>
    /// <param name="packets">Null: there is no interface for them.</param>
    internal static Finding Decide(bool wanted, PacketStatus? packets)
    {
        if (!wanted)
        {
            return Finding.Skip("`ingress.transparent` and `ingress.socks` are off");
        }

        if (packets is null)
        {
            return Finding.Warn("they are not carried: there is no interface for packets", "see the warning `packets-unavailable` in `aggregator-gateway status`");
        }

        if (packets.State == "idle")
        {
            return Finding.Ok($"not in use: {packets.Reason}");
        }

        if (packets.State != "on")
        {
            return Finding.Warn($"they are not carried at this moment: {packets.Reason}", "see the node and the lanes in `aggregator-gateway status`");
        }

        double refused = packets.OutRefused / (double)Math.Max(1, packets.OutPackets + packets.OutRefused);
        return refused > ManyPart && packets.OutRefused > 100
            ? Finding.Warn(
                $"{refused:P0} of what the LAN sends has addresses that are not the LAN's ({string.Join(", ", packets.Networks)}) and is refused",
                "give the networks behind the LAN routes on this host, or find the client that makes addresses up (`tcpdump -ni agg0`)")
            : Finding.Ok($"carried; NAT at the VPS: {packets.Nat}");
    }
}
