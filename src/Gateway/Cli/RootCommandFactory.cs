using System.CommandLine;

namespace Aggregator.Gateway.Cli;

/// <summary>The commands of aggregator-gateway, one file each.</summary>
internal static class RootCommandFactory
{
    internal const string Name = "aggregator-gateway";

    internal static RootCommand Create() => new("Carries the traffic of a home over all its internet lines at once, through a VPS of its own.")
    {
        PairCommand.Create(),
        RunCommand.Create(),
        StatusCommand.Create(),
        DoctorCommand.Create(),
        SpeedtestCommand.Create(),
        LinkCommand.Create(),
        EventsCommand.Create(),
        ClientCommand.Create(),
        UseCommand.Create(),
        DownCommand.Create(),
    };
}
