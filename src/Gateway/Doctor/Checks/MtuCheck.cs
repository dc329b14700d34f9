using Aggregator.Gateway.Doctor.Probes;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>The largest packet that each link takes to the VPS whole, found by sending.</summary>
internal sealed class MtuCheck : ICheck
{
    /// <summary>PPPoE (RFC 2516) leaves this of Ethernet's 1500: too common to be worth a word of warning.</summary>
    internal const int Ordinary = 1492;

    public string Id => "mtu";

    public string Title => "MTU of each path";

    public async Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        var findings = await Task.WhenAll(context.UsableLinks.Select(async link =>
        {
            int mtu = context.Host.Interface(link.Interface)?.Mtu ?? 0;
            if (mtu == 0)
            {
                return Finding.Skip($"{link.Name}: the kernel does not tell its MTU");
            }

            try
            {
                return Decide(link, mtu, await MtuProbe.RunAsync(LinkHealth.PathOf(link, context.VpsAddresses)!, mtu, context.Time, cancellationToken));
            }
            catch (System.Net.Sockets.SocketException e)
            {
                return Finding.Skip($"{link.Name}: nothing can be sent ({Settings.Reason.Of(e)})");
            }
        }));
        return Finding.Join(findings, "no link can reach the VPS");
    }

    internal static Finding Decide(Link link, int interfaceMtu, int? pathMtu) => pathMtu switch
    {
        null => Finding.Skip($"{link.Name}: this process may not send ICMP echo requests", "run `doctor` as root"),
        0 => Finding.Skip($"{link.Name}: the VPS answers no ICMP echo over it"),
        { } path when path < interfaceMtu => Finding.Warn(
            $"{link.Name}: MTU {path}: longer packets do not get through, although {link.Interface} is set to {interfaceMtu}",
            $"set the MTU of {link.Interface} to {path} (`ip link set {link.Interface} mtu {path}`, and in the host's network configuration), or the first packets of every connection wait for its discovery"),
        { } path when path < Ordinary => Finding.Warn(
            $"{link.Name}: MTU {path}, less than Ethernet's 1500",
            $"nothing if the provider of {link.Name} gives no more (the interface is set to the same, so it works); else set modem and {link.Interface} to 1500"),
        { } path => Finding.Ok($"{link.Name}: {path}"),
    };
}
