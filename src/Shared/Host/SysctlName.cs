namespace Aggregator.Host;

/// <summary>
/// A kernel setting below /proc/sys. Kept as a path, because an interface's name may itself have a dot (eth0.100).
/// </summary>
internal readonly record struct SysctlName : IComparable<SysctlName>
{
    private SysctlName(string path) => Path = path;

    /// <summary>Relative to /proc/sys: `net/ipv4/tcp_rmem`.</summary>
    internal string Path { get; }

    /// <summary>From its parts: `Of("net", "ipv4", "conf", "eth0.100", "rp_filter")`.</summary>
    /// <exception cref="ArgumentException">A part that would leave /proc/sys or reach another setting.</exception>
    internal static SysctlName Of(params ReadOnlySpan<string> parts)
    {
        foreach (string part in parts)
        {
            if (!IsPart(part))
            {
                throw new ArgumentException($"not a part of a sysctl's name: '{part}'", nameof(parts));
            }
        }

        return new SysctlName(string.Join('/', parts));
    }

    /// <summary>From a name without interface in it: `Of("net.ipv4.tcp_rmem")`.</summary>
    internal static SysctlName Of(string dotted) => Of(dotted.Split('.'));

    /// <summary>From <see cref="Path"/>, as the journal keeps it.</summary>
    internal static bool TryParsePath(string path, out SysctlName name)
    {
        name = default;
        foreach (string part in path.Split('/'))
        {
            if (!IsPart(part))
            {
                return false;
            }
        }

        name = new SysctlName(path);
        return true;
    }

    public int CompareTo(SysctlName other) => string.CompareOrdinal(Path, other.Path);

    /// <summary>As sysctl(8) writes it: dots between the parts, and a slash for a dot inside a part.</summary>
    public override string ToString() =>
        string.Create(Path.Length, Path, static (text, path) =>
        {
            for (int i = 0; i < path.Length; i++)
            {
                text[i] = path[i] switch { '/' => '.', '.' => '/', var c => c };
            }
        });

    public static bool operator <(SysctlName left, SysctlName right) => left.CompareTo(right) < 0;

    public static bool operator >(SysctlName left, SysctlName right) => left.CompareTo(right) > 0;

    public static bool operator <=(SysctlName left, SysctlName right) => left.CompareTo(right) <= 0;

    public static bool operator >=(SysctlName left, SysctlName right) => left.CompareTo(right) >= 0;

    private static bool IsPart(string part) => part.Length > 0 && part is not ("." or "..") && !part.AsSpan().ContainsAny('/', '\0');
}
