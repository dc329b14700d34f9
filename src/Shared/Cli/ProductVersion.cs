using System.Reflection;

namespace Aggregator.Cli;

/// <summary>The version of this build, as in `--version`, in status and in the protocol.</summary>
internal static class ProductVersion
{
    internal static string Text { get; } =
        typeof(ProductVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion
        ?? throw new InvalidOperationException("the build sets a version");
}
