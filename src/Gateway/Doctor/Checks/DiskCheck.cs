namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>Room for the state.</summary>
internal sealed class DiskCheck : ICheck
{
    /// <summary>The state itself is a few kilobytes; who has less than this will soon have none.</summary>
    internal const long WarnBytes = 50_000_000;

    internal const long FailBytes = 1_000_000;

    public string Id => "disk";

    public string Title => "Disk space for the state";

    public Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        string? path = context.Config.State;
        while (path is not null && !Directory.Exists(path))
        {
            path = Path.GetDirectoryName(path);
        }

        return Task.FromResult(path is null
            ? Finding.Skip($"{context.Config.State} is not there")
            : Decide(context.Config.State, new DriveInfo(path).AvailableFreeSpace));
    }

    internal static Finding Decide(string state, long freeBytes) => freeBytes switch
    {
        < FailBytes => Finding.Fail($"{state}: {Texts.Bytes(freeBytes)} free", "make room: roles, pairing and what must be put back cannot be written"),
        < WarnBytes => Finding.Warn($"{state}: {Texts.Bytes(freeBytes)} free", "make room soon"),
        _ => Finding.Ok($"{state}: {Texts.Bytes(freeBytes)} free"),
    };
}
