using System.Net;
using Aggregator.Doctor;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Doctor.Probes;

/// <summary>What the VPS's two UDP ports saw of one socket of ours, and what came back.</summary>
/// <param name="Local">Our end.</param>
/// <param name="First">Our end as the first port saw it; null: no answer.</param>
/// <param name="Second">As the second port saw it; null: no answer.</param>
/// <param name="AnswerFromOtherPort">Whether an answer came from the second port to a socket that had sent it nothing; null: not known.</param>
internal sealed record NatView(IPEndPoint Local, IPEndPoint? First, IPEndPoint? Second, bool? AnswerFromOtherPort);

/// <summary>
/// Mapping and filtering of the NAT on one WAN, after RFC 5780 sections 4.3 and 4.4, with one address and two ports at the VPS: whether both
/// ports see the same mapping, and whether the second port's answer comes in unbidden.
/// </summary>
internal static class NatProbe
{
    internal static async Task<NatView> RunAsync(
        ProbePath path, ReadOnlyMemory<byte> token, int firstPort, int secondPort, TimeProvider time, CancellationToken cancellationToken)
    {
        var first = new IPEndPoint(path.Target.Address, firstPort);
        var second = new IPEndPoint(path.Target.Address, secondPort);
        using var mapping = EchoTalk.Bound(path);
        var mapped = new EchoTalk(mapping, token, time);
        await mapped.AskAsync(first, [0], () => mapped.Has(0), cancellationToken);
        await mapped.AskAsync(second, [0], () => mapped.Has(1), cancellationToken);

        // A socket of its own: an unbidden datagram that meets a Linux NAT takes the place that the same socket's own question to that port
        // would have in its table, and the answer would look like another mapping.
        using var filtering = EchoTalk.Bound(path);
        var filtered = new EchoTalk(filtering, token, time);
        if (mapped.Has(0))
        {
            // The plain question goes with it: that the first port answers makes the other's silence mean something.
            await filtered.AskAsync(first, [0, EchoDatagram.FromOtherPort], () => filtered.Has(0) && filtered.Has(1), cancellationToken);
        }

        return new NatView((IPEndPoint)mapping.LocalEndPoint!, mapped.Seen(0), mapped.Seen(1), filtered.Has(0) ? filtered.Has(1) : null);
    }
}
