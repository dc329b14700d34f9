using System.Buffers.Binary;
using System.Net;
using Aggregator.Flows;
using Aggregator.Trunk;

namespace Aggregator.Shared.Tests.Trunk;

/// <summary>Frames as a peer may send them, whether or not it should.</summary>
internal static class PeerFrames
{
    internal static byte[] Frame(TrunkFrameType type, byte flags, uint stream, long value, int length)
    {
        byte[] bytes = new byte[TrunkFrame.HeaderBytes + length];
        new TrunkFrame(type, flags, length, stream, value).Write(bytes);
        return bytes;
    }

    /// <summary>To a target that the protocol allows.</summary>
    internal static byte[] Open(uint id)
    {
        byte[] target = new byte[FlowProtocol.MaxOpenBytes];
        int length = FlowProtocol.WriteOpen(target, new FlowTarget(IPAddress.Loopback, 80));
        byte[] frame = Frame(TrunkFrameType.Open, 0, id, 1000, length);
        target.AsSpan(0, length).CopyTo(frame.AsSpan(TrunkFrame.HeaderBytes));
        return frame;
    }

    internal static byte[] Ack(uint lane, long count)
    {
        byte[] frame = Frame(TrunkFrameType.Ack, 0, 0, 0, TrunkFrame.AckEntryBytes);
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(TrunkFrame.HeaderBytes), lane);
        BinaryPrimitives.WriteInt64BigEndian(frame.AsSpan(TrunkFrame.HeaderBytes + 4), count);
        return frame;
    }
}
