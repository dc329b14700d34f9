using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Carriers;
using Aggregator.Trunk;

namespace Aggregator.Gateway.Lanes;

/// <summary>A lane that is part of a session, with what its upkeep and the status look at.</summary>
internal sealed class LiveLane(TrunkLane lane, SocketLaneMeter look, Socket socket, WanPath path, VpsTarget target, bool encrypted)
{
    internal TrunkLane Lane { get; } = lane;

    /// <summary>Our own look at the connection; the session has another one for itself.</summary>
    internal SocketLaneMeter Look { get; } = look;

    /// <summary>For the kernel's figures only.</summary>
    internal Socket Socket { get; } = socket;

    internal WanPath Path { get; } = path;

    internal VpsTarget Target { get; } = target;

    internal bool IsEncrypted { get; } = encrypted;

    internal IPEndPoint? Local { get; init; }

    internal IPEndPoint? Remote { get; init; }

    internal bool HasEnded => Lane.Ended.IsCompleted;

    /// <summary>When the kernel was first seen to send the lane's bytes over other links, and nothing of its own was acknowledged since; null: it does not.</summary>
    internal long? ElsewhereSince { get; set; }

    /// <summary>As it was last told to the session.</summary>
    internal LaneRole Role { get; set; } = lane.Transport.Role;
}
