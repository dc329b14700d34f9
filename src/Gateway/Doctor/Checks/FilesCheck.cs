namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>Who may read keys and passwords.</summary>
internal sealed class FilesCheck : ICheck
{
    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    private const UnixFileMode Writers = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;
    private const UnixFileMode WorldReaders = UnixFileMode.OtherRead;

    /// <summary>A state directory has a dozen files.</summary>
    private const int MaxFiles = 256;

    public string Id => "files";

    public string Title => "Nobody else can read or change keys and configuration";

    public Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        var findings = new List<Finding>();
        if (Directory.Exists(context.Config.State))
        {
            findings.AddRange(Directory.EnumerateFiles(context.Config.State).Take(MaxFiles).Append(context.Config.State)
                .Select(path => State(path, File.GetUnixFileMode(path))).OfType<Finding>());
        }

        if (context.ConfigPath is { } config && File.Exists(config)
            && Configuration(config, File.GetUnixFileMode(config), !context.Config.Ingress.SocksUsers.IsEmpty) is { } finding)
        {
            findings.Add(finding);
        }

        return Task.FromResult(findings.Count > 0 ? Finding.Join(findings, "") : Finding.Ok("keys and state are the owner's alone"));
    }

    /// <summary>Null: as it should be.</summary>
    internal static Finding? State(string path, UnixFileMode mode) => (mode & Others) == 0
        ? null
        : Finding.Warn($"{path} is open to other users (mode {Octal(mode)})", $"`chmod go= {path}`; if somebody else may have read the key, pair again");

    /// <summary>Null: as it should be.</summary>
    internal static Finding? Configuration(string path, UnixFileMode mode, bool passwords) => mode switch
    {
        _ when (mode & Writers) != 0 => Finding.Fail($"{path} can be changed by other users (mode {Octal(mode)})", $"`chmod go-w {path}`"),
        _ when passwords && (mode & WorldReaders) != 0 => Finding.Warn($"{path} has passwords and can be read by all (mode {Octal(mode)})", $"`chmod o= {path}`"),
        _ => null,
    };

    private static string Octal(UnixFileMode mode) => Convert.ToString((int)mode, 8).PadLeft(4, '0');
}
