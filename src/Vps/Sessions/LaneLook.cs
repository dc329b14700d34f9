using System.Net;
using System.Net.Sockets;
using Aggregator.Protocol.V1;
using Aggregator.Trunk;

namespace Aggregator.Vps.Sessions;

/// <summary>What the status tells of a lane's connection beside what the trunk knows.</summary>
internal sealed class LaneLook(TrunkSession trunk, uint id, Socket socket)
{
    private readonly Lock _lock = new();

    /// <summary>A look of our own: the trunk's has one reader.</summary>
    private readonly SocketLaneMeter _meter = new(socket);

    private readonly IPEndPoint? _local = socket.LocalEndPoint as IPEndPoint;
    private readonly IPEndPoint? _remote = socket.RemoteEndPoint as IPEndPoint;
    private readonly bool _isMptcp = Mptcp.MptcpCheck.VerdictOf(socket) == Mptcp.MptcpVerdict.Mptcp;

    internal TrunkSession Trunk { get; } = trunk;

    internal uint Id { get; } = id;

    internal bool IsMptcp => _isMptcp;

    internal void Describe(TrunkLaneStatus lane)
    {
        lock (_lock)
        {
            _meter.TryRead(out _);
        }

        lane.Mptcp = _meter.FellBack || !_isMptcp ? "stripped" : "v1";
        lane.Backups = (uint)_meter.Backups;
        lane.Local = Text(_local);
        lane.Remote = Text(_remote);
    }

    private static string Text(IPEndPoint? endPoint) => endPoint switch
    {
        null => "",
        { Address.IsIPv4MappedToIPv6: true } => new IPEndPoint(endPoint.Address.MapToIPv4(), endPoint.Port).ToString(),
        _ => endPoint.ToString(),
    };
}
