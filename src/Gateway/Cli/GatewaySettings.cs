using Aggregator.Cli;
using Aggregator.Gateway.Configuration;

namespace Aggregator.Gateway.Cli;

/// <summary>The configuration as commands load it.</summary>
internal static class GatewaySettings
{
    /// <exception cref="CliException">With the file's first error.</exception>
    internal static GatewayConfig Load(string path)
    {
        var loaded = GatewayConfigFile.Load(path);
        return loaded.Succeeded ? loaded.Config : throw new CliException(loaded.FirstError!);
    }

    /// <summary>A command line to recommend, with the configuration where it is not the default.</summary>
    internal static string Command(string command, string configPath) => configPath == GatewayConfigFile.DefaultPath
        ? $"{RootCommandFactory.Name} {command}"
        : $"{RootCommandFactory.Name} {command} --config {configPath}";
}
