namespace Aggregator.Lab.Product;

/// <summary>Where the daemons' executables are: next to us (the build copies them to whoever references their projects), or in the build output of the repository.</summary>
internal static class ProductFiles
{
    /// <summary>A directory made by deploy/publish.sh, to test that in place of the build output.</summary>
    internal const string DirectoryVariable = "AGGREGATOR_BIN";

    internal static string Gateway => Find("aggregator-gateway", "Gateway");

    internal static string Vps => Find("aggregator-vps", "Vps");

    private static string Find(string program, string project)
    {
        if (Environment.GetEnvironmentVariable(DirectoryVariable) is { Length: > 0 } chosen)
        {
            string path = Path.Combine(chosen, program);
            return File.Exists(path) ? path : throw new FileNotFoundException($"{DirectoryVariable}: no {program} in {chosen}");
        }

        string here = Path.Combine(AppContext.BaseDirectory, program);
        if (File.Exists(here))
        {
            return here;
        }

        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Aggregator.sln")))
            {
                string output = Path.Combine(folder.FullName, "src", project, "bin");
                return new DirectoryInfo(output).EnumerateFiles(program, SearchOption.AllDirectories).MaxBy(f => f.LastWriteTimeUtc)?.FullName
                    ?? throw new FileNotFoundException($"{program} is not built: no such file below {output}");
            }
        }

        throw new FileNotFoundException($"{program} is neither in {AppContext.BaseDirectory} nor in a repository above it");
    }
}
