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
            string id = System.IO.Path.GetFileName(path);
            if (id.StartsWith('.'))
            {
                continue;
            }

            try
            {
                string text = File.ReadAllText(System.IO.Path.Combine(path, OwnerFile));

                // An unreadable note has no living owner.
                records.Add(new LabRecord(id, ProcessIdentity.Parse(text) ?? new ProcessIdentity(0, 0)));
            }
            catch (IOException)
            {
                // Being removed at this moment.
            }
        }

        return records;
    }

    /// <summary>Takes away every lab whose owner is dead. Gives their ids.</summary>
    internal static async Task<IReadOnlyList<string>> SweepAsync()
    {
        var swept = new List<string>();
        foreach (var record in All())
        {
            if (!record.Owner.IsAlive)
            {
                await NamespaceRemoval.RemoveAsync(NamespaceRemoval.WithPrefix(record.Prefix));
                record.Release();
                swept.Add(record.Id);
            }
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
        catch (DirectoryNotFoundException)
        {
            // Another sweep was quicker.
        }
    }
}
