using Aggregator.Settings;

namespace Aggregator.Hosting;

/// <summary>
/// One daemon a state directory. The kernel lets the lock go with the process, also after `kill -9`, so it can never be stale.
/// </summary>
internal sealed class InstanceLock : IDisposable
{
    internal const string FileName = "lock";

    private readonly FileStream _file;

    private InstanceLock(FileStream file) => _file = file;

    /// <returns>Null: another daemon has it.</returns>
    /// <exception cref="StateException">The directory cannot be used.</exception>
    internal static InstanceLock? TryTake(string stateDirectory)
    {
        StateDirectory.Ensure(stateDirectory);
        try
        {
            // FileShare.None is flock(LOCK_EX | LOCK_NB) on Linux.
            return new InstanceLock(new FileStream(
                Path.Combine(stateDirectory, FileName),
                new FileStreamOptions
                {
                    Mode = FileMode.OpenOrCreate,
                    Access = FileAccess.ReadWrite,
                    Share = FileShare.None,
                    UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
                }));
        }
        catch (UnauthorizedAccessException e)
        {
            throw new StateException(stateDirectory, "permission denied; run this as root or as the owner of `state`", e);
        }
        catch (IOException) when (File.Exists(Path.Combine(stateDirectory, FileName)))
        {
            return null;
        }
    }

    public void Dispose() => _file.Dispose();
}
