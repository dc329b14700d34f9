namespace Aggregator.Netlink;

/// <summary>Writes a request: <see cref="NetlinkWriter.Begin"/>, fixed header, attributes. The socket adds length, sequence and NLM_F_REQUEST.</summary>
internal delegate void NetlinkRequest<in TState>(ref NetlinkWriter writer, TState state);

/// <summary>Takes one message that answers a request; false says that it cannot be understood.</summary>
internal delegate bool NetlinkReply<in TState>(scoped in NetlinkMessage message, TState state);

/// <summary>
/// Takes one message of a dump. False: it cannot be understood, and the dump fails. A null item is one that the caller does not want.
/// </summary>
internal delegate bool NetlinkParser<T>(scoped in NetlinkMessage message, out T? item)
    where T : class;
