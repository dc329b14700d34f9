namespace Aggregator.Trunk;

/// <summary>How a lane takes part. The gateway decides, the other end follows. The numbers are those on the wire.</summary>
internal enum LaneRole : byte
{
    /// <summary>Carries its share.</summary>
    Normal = 0,

    /// <summary>Carries only while no normal lane works.</summary>
    Backup = 1,
}
