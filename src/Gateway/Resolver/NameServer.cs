using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Interop;
using Aggregator.Protocol.V1;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Resolver;

/// <summary>The LAN's name server: its listeners, and what they have done.</summary>
internal sealed class NameServer : IAsyncDisposable
{
    private readonly NameDesk _desk;
    private readonly Func<LinkSnapshot> _links;
    private readonly List<NameListener> _listeners;

    /// <param name="desk">Owned.</param>
    internal NameServer(DnsConfig config, NameDesk desk, Func<LinkSnapshot> links, ResolverLimits limits, TimeProvider time, ILogger logger)
    {
        (_desk, _links) = (desk, links);
        _listeners = [.. config.Listen.Select(at => new NameListener(at, desk, IsClient, limits, time, logger))];
    }

    /// <summary>Once.</summary>
    /// <returns>Null, or why it cannot listen, for the user.</returns>
    internal string? Start()
    {
        foreach (var listener in _listeners)
        {
            try
            {
                listener.Start();
            }
            catch (Exception e) when (e is SocketException or LibcException)
            {
                return $"dns cannot listen on {listener.EndPoint}: {Explain(e)}";
            }
        }

        return null;
    }

    internal DnsStatus Status()
    {
        var counts = _desk.Counts;
        var status = new DnsStatus
        {
            AnsweredVps = (ulong)counts.Answers(AnswerWay.Vps),
            AnsweredDirect = (ulong)counts.Answers(AnswerWay.Direct),
            AnsweredSplit = (ulong)counts.Answers(AnswerWay.Split),
            Failed = (ulong)counts.Failures,
            Refused = (ulong)counts.Refusals,
            Shared = (ulong)counts.SharedQuestions,
        };
        status.Listen.AddRange(_listeners.Select(l => l.EndPoint.ToString()));
        if (counts.Problem is { } problem)
        {
            status.Problem = problem;
        }

        return status;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var listener in _listeners)
        {
            await listener.DisposeAsync();
        }

        _desk.Dispose();
    }

    /// <summary>This host, its own link, and networks that are no WAN's.</summary>
    private bool IsClient(IPAddress address) =>
        IPAddress.IsLoopback(address) || _links().LocalNetworks.Any(n => n.Contains(address))
        || (address.IsIPv6LinkLocal && !_links().Links.Any(l => l.Index == address.ScopeId));

    private static string Explain(Exception e) => e is SocketException socket
        ? socket.SocketErrorCode switch
        {
            SocketError.AddressAlreadyInUse => "the port is in use by another program, such as dnsmasq; stop it there (dnsmasq: `port=0`), or choose another address",
            SocketError.AccessDenied => "ports below 1024 need CAP_NET_BIND_SERVICE; run it as root or give it this capability",
            SocketError.AddressFamilyNotSupported => "this host has no IPv6",
            _ => socket.Message,
        }
        : e.Message;
}
