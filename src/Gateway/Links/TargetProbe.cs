using System.Net;
using System.Net.Sockets;
using Aggregator.DnsWire;
using Aggregator.Doctor;
using Aggregator.Gateway.Configuration;
using Aggregator.Settings;

namespace Aggregator.Gateway.Links;

/// <summary>Asks one of the configured targets once over one WAN. An answer is one that only a working line gives, as far as it can be told.</summary>
internal static class TargetProbe
{
    private const int NoContent = 204;

    /// <returns>Null: it answered; else what went wrong.</returns>
    internal static async Task<string?> AskAsync(ProbeTarget target, string device, IPAddress source, TimeSpan atMost, TimeProvider time, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(atMost, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return target.Kind switch
            {
                ProbeKind.Icmp => await EchoAsync(target.Address, device, source, time, either.Token),
                ProbeKind.Dns => await DnsAsync(target, device, source, either.Token),
                _ => await ConnectAsync(target, device, source, either.Token),
            };
        }
        catch (SocketException e)
        {
            return Reason.Of(e);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return "no answer";
        }
    }

    /// <summary>An ICMP echo to anybody, such as a link's next hop.</summary>
    internal static async Task<string?> EchoAsync(IPAddress address, string device, IPAddress source, TimeProvider time, CancellationToken cancellationToken)
    {
        using var echo = EchoSocket.TryOpen(device, source, address, time);
        if (echo is null)
        {
            return "this process may not send ICMP";
        }

        await echo.SendAsync(cancellationToken);
        await echo.ReceiveAsync(cancellationToken);
        return null;
    }

    private static async Task<string?> ConnectAsync(ProbeTarget target, string device, IPAddress source, CancellationToken cancellationToken)
    {
        using var socket = new Socket(target.Address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        WanSocket.Bind(socket, device, source);
        // Gone without a trace: no TIME_WAIT for a probe.
        socket.LingerState = new LingerOption(enable: true, seconds: 0);
        await socket.ConnectAsync(new IPEndPoint(target.Address, target.Port), cancellationToken);
        if (target.Kind == ProbeKind.Tcp)
        {
            return null;
        }

        var answer = await HttpProbe.AskAsync(socket, HttpProbe.HostOf(target.Address.ToString()), target.Detail, cancellationToken);
        return answer is null ? "something answers that does not speak HTTP"
            : answer.Status == NoContent ? null
            : $"answers {answer.Status} in place of {NoContent}, as a portal does";
    }

    private static async Task<string?> DnsAsync(ProbeTarget target, string device, IPAddress source, CancellationToken cancellationToken)
    {
        using var socket = new Socket(target.Address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        WanSocket.Bind(socket, device, source);
        await socket.ConnectAsync(new IPEndPoint(target.Address, target.Port), cancellationToken);
        byte[] question = DnsMessage.Query(DnsMessage.NewId(), target.Detail, DnsMessage.TypeA)
            ?? throw new InvalidOperationException($"{target.Detail} is no name, and the configuration took it");
        await socket.SendAsync(question, SocketFlags.None, cancellationToken);
        var buffer = new byte[DnsMessage.ClassicUdpBytes];
        while (true)
        {
            int length = await socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken);
            switch (DnsJudge.Of(question, buffer.AsSpan(0, length)))
            {
                case DnsVerdict.Answer:
                    return null;
                case DnsVerdict.Lie:
                    return "a name server answers with an address that nobody on the internet has";
                case DnsVerdict.Refusal:
                    return "a name server answers, but not the question";
                default:
                    // Not to us: another one may follow.
                    continue;
            }
        }
    }
}
