using Aggregator.Lab.Product;

namespace Aggregator.Benchmarks.Scenarios.Trunk;

/// <param name="Quick">Lengths and repetitions as given: a factor of 1 is what the figures are told by, less is a short look.</param>
internal sealed record TrunkOptions(ProductSettings Settings, double Factor, int Sets, int Seed, TimeSpan Soak, Action<string> Progress)
{
    /// <summary>A length scaled, but not below <paramref name="least"/>.</summary>
    internal TimeSpan Seconds(double seconds, double least = 2) => TimeSpan.FromSeconds(Math.Max(least, seconds * Factor));

    internal int Times(int times, int least = 1) => Math.Max(least, (int)Math.Round(times * Factor));
}

/// <summary>A figure of the table.</summary>
/// <param name="Held">Null: printed, not judged.</param>
internal sealed record TrunkFigure(string Row, string What, string Value, string Wanted, bool? Held);

/// <summary>A row, or several that are measured together.</summary>
internal sealed record TrunkRow(string Key, string Description, string[] Programs, Func<TrunkOptions, CancellationToken, Task<IReadOnlyList<TrunkFigure>>> RunAsync);
