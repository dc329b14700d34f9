using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Aggregator.Interop;

namespace Aggregator.Netlink;

/// <summary>NLMSG_ERROR and NLMSG_DONE: minus an errno or 0, for errors the header of the request, then extended-acknowledgement attributes.</summary>
internal static class NetlinkAcknowledgement
{
    internal static NetlinkResult Read(scoped in NetlinkMessage message)
    {
        if (!MemoryMarshal.TryRead(message.Payload, out int error))
        {
            // A DONE without a number is an old kernel's success; an ERROR without one is no acknowledgement.
            return message.Type == Libc.NLMSG_DONE ? NetlinkResult.Success : new NetlinkResult(Libc.EBADMSG, "acknowledgement too short");
        }

        return new NetlinkResult(error < 0 ? unchecked(-error) : 0, (message.Flags & Libc.NLM_F_ACK_TLVS) != 0 ? Text(in message) : null);
    }

    private static string? Text(scoped in NetlinkMessage message)
    {
        int offset = sizeof(int);
        if (message.Type == Libc.NLMSG_ERROR)
        {
            // Without NLM_F_CAPPED the whole request is repeated, not its header alone.
            if (!MemoryMarshal.TryRead(message.Payload[offset..], out Libc.nlmsghdr request))
            {
                return null;
            }

            bool capped = (message.Flags & Libc.NLM_F_CAPPED) != 0;
            uint repeated = capped ? (uint)Unsafe.SizeOf<Libc.nlmsghdr>() : request.nlmsg_len;
            if (repeated > (uint)(message.Payload.Length - offset))
            {
                return null;
            }

            offset += NetlinkReader.Align((int)repeated);
        }

        var attributes = new NetlinkAttributes(message.Payload[Math.Min(offset, message.Payload.Length)..]);
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            if (attribute.Type == Libc.NLMSGERR_ATTR_MSG)
            {
                return attribute.ReadString();
            }
        }

        return null;
    }
}
