using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Interop;
using Aggregator.Mptcp;

namespace Aggregator.Gateway.Carriers;

/// <summary>The carrier's connections as the kernel sees them at one moment.</summary>
/// <param name="Connections">All that there are.</param>
/// <param name="Sampled">Of these, those that were looked at.</param>
/// <param name="FellBack">Of those sampled, connections that go on as plain TCP: a box on their first WAN or the VPS does not let MPTCP through.</param>
/// <param name="FellBackFrom">The same by local address.</param>
/// <param name="Established">Of those sampled, established subflows by local address.</param>
/// <param name="Joining">Of those sampled, subflows that have not got through (yet), by local address: many for long are a path that drops joins.</param>
internal sealed record CarrierSample(
    int Connections,
    int Sampled,
    int FellBack,
    ImmutableDictionary<IPAddress, int> FellBackFrom,
    ImmutableDictionary<IPAddress, int> Established,
    ImmutableDictionary<IPAddress, int> Joining)
{
    /// <summary>The kernel's own limit is 8 beside the first.</summary>
    private const int MaxSubflows = 9;

    internal static CarrierSample Read(IEnumerable<Socket> sockets, int connections, int most)
    {
        var established = ImmutableDictionary.CreateBuilder<IPAddress, int>();
        var from = ImmutableDictionary.CreateBuilder<IPAddress, int>();
        var joining = ImmutableDictionary.CreateBuilder<IPAddress, int>();
        var subflows = new MptcpSubflow[MaxSubflows];
        int sampled = 0;
        int fellBack = 0;
        foreach (Socket socket in sockets.Take(most))
        {
            try
            {
                int errno = MptcpSampler.TryRead(socket, subflows, out MptcpSample sample);
                if (errno == 0)
                {
                    Count(subflows.AsSpan(0, sample.Count), established, joining);
                    if (sample.Connection.FellBack)
                    {
                        fellBack++;
                        AddLocal(from, (socket.LocalEndPoint as IPEndPoint)?.Address);
                    }
                }
                else if (errno is Libc.EOPNOTSUPP or Libc.ENOPROTOOPT)
                {
                    fellBack++;
                    AddLocal(from, (socket.LocalEndPoint as IPEndPoint)?.Address);
                    AddLocal(established, (socket.LocalEndPoint as IPEndPoint)?.Address);
                }
                else
                {
                    continue;
                }
                sampled++;
            }
            catch (Exception e) when (e is ObjectDisposedException or SocketException)
            {
                // It ended meanwhile.
            }
        }
        return new CarrierSample(connections, sampled, fellBack, from.ToImmutable(), established.ToImmutable(), joining.ToImmutable());
    }

    private static void Count(
        ReadOnlySpan<MptcpSubflow> subflows,
        ImmutableDictionary<IPAddress, int>.Builder established,
        ImmutableDictionary<IPAddress, int>.Builder joining)
    {
        foreach (ref readonly MptcpSubflow subflow in subflows)
        {
            var counts = subflow.Tcp.State switch
            {
                TcpState.Established or TcpState.CloseWait => established,
                TcpState.SynSent or TcpState.SynReceived => joining,
                _ => null,
            };
            if (counts is not null)
            {
                AddLocal(counts, subflow.Local.ToEndPoint()?.Address);
            }
        }
    }

    private static void AddLocal(ImmutableDictionary<IPAddress, int>.Builder counts, IPAddress? local)
    {
        if (local is not null)
        {
            local = local.IsIPv4MappedToIPv6 ? local.MapToIPv4() : local;
            counts[local] = counts.GetValueOrDefault(local) + 1;
        }
    }
}
