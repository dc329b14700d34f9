using Aggregator.Cli;
using Aggregator.Vps.Configuration;

namespace Aggregator.Vps.Cli;

/// <summary>The configuration as commands load it.</summary>
internal static class VpsSettings
{
    /// <exception cref="CliException">With the file's first error.</exception>
    internal static VpsConfig Load(string path)
    {
        var loaded = VpsConfigFile.Load(path);
        return loaded.Succeeded ? loaded.Config : throw new CliException(loaded.FirstError!);
    }

    /// <summary>A command line to recommend, with the configuration where it is not the default.</summary>
    internal static string Command(string command, string configPath) => configPath == VpsConfigFile.DefaultPath
        ? $"{RootCommandFactory.Name} {command}"
        : $"{RootCommandFactory.Name} {command} --config {configPath}";
}
