using System.CommandLine;

namespace Aggregator.Vps.Cli;

/// <summary>The commands of aggregator-vps, one file each.</summary>
internal static class RootCommandFactory
{
    internal const string Name = "aggregator-vps";

    internal static RootCommand Create() => new("The other end of aggregator-gateway: takes its traffic in and sends it on to the internet.")
    {
        InitCommand.Create(),
        RunCommand.Create(),
        PairCommand.Create(),
        GatewaysCommand.Create(),
        RevokeCommand.Create(),
        StatusCommand.Create(),
        HealthCommand.Create(),
        TuneCommand.Create(),
        DownCommand.Create(),
    };
}
