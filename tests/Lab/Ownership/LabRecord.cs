using System.Security.Cryptography;

namespace Aggregator.Lab.Ownership;

/// <summary>
/// The note, below <see cref="Folder"/>, of who owns a lab. It exists before the lab's first namespace and until after its last,
/// so whatever is left of a lab whose owner died can be found and taken away by anyone.
/// </summary>
internal sealed record LabRecord(string Id, ProcessIdentity Owner)
{
    internal const string Folder = "/run/aggregator-lab";

    private const string OwnerFile = "owner";

    internal string Path => System.IO.Path.Combine(Folder, Id);

    /// <summary>The owner's control socket.</summary>
    internal string ControlSocket => System.IO.Path.Combine(Path, "control.sock");

    /// <summary>Every namespace of the lab begins so.</summary>
    internal string Prefix => $"{LabPrefix}{Id}-";

    private const string LabPrefix = "agl-";

    /// <summary>Notes a new lab of this process.</summary>
    internal static LabRecord Claim()
    {
        var record = new LabRecord(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(3)), ProcessIdentity.Current);
        Directory.CreateDirectory(Folder);

        // Complete before it has its name: a sweep never sees a lab without its owner.
        string unfinished = System.IO.Path.Combine(Folder, $".{record.Id}");
        Directory.CreateDirectory(unfinished);
        File.WriteAllText(System.IO.Path.Combine(unfinished, OwnerFile), record.Owner.ToString());
        Directory.Move(unfinished, record.Path);
        return record;
    }

    /// <summary>Every lab noted, alive or not.</summary>
    internal static IReadOnlyList<LabRecord> All()
    {
        if (!Directory.Exists(Folder))
        {
            return [];
        }

        var records = new List<LabRecord>();
        foreach (string path in Directory.EnumerateDirectories(Folder))
        {
            // A note that was never finished (it begins with a dot) counts like any other: once its owner is dead it goes.
            string id = System.IO.Path.GetFileName(path);
            try
            {
                var owner = ProcessIdentity.Parse(File.ReadAllText(System.IO.Path.Combine(path, OwnerFile)));
                if (owner is not null || !id.StartsWith('.'))
                {
                    // A finished note that cannot be read has no living owner; an unfinished one may be being written.
                    records.Add(new LabRecord(id, owner ?? new ProcessIdentity(0, 0)));
                }
            }
            catch (IOException)
            {
                // Being removed at this moment.
            }
        }

        return records;
    }

    /// <summary>Takes away every lab whose owner is dead, and namespaces of which no note is left. Gives their ids.</summary>
    internal static async Task<IReadOnlyList<string>> SweepAsync()
    {
        // Namespaces first, then notes: a lab made in between has its note before its namespaces.
        string[] namespaces = NamespaceRemoval.WithPrefix(LabPrefix);
        var records = All();
        var swept = new List<string>();
        foreach (var record in records)
        {
            if (!record.Owner.IsAlive)
            {
                await NamespaceRemoval.RemoveAsync(NamespaceRemoval.WithPrefix(record.Prefix));
                record.Release();
                swept.Add(record.Id);
            }
        }

        string[] orphans = [.. namespaces.Where(n => !records.Any(r => n.StartsWith(r.Prefix, StringComparison.Ordinal)))];
        if (orphans.Length > 0)
        {
            await NamespaceRemoval.RemoveAsync(orphans);
            swept.AddRange(orphans.Select(o => o.Split('-')[1]).Distinct());
        }

        return swept;
    }

    /// <summary>Forgets the lab, when nothing is left of it. Safe to repeat.</summary>
    internal void Release()
    {
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (Exception e) when (e is DirectoryNotFoundException or FileNotFoundException)
        {
            // Another sweep was quicker.
        }
    }
}
