using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Tests.Simulation;
using Aggregator.Settings;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Carriers;

public sealed class VpsMemoryTests : IDisposable
{
    private static readonly IPAddress Real = IPAddress.Parse("198.51.100.2"), Lie = IPAddress.Parse("10.0.0.1"), Moved = IPAddress.Parse("2001:db8::7");

    private readonly string _state = Directory.CreateTempSubdirectory("aggregator-vps-memory-").FullName;
    private readonly VpsTarget _target = new(["vps.example.net"], 7443, default);

    public void Dispose() => Directory.Delete(_state, recursive: true);

    [Fact]
    public async Task A_start_behind_a_resolver_that_lies_or_is_away_goes_where_the_VPS_was()
    {
        VpsNames first = Names([Real]);
        await first.ResolveAsync(_target, default);
        first.Proven(_target, Real);
        File.GetUnixFileMode(Path.Combine(_state, VpsMemory.FileName)).ShouldBe(AtomicFile.OwnerOnly);

        (await Names([Lie]).ResolveAsync(_target, default)).ShouldBe([Real, Lie]);
        (await Names([]).ResolveAsync(_target, default)).ShouldBe([Real]);

        // And to where it has moved meanwhile, when that has proved itself.
        VpsNames moved = Names([Moved]);
        (await moved.ResolveAsync(_target, default)).ShouldBe([Real, Moved]);
        moved.Proven(_target, Moved);
        (await Names([Lie]).ResolveAsync(_target, default)).ShouldBe([Moved, Lie]);
    }

    [Fact]
    public void Another_pairing_remembers_nothing_of_it_and_damage_is_no_memory()
    {
        Memory().Remember(_target, Real);
        Memory().Recall(_target).ShouldBe(Real);
        Memory().Recall(_target with { Port = 7444 }).ShouldBeNull();
        Memory().Recall(_target with { Hosts = ["other.example.net"] }).ShouldBeNull();
        foreach (string damage in (string[])["", "{ broken", "[]", "null", """{"of": 7}""", $$"""{"of": "vps.example.net:7443 {{_target.Pin}}", "address": "nonsense"}"""])
        {
            File.WriteAllText(Path.Combine(_state, VpsMemory.FileName), damage);
            Memory().Recall(_target).ShouldBeNull(damage);
        }

        Memory().Remember(_target, Moved);
        Memory().Recall(_target).ShouldBe(Moved);
    }

    [Fact]
    public void What_is_written_as_addresses_needs_no_file()
    {
        Memory().Remember(_target with { Hosts = ["198.51.100.2", "[2001:db8::7]"] }, Real);
        Directory.EnumerateFiles(_state).ShouldBeEmpty();
    }

    private VpsMemory Memory() => new(_state, NullLogger.Instance);

    private VpsNames Names(IPAddress[] resolved) => new(
        CarrierLimits.Default,
        new SimulatedTime(),
        _ => resolved.Length > 0 ? Task.FromResult(resolved) : Task.FromException<IPAddress[]>(new SocketException((int)SocketError.HostNotFound)),
        Memory());
}
