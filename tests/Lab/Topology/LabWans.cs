using System.Collections;

namespace Aggregator.Lab.Topology;

/// <summary>The WANs of a lab, by name or by place.</summary>
internal sealed class LabWans(IReadOnlyList<LabWan> wans) : IReadOnlyList<LabWan>
{
    public int Count => wans.Count;

    public LabWan this[int index] => wans[index];

    /// <summary>By its name, or by its interface.</summary>
    /// <exception cref="KeyNotFoundException"/>
    internal LabWan this[string name] => wans.FirstOrDefault(w => w.Name == name || w.Interface == name)
        ?? throw new KeyNotFoundException($"no WAN '{name}': there is {string.Join(", ", wans.Select(w => w.Name))}");

    public IEnumerator<LabWan> GetEnumerator() => wans.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
