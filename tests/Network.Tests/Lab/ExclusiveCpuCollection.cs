using Xunit;

namespace Aggregator.Network.Tests.Lab;

/// <summary>Tests that measure time: nothing else of this assembly runs beside them.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ExclusiveCpuCollection
{
    public const string Name = "exclusive CPU";
}
