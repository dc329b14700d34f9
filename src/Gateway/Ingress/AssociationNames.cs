using System.Net;
using System.Net.Sockets;
using System.Text;
using Aggregator.Flows;

namespace Aggregator.Gateway.Ingress;

/// <summary>
/// The names that one association's datagrams go to. An address once found stays for the association's life; datagrams wait for it, within bounds.
/// Asked from the client's direction only, answered from any thread.
/// </summary>
/// <param name="send">Sends a payload to a sockaddr.</param>
internal sealed class AssociationNames(
    IDatagramWay way, AssociationLimits limits, TimeProvider time, Action<ReadOnlySpan<byte>, ReadOnlySpan<byte>> send, CancellationToken ending)
{
    private const int MaxNameBytes = 255;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Entry> _names = new(StringComparer.OrdinalIgnoreCase);
    private readonly Queue<string> _order = new();
    private readonly LinkedList<Waiting> _waiting = [];
    private int _waitingBytes;

    /// <summary>Sends at once where the address is known; keeps a copy otherwise. Allocates only for a name that is new.</summary>
    /// <returns>False: not a host's name.</returns>
    internal bool Send(ReadOnlySpan<byte> name, ushort port, ReadOnlySpan<byte> payload)
    {
        Span<char> text = stackalloc char[MaxNameBytes];
        text = text[..Encoding.Latin1.GetChars(name, text)];
        Span<byte> to = stackalloc byte[DatagramSocket.AddressBytes];
        lock (_lock)
        {
            if (!_names.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(text, out var entry))
            {
                if (!HostText.TryParse(name, port, out FlowTarget target))
                {
                    return false;
                }

                entry = new Entry { Address = target.Address };
                Add(text.ToString(), entry);
            }

            if (entry.Address is null)
            {
                Keep(entry, port, payload);
                if (!entry.IsAsked && (entry.Failed == 0 || time.GetElapsedTime(entry.Failed) >= limits.KeepFailure))
                {
                    entry.IsAsked = true;
                    _ = AskAsync(text.ToString(), entry);
                }

                return true;
            }

            DatagramSocket.WriteAddress(to, entry.Bytes, port);
        }

        send(payload, to);
        return true;
    }

    private async Task AskAsync(string name, Entry entry)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        IPAddress? address = null;
        try
        {
            address = await way.FindAsync(name, ending);
        }
        catch (OperationCanceledException)
        {
            // The association ends.
        }

        List<Waiting> ready = [];
        lock (_lock)
        {
            entry.IsAsked = false;
            entry.Address = address;
            entry.Failed = address is null ? time.GetTimestamp() : 0;
            for (var node = _waiting.First; node is not null;)
            {
                var next = node.Next;
                if (node.Value.Entry == entry)
                {
                    ready.Add(node.Value);
                    _waitingBytes -= node.Value.Payload.Length;
                    _waiting.Remove(node);
                }

                node = next;
            }
        }

        try
        {
            SendAll(ready, entry);
        }
        catch (ObjectDisposedException)
        {
            // The association ended meanwhile.
        }
    }

    private void SendAll(List<Waiting> ready, Entry entry)
    {
        if (entry.Address is not null)
        {
            byte[] to = new byte[DatagramSocket.AddressBytes];
            foreach (var waiting in ready)
            {
                DatagramSocket.WriteAddress(to, entry.Bytes, waiting.Port);
                send(waiting.Payload, to);
            }
        }
    }

    private void Add(string name, Entry entry)
    {
        while (_names.Count >= limits.MaxNames && _order.TryDequeue(out string? oldest))
        {
            _names.Remove(oldest);
        }

        _names.Add(name, entry);
        _order.Enqueue(name);
    }

    private void Keep(Entry entry, ushort port, ReadOnlySpan<byte> payload)
    {
        _waiting.AddLast(new Waiting(entry, port, payload.ToArray()));
        _waitingBytes += payload.Length;
        while (_waiting.Count > limits.MaxWaiting || _waitingBytes > limits.MaxWaitingBytes)
        {
            _waitingBytes -= _waiting.First!.Value.Payload.Length;
            _waiting.RemoveFirst();
        }
    }

    private sealed class Entry
    {
        internal IPAddress? Address
        {
            get;
            set
            {
                field = value;
                Bytes = value is null ? [] : (value.IsIPv4MappedToIPv6 ? value.MapToIPv4() : value).GetAddressBytes();
            }
        }

        internal byte[] Bytes { get; private set; } = [];

        internal bool IsAsked { get; set; }

        /// <summary>When the last question had no answer; 0: it had, or there was none.</summary>
        internal long Failed { get; set; }
    }

    private sealed record Waiting(Entry Entry, ushort Port, byte[] Payload);
}
