using Aggregator.Identity;
using Aggregator.Settings;
using Aggregator.Vps.Pairing;
using Shouldly;
using Xunit;

namespace Aggregator.Vps.Tests.Pairing;

public sealed class PairedGatewaysTests : IDisposable
{
    private static readonly DateTimeOffset Now = new(2030, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private readonly TemporaryDirectory _state = new();

    public void Dispose() => _state.Dispose();

    [Fact]
    public void What_is_added_is_found_also_after_a_restart()
    {
        Open().Add("home", Pin(1), Now);

        var again = Open();
        again.TryFind(Pin(1), out var gateway).ShouldBeTrue();
        gateway.ShouldBe(new PairedGateway("home", Pin(1), Now));
        again.TryFind(Pin(2), out _).ShouldBeFalse();
        File.GetUnixFileMode(Path.Combine(_state["gateways"], "home.json")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public void A_running_daemon_sees_what_another_process_did_when_asked()
    {
        var daemon = Open();
        daemon.Add("home", Pin(1), Now);
        daemon.Add("office", Pin(2), Now);
        Open().Remove("home").ShouldBeTrue();

        daemon.TryFind(Pin(1), out _).ShouldBeTrue("not asked yet");
        daemon.Reload().Select(g => g.Name).ShouldBe(["home"]);
        daemon.TryFind(Pin(1), out _).ShouldBeFalse();
        daemon.All.Select(g => g.Name).ShouldBe(["office"]);
    }

    [Fact]
    public void A_name_that_another_key_has_is_made_unique()
    {
        var gateways = Open();
        gateways.Add("home", Pin(1), Now).Name.ShouldBe("home");
        gateways.Add("home", Pin(2), Now).Name.ShouldBe("home-2");
        gateways.Add("home", Pin(3), Now).Name.ShouldBe("home-3");
        gateways.Add(new string('x', Values.MaxNameLength), Pin(4), Now);
        gateways.Add(new string('x', Values.MaxNameLength), Pin(5), Now).Name.ShouldBe(new string('x', Values.MaxNameLength - 2) + "-2");
    }

    [Fact]
    public void The_same_key_again_keeps_one_entry_under_the_new_name()
    {
        var gateways = Open();
        gateways.Add("home", Pin(1), Now);
        gateways.Add("home", Pin(1), Now.AddDays(1)).Name.ShouldBe("home");
        gateways.Add("cabin", Pin(1), Now.AddDays(2));

        gateways.All.ShouldBe([new PairedGateway("cabin", Pin(1), Now.AddDays(2))]);
        Open().All.Length.ShouldBe(1);
    }

    [Theory]
    [InlineData("nobody")]
    [InlineData("")]
    [InlineData("../identity")]
    [InlineData("home/../home")]
    public void Removing_what_is_not_there_removes_nothing(string name)
    {
        var gateways = Open();
        gateways.Add("home", Pin(1), Now);
        AtomicFile.Write(_state["identity.json"], "{}"u8);

        gateways.Remove(name).ShouldBeFalse();
        gateways.All.Length.ShouldBe(1);
        File.Exists(_state["identity.json"]).ShouldBeTrue();
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("{\"pin\":\"x\"}")]
    [InlineData("{\"pin\":7,\"paired_at\":\"no\"}")]
    public void A_damaged_file_keeps_its_gateway_out_and_the_others_in(string content)
    {
        Open().Add("home", Pin(1), Now);
        string bad = Path.Combine(_state["gateways"], "bad.json");
        AtomicFile.Write(bad, System.Text.Encoding.UTF8.GetBytes(content));

        var gateways = Open();

        gateways.All.Select(g => g.Name).ShouldBe(["home"]);
        gateways.Problems.ShouldHaveSingleItem().Message.ShouldBe($"{bad}: is damaged; remove it and pair that gateway again");
    }

    [Fact]
    public async Task Two_processes_that_add_at_once_lose_nothing()
    {
        await Task.WhenAll(Enumerable.Range(0, 20).Select(i => Task.Run(() => Open().Add("home", Pin((byte)i), Now))));
        Open().All.Select(g => g.Pin).Distinct().Count().ShouldBe(20);
    }

    private PairedGateways Open() => new(_state.Path);

    private static KeyPin Pin(byte n) => KeyPin.FromHash([.. Enumerable.Repeat(n, 32)]);
}
