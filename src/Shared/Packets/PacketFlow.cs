namespace Aggregator.Packets;

/// <summary>How a packet is treated. Lower goes first.</summary>
internal enum PacketClass : byte
{
    /// <summary>Calls, games, questions and their answers: the quickest way, and twice where losses are seen.</summary>
    RealTime = 0,

    Default = 1,

    /// <summary>What fills the lines.</summary>
    Bulk = 2,
}

/// <summary>What a packet belongs to.</summary>
/// <param name="Slot">Of its flow, below <see cref="FlowTable.Slots"/>: packets with one slot keep their order. Seldom two flows share one.</param>
/// <param name="Class">By policy and observation.</param>
/// <param name="Client">A small number made of its client's address, for fair shares.</param>
internal readonly record struct PacketFlow(int Slot, PacketClass Class, byte Client);
