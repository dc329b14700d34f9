using System.Net;
using System.Net.Sockets;
using Aggregator.Settings;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>Whether the configured listeners take connections.</summary>
internal sealed class ListenersCheck : ICheck
{
    public string Id => "listeners";

    public string Title => "The gateway's listeners answer";

    public TimeSpan Limit => TimeSpan.FromSeconds(5);

    public async Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        var ingress = context.Config.Ingress;
        (string Key, IPEndPoint? At)[] listeners = [("ingress.socks", ingress.Socks), ("ingress.http", ingress.Http)];
        if (context.Daemon is null)
        {
            return Finding.Skip("the daemon is not running");
        }

        var findings = new List<Finding>();
        foreach (var (key, at) in listeners)
        {
            if (at is not null)
            {
                findings.Add(Decide(key, at, await TryAsync(at, cancellationToken)));
            }
        }

        return Finding.Join(findings, "none is configured");
    }

    /// <param name="key">Of the configuration.</param>
    /// <param name="at">Where it listens.</param>
    /// <param name="problem">Null: it took a connection.</param>
    internal static Finding Decide(string key, IPEndPoint at, string? problem) => problem is null
        ? Finding.Ok($"{key} takes connections at {at}")
        : Finding.Fail($"{key} at {at} takes no connection ({problem})", "look at the daemon's log and at `ss -ltnp`; the address must be one of this host's");

    private static async Task<string?> TryAsync(IPEndPoint at, CancellationToken cancellationToken)
    {
        IPAddress address = at.Address.Equals(IPAddress.Any) ? IPAddress.Loopback : at.Address.Equals(IPAddress.IPv6Any) ? IPAddress.IPv6Loopback : at.Address;
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(new IPEndPoint(address, at.Port), cancellationToken);
            return null;
        }
        catch (SocketException e)
        {
            return Reason.Of(e);
        }
    }
}
