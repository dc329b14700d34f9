using System.Globalization;
using System.Text;

namespace Aggregator.Network.Tests.Speed;

/// <summary>True values against measured ones.</summary>
internal sealed class ResultTable
{
    private readonly StringBuilder _text = new("what                            true   measured  difference\n");
    private readonly List<string> _misses = [];

    /// <summary>What lies further off than it may.</summary>
    internal IReadOnlyList<string> Misses => _misses;

    internal void Add(string what, double truth, double? measured, double tolerance)
    {
        double? off = (measured - truth) / truth;
        string line = string.Create(CultureInfo.InvariantCulture, $"{what,-28} {truth,8:0.00} {measured,9:0.00} {off,10:+0.0 %;-0.0 %}");
        _text.AppendLine(line);
        if (off is null || Math.Abs(off.Value) > tolerance)
        {
            _misses.Add(line);
        }
    }

    internal void Note(string text) => _text.AppendLine("  " + text);

    public override string ToString() => _text.ToString();
}
