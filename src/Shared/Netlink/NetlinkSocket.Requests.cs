using System.Buffers;
using System.Runtime.InteropServices;
using Aggregator.Interop;

namespace Aggregator.Netlink;

/// <summary>Requests and dumps. One at a time: a second caller waits its turn.</summary>
internal sealed partial class NetlinkSocket
{
    /// <summary>The largest request (a multipath route of many hops) stays far below.</summary>
    private const int RequestBytes = 8 * 1024;

    /// <summary>
    /// A table that changes during a dump makes the kernel mark it (NLM_F_DUMP_INTR). Each try takes well under a millisecond, so so many
    /// interruptions in a row mean a table that never rests.
    /// </summary>
    private const int DumpTries = 16;

    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly byte[] _request = new byte[RequestBytes];
    private uint _sequence;

    /// <summary>Dumps that were taken again because their table changed under way.</summary>
    internal int RepeatedDumps { get; private set; }

    /// <summary>Sends a request with NLM_F_ACK and waits for its acknowledgement; messages before it go to <paramref name="reply"/>.</summary>
    internal async ValueTask<NetlinkResult> RequestAsync<TState>(
        TState state, NetlinkRequest<TState> request, NetlinkReply<TState>? reply = null, CancellationToken cancel = default)
    {
        await _gate.WaitAsync(cancel);
        try
        {
            return (await ExchangeAsync(state, request, Libc.NLM_F_REQUEST | Libc.NLM_F_ACK, reply, cancel)).Result;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Dumps a table as a consistent whole; a dump that the kernel marks as interrupted is taken again.</summary>
    /// <exception cref="NetlinkException">The kernel refused, the answer made no sense, or the table never rested (EAGAIN).</exception>
    internal async ValueTask<List<T>> DumpAsync<TState, T>(
        string what, TState state, NetlinkRequest<TState> request, NetlinkParser<T> parse, CancellationToken cancel = default)
        where T : class
    {
        var items = new List<T>();
        bool Take(scoped in NetlinkMessage message, TState ignored)
        {
            if (!parse(in message, out T? item))
            {
                return false;
            }

            if (item is not null)
            {
                items.Add(item);
            }

            return true;
        }

        await _gate.WaitAsync(cancel);
        try
        {
            for (int attempt = 0; attempt < DumpTries; attempt++)
            {
                items.Clear();
                (NetlinkResult result, bool interrupted) =
                    await ExchangeAsync(state, request, Libc.NLM_F_REQUEST | Libc.NLM_F_DUMP, Take, cancel);
                result.ThrowIfFailed(what);
                if (!interrupted)
                {
                    return items;
                }

                RepeatedDumps++;
            }

            throw new NetlinkException(what, new NetlinkResult(Libc.EAGAIN, "the table changed during every dump"));
        }
        finally
        {
            _gate.Release();
        }
    }

    private async ValueTask<(NetlinkResult Result, bool Interrupted)> ExchangeAsync<TState>(
        TState state, NetlinkRequest<TState> request, int flags, NetlinkReply<TState>? reply, CancellationToken cancel)
    {
        uint sequence = ++_sequence;
        int error = Send(state, request, (ushort)flags, sequence);
        if (error != 0)
        {
            return (new NetlinkResult(error), false);
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent(DatagramBytes);
        try
        {
            bool interrupted = false;
            while (true)
            {
                NetlinkReceipt receipt = await ReceiveAsync(buffer, cancel);
                if (receipt.Errno != 0)
                {
                    return (new NetlinkResult(receipt.Errno), interrupted);
                }

                if (IsAnswered(buffer.AsSpan(0, receipt.Bytes), sequence, state, reply, out NetlinkResult result, ref interrupted))
                {
                    return (result, interrupted);
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private unsafe int Send<TState>(TState state, NetlinkRequest<TState> request, ushort flags, uint sequence)
    {
        Drain();
        var writer = new NetlinkWriter(_request);
        request(ref writer, state);
        int length = writer.Complete();
        ref Libc.nlmsghdr header = ref MemoryMarshal.AsRef<Libc.nlmsghdr>(_request.AsSpan());
        header.nlmsg_flags |= flags;
        header.nlmsg_seq = sequence;
        header.nlmsg_pid = Port;
        fixed (byte* bytes = _request)
        {
            while (Libc.send_netlink(_socket.SafeHandle, bytes, (nuint)length, 0) < 0)
            {
                if (Libc.Errno != Libc.EINTR)
                {
                    return Libc.Errno;
                }
            }
        }

        return 0;
    }

    /// <summary>Reads away what an abandoned request left: as long as a dump is unfinished the kernel answers EBUSY to the next.</summary>
    private void Drain()
    {
        Span<byte> rest = stackalloc byte[16];
        int received;
        do
        {
            received = TryReceive(rest, out _);
        }
        while (received >= 0 || -received is Libc.EINTR or Libc.ENOBUFS);
    }

    /// <summary>Takes in one datagram; true once the request is answered.</summary>
    private bool IsAnswered<TState>(
        ReadOnlySpan<byte> datagram, uint sequence, TState state, NetlinkReply<TState>? reply, out NetlinkResult result, ref bool interrupted)
    {
        result = default;
        var reader = new NetlinkReader(datagram);
        while (reader.TryNext(out NetlinkMessage message))
        {
            // What is left of an earlier request that was cancelled carries another sequence.
            if (message.Sequence != sequence || message.Port != Port)
            {
                continue;
            }

            interrupted |= (message.Flags & Libc.NLM_F_DUMP_INTR) != 0;
            switch (message.Type)
            {
                case Libc.NLMSG_NOOP:
                    break;
                case Libc.NLMSG_OVERRUN:
                    result = new NetlinkResult(Libc.ENOBUFS);
                    return true;
                case Libc.NLMSG_ERROR or Libc.NLMSG_DONE:
                    result = NetlinkAcknowledgement.Read(in message);
                    return true;
                default:
                    if (reply is not null && !reply(in message, state))
                    {
                        result = new NetlinkResult(Libc.EBADMSG, $"message of type {message.Type} is not as the kernel's headers say");
                        return true;
                    }

                    break;
            }
        }

        if (reader.Malformed)
        {
            result = new NetlinkResult(Libc.EBADMSG, "bad message length");
            return true;
        }

        return false;
    }
}
