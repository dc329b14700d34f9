using System.Collections.Immutable;
using Aggregator.Interop;

namespace Aggregator.Netlink;

/// <summary>A generic netlink family of this kernel (nlctrl): its message type and multicast groups, which differ from boot to boot.</summary>
internal sealed record GenericNetlinkFamily(string Name, ushort Id, ImmutableDictionary<string, uint> Groups)
{
    /// <summary>Null: the kernel has no such family.</summary>
    /// <exception cref="NetlinkException">The kernel answered otherwise than yes or no.</exception>
    internal static async ValueTask<GenericNetlinkFamily?> FindAsync(NetlinkSocket socket, string name, CancellationToken cancel = default)
    {
        var search = new Search(name);
        NetlinkResult result = await socket.RequestAsync(
            search,
            static (ref NetlinkWriter writer, Search search) =>
            {
                Begin(ref writer, Libc.GENL_ID_CTRL, Libc.CTRL_CMD_GETFAMILY, 1);
                writer.Attribute(Libc.CTRL_ATTR_FAMILY_NAME, search.Name);
            },
            static (scoped in message, search) => search.TryTake(in message),
            cancel);
        if (result.Errno == Libc.ENOENT)
        {
            return null;
        }

        result.ThrowIfFailed($"generic netlink family {name}");
        return search.Id != 0
            ? new GenericNetlinkFamily(name, search.Id, search.Groups.ToImmutable())
            : throw new NetlinkException($"generic netlink family {name}", new NetlinkResult(Libc.EBADMSG, "an answer without an id"));
    }

    /// <summary>Starts a message of a family: netlink header, then command and version.</summary>
    internal static void Begin(ref NetlinkWriter writer, ushort family, byte command, byte version)
    {
        writer.Begin(family, 0);
        writer.Write(new Libc.genlmsghdr { cmd = command, version = version });
    }

    private sealed class Search(string name)
    {
        internal string Name { get; } = name;

        internal ushort Id { get; private set; }

        internal ImmutableDictionary<string, uint>.Builder Groups { get; } = ImmutableDictionary.CreateBuilder<string, uint>();

        internal bool TryTake(scoped in NetlinkMessage message)
        {
            if (!message.TryRead(out Libc.genlmsghdr _, out NetlinkAttributes attributes))
            {
                return false;
            }

            bool good = true;
            while (attributes.TryNext(out NetlinkAttribute attribute))
            {
                switch (attribute.Type)
                {
                    case Libc.CTRL_ATTR_FAMILY_ID:
                        good &= attribute.TryRead(out ushort id);
                        Id = id;
                        break;
                    case Libc.CTRL_ATTR_MCAST_GROUPS:
                        good &= TryTakeGroups(attribute.Nested);
                        break;
                }
            }

            return good && !attributes.Malformed;
        }

        private bool TryTakeGroups(NetlinkAttributes list)
        {
            bool good = true;
            while (list.TryNext(out NetlinkAttribute item))
            {
                string? name = null;
                uint id = 0;
                NetlinkAttributes attributes = item.Nested;
                while (attributes.TryNext(out NetlinkAttribute attribute))
                {
                    switch (attribute.Type)
                    {
                        case Libc.CTRL_ATTR_MCAST_GRP_NAME:
                            name = attribute.ReadString();
                            break;
                        case Libc.CTRL_ATTR_MCAST_GRP_ID:
                            good &= attribute.TryRead(out id);
                            break;
                    }
                }

                good &= !attributes.Malformed;
                if (name is not null)
                {
                    Groups[name] = id;
                }
            }

            return good && !list.Malformed;
        }
    }
}
