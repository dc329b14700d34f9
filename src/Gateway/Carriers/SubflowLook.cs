using System.Net;
using System.Net.Sockets;
using Aggregator.Interop;
using Aggregator.Mptcp;

namespace Aggregator.Gateway.Carriers;

/// <summary>The subflows that one connection has at a moment. Kept by a loop that looks at many, one after the other.</summary>
internal sealed class SubflowLook
{
    private readonly MptcpSubflow[] _subflows = new MptcpSubflow[MptcpSampler.MostSubflows];
    private int _count;

    /// <summary>Looks at this connection. False: it is closed, or goes on as plain TCP.</summary>
    internal bool TryAt(Socket socket)
    {
        _count = 0;
        if (socket.SafeHandle.IsClosed)
        {
            return false;
        }

        try
        {
            int errno = MptcpSampler.TryRead(socket, _subflows, out MptcpSample sample);
            _count = sample.Count;
            return errno == 0 && !sample.Connection.FellBack;
        }
        catch (Exception e) when (e is ObjectDisposedException or SocketException)
        {
            return false;
        }
    }

    /// <summary>Its subflow from this address that is there or on its way.</summary>
    internal (IPEndPoint Local, IPEndPoint Remote)? From(IPAddress local)
    {
        for (int i = 0; i < _count; i++)
        {
            ref readonly MptcpSubflow subflow = ref _subflows[i];
            if (subflow.Local.Has(local) && subflow.Tcp.State is TcpState.Established or TcpState.SynSent or TcpState.CloseWait
                && subflow.Local.ToEndPoint() is { } from && subflow.Remote.ToEndPoint() is { } to)
            {
                return (from, to);
            }
        }

        return null;
    }
}
