namespace Aggregator.Lab.Ownership;

/// <summary>Labs and directories that would outlive their process because nobody disposed of them are taken away as it ends, also by a signal.</summary>
internal static class ExitCleanup
{
    /// <summary>Whoever works on a lab in that moment may still have a namespace made or a program started: it is looked again, so often at most.</summary>
    private const int MostPasses = 30;

    /// <summary>Passes in a row that find nothing, before it is believed.</summary>
    private const int EnoughEmpty = 2;

    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(50);

    private static readonly Lock Guard = new();
    private static readonly List<LabRecord> Alive = [];
    private static readonly List<string> Directories = [];
    private static volatile bool _isEnding;

    static ExitCleanup() => AppDomain.CurrentDomain.ProcessExit += (_, _) => Clean();

    /// <exception cref="OperationCanceledException">The process ends: nothing new is begun.</exception>
    internal static void Check()
    {
        if (_isEnding)
        {
            throw new OperationCanceledException("this process ends");
        }
    }

    internal static void Add(LabRecord record)
    {
        lock (Guard)
        {
            Alive.Add(record);
        }
    }

    internal static void Remove(LabRecord record)
    {
        lock (Guard)
        {
            Alive.Remove(record);
        }
    }

    /// <summary>A directory with all that is in it.</summary>
    internal static void AddDirectory(string path)
    {
        lock (Guard)
        {
            Directories.Add(path);
        }
    }

    internal static void RemoveDirectory(string path)
    {
        lock (Guard)
        {
            Directories.Remove(path);
        }

        DeleteDirectory(path);
    }

    private static void Clean()
    {
        _isEnding = true;
        LabRecord[] records;
        string[] directories;
        lock (Guard)
        {
            records = [.. Alive];
            directories = [.. Directories];
        }

        using var never = new ManualResetEventSlim();
        for (int pass = 0, empty = 0; records.Length > 0 && pass < MostPasses && empty < EnoughEmpty; pass++)
        {
            string[] left = [.. records.SelectMany(r => NamespaceRemoval.WithPrefix(r.Prefix))];
            empty = left.Length == 0 ? empty + 1 : 0;
            NamespaceRemoval.RemoveNow(left);
            never.Wait(LookAgain);
        }

        foreach (var record in records)
        {
            record.Release();
        }

        foreach (string path in directories)
        {
            DeleteDirectory(path);
        }
    }

    private static void DeleteDirectory(string path)
    {
        try
        {
            Directory.Delete(path, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // Taken away already.
        }
    }
}
