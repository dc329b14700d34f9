using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace Aggregator.Settings;

/// <summary>A configuration, or everything that is wrong with it (in the order of the file's lines). Exactly one of the two.</summary>
internal sealed class Loaded<T>
    where T : class
{
    internal Loaded(T config) => Config = config;

    internal Loaded(IEnumerable<SettingError> errors) => Errors = [.. errors.OrderBy(e => e.Line)];

    internal T? Config { get; }

    internal ImmutableArray<SettingError> Errors { get; } = [];

    [MemberNotNullWhen(true, nameof(Config))]
    internal bool Succeeded => Config is not null;

    /// <summary>For standard error; null when there is none. Further errors are counted.</summary>
    internal string? FirstError => Errors switch
    {
        [] => null,
        [var only] => only.ToString(),
        [var first, ..] => $"{first} (and {Errors.Length - 1} more)",
    };
}
