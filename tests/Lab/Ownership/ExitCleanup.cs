namespace Aggregator.Lab.Ownership;

/// <summary>Labs that would outlive their process because nobody disposed of them are taken away as it ends.</summary>
internal static class ExitCleanup
{
    private static readonly Lock Guard = new();
    private static readonly List<LabRecord> Alive = [];

    static ExitCleanup() => AppDomain.CurrentDomain.ProcessExit += (_, _) =>
    {
        LabRecord[] left;
        lock (Guard)
        {
            left = [.. Alive];
        }

        foreach (var record in left)
        {
            NamespaceRemoval.RemoveNow(NamespaceRemoval.WithPrefix(record.Prefix));
            record.Release();
        }
    };

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
}
