namespace Aggregator.Gateway.Doctor;

/// <summary>Text files of /proc, /sys and /etc.</summary>
/// <param name="root">`/`, or a directory of a test.</param>
internal sealed class HostFiles(string root = "/")
{
    /// <summary>Larger ones are not what we look for.</summary>
    private const int MaxBytes = 256 * 1024;

    /// <param name="path">Absolute.</param>
    /// <returns>Null: it is not there, or may not be read (containers hide some).</returns>
    internal string? Read(string path)
    {
        try
        {
            using var reader = new StreamReader(Under(path));
            var buffer = new char[MaxBytes];
            return new string(buffer, 0, reader.ReadBlock(buffer));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>A file with one number. Null: not there, or no number.</summary>
    internal long? Number(string path) =>
        long.TryParse(Read(path)?.Trim(), System.Globalization.CultureInfo.InvariantCulture, out long number) ? number : null;

    internal bool Exists(string path) => Path.Exists(Under(path));

    private string Under(string path) => Path.Combine(root, path.TrimStart('/'));
}
