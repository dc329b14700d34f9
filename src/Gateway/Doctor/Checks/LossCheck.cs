using Aggregator.Gateway.Doctor.Probes;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>Packet loss of each link, by a train of small packets to the VPS and back.</summary>
internal sealed class LossCheck : ICheck
{
    /// <summary>Both ways together. TCP with loss-based congestion control falls to a fraction of the line's rate from about here on.</summary>
    internal const double WarnRatio = 0.004;

    /// <summary>Single losses say nothing about a line.</summary>
    internal const int WarnLost = 4;

    internal const double FailRatio = 0.05;

    public string Id => "packet-loss";

    public string Title => "Packet loss of each link";

    public async Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        var findings = await Task.WhenAll(context.UsableLinks.Select(async link =>
        {
            try
            {
                return Decide(link, await LossTrain.RunAsync(LinkHealth.PathOf(link, context.VpsAddresses)!, context.Time, cancellationToken));
            }
            catch (System.Net.Sockets.SocketException e)
            {
                return Finding.Skip($"{link.Name}: nothing can be sent ({Settings.Reason.Of(e)})");
            }
        }));
        return Finding.Join(findings, "no link can reach the VPS");
    }

    internal static Finding Decide(Link link, TrainResult? train) => train switch
    {
        null => Finding.Skip($"{link.Name}: this process may not send ICMP echo requests", "run `doctor` as root"),
        { Answered: 0 } => Finding.Skip($"{link.Name}: the VPS answers no ICMP echo over it"),
        { LossRatio: >= FailRatio } => Finding.Fail(Loses(link, train), Remedy(link)),
        { LossRatio: >= WarnRatio, Lost: >= WarnLost } => Finding.Warn(Loses(link, train), Remedy(link)),
        _ => Finding.Ok($"{link.Name}: {train.Lost} of {train.Sent} packets lost, {Texts.Milliseconds(train.MedianMs!.Value)}, jitter {Texts.Milliseconds(train.JitterMs ?? 0)}"),
    };

    private static string Loses(Link link, TrainResult train) =>
        $"{link.Name} loses {Texts.Percent(train.LossRatio)} of packets on the way to the VPS and back ({train.Lost} of {train.Sent})";

    private static string Remedy(Link link) =>
        $"check cable, modem and radio signal of {link.Name}, and whether something fills it right now; make it a backup if it stays (`aggregator-gateway link {link.Name} backup`)";
}
