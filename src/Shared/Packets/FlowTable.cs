using System.Numerics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Aggregator.Packets;

/// <summary>
/// Finds a packet's flow and its class. A table of fixed size: flows that come later take the place of the one of four that was silent longest, so a
/// flood of flows costs no memory and disturbs few. One thread at a time; allocates nothing.
/// </summary>
/// <param name="clientIsSource">At the gateway clients are sources, at the VPS destinations.</param>
internal sealed class FlowTable(PacketPolicy policy, bool clientIsSource)
{
    /// <summary>On the wire a slot has so many values: proto/trunk.md.</summary>
    internal const int Slots = 4096;

    private const int Ways = 4;

    /// <summary>The hash is keyed, so that nobody can choose flows that meet in one place.</summary>
    private readonly ulong _seed = MemoryMarshal.Read<ulong>(RandomNumberGenerator.GetBytes(8));
    private readonly FlowObservation[] _flows = new FlowObservation[Slots];

    internal PacketPolicy Policy { get; set; } = policy;

    internal PacketFlow Classify(ReadOnlySpan<byte> packet, in PacketInfo info, long nowUs)
    {
        ulong client = Mix(clientIsSource ? PacketInfo.Source(packet) : PacketInfo.Destination(packet), _seed);
        ulong ports = ((ulong)info.Protocol << 32) | ((ulong)info.SourcePort << 16) | info.DestinationPort;
        ulong key = Step(Mix(clientIsSource ? PacketInfo.Destination(packet) : PacketInfo.Source(packet), client), ports) | 1;
        int slot = Find(key, nowUs);
        ref var flow = ref _flows[slot];
        var observed = flow.Note(info, nowUs);
        return new PacketFlow(slot, Policy.Of(info) ?? observed, (byte)(client >> 40));
    }

    private int Find(ulong key, long nowUs)
    {
        int first = (int)(key >> 32) & (Slots - Ways);
        int oldest = first;
        for (int i = first; i < first + Ways; i++)
        {
            if (_flows[i].Key == key)
            {
                return i;
            }

            // An empty place before the one that was silent longest, also in the first moment.
            if (_flows[oldest].Key != 0 && (_flows[i].Key == 0 || _flows[i].LastUs < _flows[oldest].LastUs))
            {
                oldest = i;
            }
        }

        _flows[oldest] = new FlowObservation(key, nowUs);
        return oldest;
    }

    private static ulong Mix(ReadOnlySpan<byte> address, ulong seed) => address.Length == 4
        ? Step(seed, MemoryMarshal.Read<uint>(address))
        : Step(Step(seed, MemoryMarshal.Read<ulong>(address)), MemoryMarshal.Read<ulong>(address[8..]));

    private static ulong Step(ulong hash, ulong value)
    {
        ulong high = Math.BigMul(hash ^ value ^ 0x9e3779b97f4a7c15, 0xff51afd7ed558ccd ^ BitOperations.RotateLeft(value, 32), out ulong low);
        return BitOperations.RotateLeft(high ^ low, 29);
    }
}
