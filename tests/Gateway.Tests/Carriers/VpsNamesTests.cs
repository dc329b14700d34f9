using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Tests.Simulation;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Carriers;

public sealed class VpsNamesTests
{
    private static readonly IPAddress Real = IPAddress.Parse("198.51.100.2"), Lie = IPAddress.Parse("10.0.0.1"), Moved = IPAddress.Parse("203.0.113.7");

    private readonly SimulatedTime _time = new();
    private readonly VpsTarget _target = new(["vps.example.net"], 7443, default);
    private readonly VpsNames _names;
    private Func<IPAddress[]> _resolver = () => [Real];

    public VpsNamesTests() => _names = new VpsNames(CarrierLimits.Default, _time, _ => Task.FromResult(_resolver()));

    [Fact]
    public async Task A_resolver_that_lies_does_not_move_what_has_proved_its_key()
    {
        (await ResolveAsync()).ShouldBe([Real]);
        _names.Proven(_target, Real);
        _resolver = () => [Lie];
        (await ResolveAsync()).ShouldBe([Real, Lie]);
        _resolver = () => throw new SocketException((int)SocketError.HostNotFound);
        (await ResolveAsync()).ShouldBe([Real, Lie]);
        _resolver = () => [Real];
        (await ResolveAsync()).ShouldBe([Real]);
    }

    [Fact]
    public async Task Where_neither_is_reached_they_take_turns_and_whoever_proves_itself_stays_first()
    {
        await ResolveAsync();
        _names.Proven(_target, Real);
        _resolver = () => [Moved];
        (await ResolveAsync()).ShouldBe([Real, Moved]);
        _names.NotReached();
        (await ResolveAsync(later: TimeSpan.Zero)).ShouldBe([Real, Moved], "a restart of the VPS is no move");
        _time.AdvanceTo(_time.Now + VpsNames.Turn);
        _names.NotReached();
        (await ResolveAsync(later: TimeSpan.Zero)).ShouldBe([Moved, Real]);
        // Each has its time, however often it is tried meanwhile.
        _names.NotReached();
        (await ResolveAsync(later: TimeSpan.Zero)).ShouldBe([Moved, Real]);
        _time.AdvanceTo(_time.Now + VpsNames.Turn);
        _names.NotReached();
        (await ResolveAsync(later: TimeSpan.Zero)).ShouldBe([Real, Moved]);

        _names.Proven(_target, Moved);
        (await ResolveAsync()).ShouldBe([Moved]);
        _resolver = () => [Lie];
        (await ResolveAsync()).ShouldBe([Moved, Lie]);
    }

    [Fact]
    public async Task Another_VPS_has_nothing_to_do_with_the_one_before()
    {
        await ResolveAsync();
        _names.Proven(_target, Real);
        _resolver = () => [Moved];
        (await _names.ResolveAsync(_target with { Port = 7444 }, default)).ShouldBe([Moved]);
        _names.Proven(_target, Real);
        (await _names.ResolveAsync(_target with { Port = 7444 }, default)).ShouldBe([Moved], "a late word of the one before");
    }

    private async Task<IPAddress[]> ResolveAsync(TimeSpan? later = null)
    {
        _time.AdvanceTo(_time.Now + (later ?? CarrierLimits.Default.NameLifetime));
        return await _names.ResolveAsync(_target, default);
    }
}
