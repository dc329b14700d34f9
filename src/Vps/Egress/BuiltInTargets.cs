using System.Net;
using System.Net.Sockets;
using Aggregator.Flows;
using Aggregator.Interop;
using Aggregator.Mptcp;

namespace Aggregator.Vps.Egress;

/// <summary>
/// Targets that this daemon serves itself, by a name that no name of the internet is. Whoever carries flows dials them like others and gets a
/// connection over loopback, of which this host's other programs see nothing.
/// </summary>
internal sealed class BuiltInTargets
{
    /// <summary>No line of loopback's needs another, and BBR, the host's default perhaps, is slow over some microseconds.</summary>
    private const string CongestionControl = "reno";

    private readonly Dictionary<FlowTarget, Action<Socket>> _targets = [];

    /// <summary>Before the first dial.</summary>
    /// <param name="serve">Owns the socket and returns at once.</param>
    internal void Add(FlowTarget target, Action<Socket> serve) => _targets.Add(target, serve);

    /// <returns>Null: the target is none of these.</returns>
    internal async ValueTask<DialResult?> TryDialAsync(FlowTarget target, CancellationToken cancellationToken)
    {
        if (!_targets.TryGetValue(target, out var serve))
        {
            return null;
        }

        try
        {
            var (ours, theirs) = await PairAsync(cancellationToken);
            serve(theirs);
            return new DialResult(OpenResult.Opened, ours);
        }
        catch (SocketException e)
        {
            return DialResult.Failed(DialResult.Of(e.SocketErrorCode));
        }
    }

    /// <summary>Two ends of one TCP connection.</summary>
    private static async Task<(Socket Ours, Socket Theirs)> PairAsync(CancellationToken cancellationToken)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(1);
        var ours = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            SetCongestionControl(ours);
            SetCongestionControl(listener);
            await ours.ConnectAsync(listener.LocalEndPoint!, cancellationToken);
            while (true)
            {
                Socket theirs = await listener.AcceptAsync(cancellationToken);
                if (Equals(theirs.RemoteEndPoint, ours.LocalEndPoint))
                {
                    theirs.NoDelay = true;
                    return (ours, theirs);
                }

                // Another program of this host was quicker to find the port.
                theirs.Dispose();
            }
        }
        catch
        {
            ours.Dispose();
            throw;
        }
    }

    private static void SetCongestionControl(Socket socket)
    {
        try
        {
            SocketOptions.SetCongestionControl(socket, CongestionControl);
        }
        catch (LibcException)
        {
            // The host's default.
        }
    }
}
