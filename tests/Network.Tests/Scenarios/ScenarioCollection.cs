using Xunit;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>Both daemons in a lab, end to end: one after the other, with the machine to themselves.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ScenarioCollection
{
    public const string Name = "scenarios";
}
