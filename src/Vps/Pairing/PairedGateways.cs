using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Aggregator.Identity;
using Aggregator.Settings;

namespace Aggregator.Vps.Pairing;

/// <summary>
/// Who may connect: one file a gateway in `gateways/` of the state directory, so that adding and removing are single steps of the file
/// system, whichever process does them. Lookups see a snapshot and take no lock; <see cref="Reload"/> sees what other processes did.
/// </summary>
internal sealed class PairedGateways
{
    /// <summary>More than anybody pairs; bounds what a damaged or hostile directory can make us read.</summary>
    private const int MaxGateways = 1000;

    private readonly string _directory;
    private readonly Lock _writing = new();
    private volatile Snapshot _snapshot = Snapshot.Empty;

    /// <exception cref="StateException">The directory cannot be used.</exception>
    internal PairedGateways(string stateDirectory)
    {
        StateDirectory.Ensure(stateDirectory);
        _directory = Path.Combine(stateDirectory, "gateways");
        StateDirectory.Ensure(_directory);
        Reload();
    }

    /// <summary>By name.</summary>
    internal ImmutableArray<PairedGateway> All => _snapshot.All;

    /// <summary>Files that could not be read at the last <see cref="Reload"/>. Their gateways are not let in.</summary>
    internal ImmutableArray<StateException> Problems => _snapshot.Problems;

    internal bool TryFind(KeyPin pin, [NotNullWhen(true)] out PairedGateway? gateway) => _snapshot.ByPin.TryGetValue(pin, out gateway);

    /// <summary>
    /// Lets the gateway with <paramref name="pin"/> in. One that is known already gets the new name. A name that another has is made
    /// unique by a number.
    /// </summary>
    /// <exception cref="StateException">It could not be stored, or there are too many.</exception>
    internal PairedGateway Add(string wantedName, KeyPin pin, DateTimeOffset now)
    {
        lock (_writing)
        {
            Reload();
            if (_snapshot.All.Length >= MaxGateways)
            {
                throw new StateException(_directory, $"{MaxGateways} gateways are paired already; revoke some");
            }

            var known = _snapshot.All.Where(g => g.Pin == pin).ToList();
            var added = Store(wantedName, pin, now, known);
            foreach (var old in known.Where(g => g.Name != added.Name))
            {
                AtomicFile.TryRemove(PairedGatewayFile.PathOf(_directory, old.Name));
            }

            Reload();
            return added;
        }
    }

    /// <returns>False: no such gateway.</returns>
    /// <exception cref="StateException">The file could not be removed.</exception>
    internal bool Remove(string name)
    {
        // The name becomes a part of a path.
        if (Values.Name(name).Problem is not null)
        {
            return false;
        }

        lock (_writing)
        {
            bool removed = AtomicFile.TryRemove(PairedGatewayFile.PathOf(_directory, name));
            Reload();
            return removed;
        }
    }

    /// <summary>Takes over what is in the directory now.</summary>
    /// <returns>Those that were let in before and are not any more (their key is gone).</returns>
    internal ImmutableArray<PairedGateway> Reload()
    {
        lock (_writing)
        {
            var before = _snapshot;
            var now = Read();
            _snapshot = now;
            return [.. before.All.Where(g => !now.ByPin.ContainsKey(g.Pin))];
        }
    }

    private PairedGateway Store(string wantedName, KeyPin pin, DateTimeOffset now, List<PairedGateway> known)
    {
        for (int number = 1; ; number++)
        {
            string suffix = number == 1 ? "" : $"-{number}";
            string name = wantedName.Length + suffix.Length <= Values.MaxNameLength
                ? wantedName + suffix
                : wantedName[..(Values.MaxNameLength - suffix.Length)] + suffix;
            var gateway = new PairedGateway(name, pin, now);
            string path = PairedGatewayFile.PathOf(_directory, name);
            var content = PairedGatewayFile.Format(gateway);
            if (known.Exists(g => g.Name == name))
            {
                AtomicFile.Write(path, content);
                return gateway;
            }

            if (AtomicFile.TryCreate(path, content))
            {
                return gateway;
            }
        }
    }

    private Snapshot Read()
    {
        var byPin = new Dictionary<KeyPin, PairedGateway>();
        var problems = ImmutableArray.CreateBuilder<StateException>();
        foreach (string path in StateDirectory.Files(_directory, PairedGatewayFile.Pattern, MaxGateways).Order(StringComparer.Ordinal))
        {
            try
            {
                // Null: removed since the directory was listed.
                if (PairedGatewayFile.TryRead(path) is { } gateway)
                {
                    byPin.TryAdd(gateway.Pin, gateway);
                }
            }
            catch (StateException e)
            {
                problems.Add(e);
            }
        }

        return new Snapshot(byPin.ToFrozenDictionary(), [.. byPin.Values.OrderBy(g => g.Name, StringComparer.Ordinal)], problems.ToImmutable());
    }

    private sealed record Snapshot(FrozenDictionary<KeyPin, PairedGateway> ByPin, ImmutableArray<PairedGateway> All, ImmutableArray<StateException> Problems)
    {
        internal static Snapshot Empty { get; } = new(FrozenDictionary<KeyPin, PairedGateway>.Empty, [], []);
    }
}
