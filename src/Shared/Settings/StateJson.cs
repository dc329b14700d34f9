using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Aggregator.Settings;

/// <summary>What a daemon remembers, a JSON file each in its state directory.</summary>
internal static class StateJson
{
    /// <summary>
    /// A file that cannot be read is an empty memory, and a problem to be told: what is kept this way can be found out again, or is not worth a daemon
    /// that does not start.
    /// </summary>
    internal static T Load<T>(string stateDirectory, string fileName, JsonTypeInfo<T> type, T empty, out string? problem)
        where T : class
    {
        string path = Path.Combine(stateDirectory, fileName);
        problem = null;
        try
        {
            using var file = File.OpenRead(path);
            return JsonSerializer.Deserialize(file, type) ?? empty;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return empty;
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            problem = $"{path}: {e.Message}";
            return empty;
        }
    }

    /// <exception cref="StateException">It could not be written.</exception>
    internal static void Save<T>(string stateDirectory, string fileName, JsonTypeInfo<T> type, T value)
    {
        StateDirectory.Ensure(stateDirectory);
        AtomicFile.Write(Path.Combine(stateDirectory, fileName), JsonSerializer.SerializeToUtf8Bytes(value, type));
    }
}
