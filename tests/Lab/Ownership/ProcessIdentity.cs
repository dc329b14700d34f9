using System.Globalization;

namespace Aggregator.Lab.Ownership;

/// <summary>A process, told from a later one of the same number by its start time (clock ticks since boot; proc_pid_stat(5), field 22).</summary>
internal sealed record ProcessIdentity(int Id, long StartTicks)
{
    internal static ProcessIdentity Current { get; } =
        Of(Environment.ProcessId) ?? throw new InvalidOperationException("no /proc/self/stat");

    internal bool IsAlive => Of(Id) == this;

    /// <summary>Null: there is no such process.</summary>
    internal static ProcessIdentity? Of(int id)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{id}/stat");

            // The name in parentheses may have spaces and parentheses itself; what follows its end begins with field 3.
            string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            bool dead = fields[0] is "Z" or "X";
            return dead ? null : new ProcessIdentity(id, long.Parse(fields[22 - 3], CultureInfo.InvariantCulture));
        }
        catch (IOException)
        {
            return null;
        }
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Id} {StartTicks}");

    /// <summary>Null: not in the format of <see cref="ToString"/>.</summary>
    internal static ProcessIdentity? Parse(string text)
    {
        string[] parts = text.Trim().Split(' ');
        return parts.Length == 2
            && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int id)
            && long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out long start)
            ? new ProcessIdentity(id, start)
            : null;
    }
}
