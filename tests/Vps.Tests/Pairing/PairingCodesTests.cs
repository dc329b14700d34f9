using Aggregator.Identity;
using Aggregator.Settings;
using Aggregator.Vps.Pairing;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Vps.Tests.Pairing;

public sealed class PairingCodesTests : IDisposable
{
    private static readonly KeyPin Vps = KeyPin.FromHash(new byte[32]);
    private static readonly KeyPin Gateway = KeyPin.FromHash([.. Enumerable.Range(0, 32).Select(i => (byte)i)]);

    private readonly TemporaryDirectory _state = new();
    private readonly ManualTime _time = new();
    private readonly PairingCodes _codes;

    public PairingCodesTests() => _codes = new PairingCodes(_state.Path, _time);

    public void Dispose() => _state.Dispose();

    [Fact]
    public void A_code_works_once()
    {
        var proof = Proof(_codes.Create("home", TimeSpan.FromHours(1)));
        _codes.TryRedeem(proof, Vps, Gateway).ShouldBe(new RedeemedCode("home"));
        _codes.TryRedeem(proof, Vps, Gateway).ShouldBeNull();
    }

    [Fact]
    public void Any_of_several_open_codes_works_also_for_another_process()
    {
        string first = _codes.Create(null, TimeSpan.FromHours(1));
        _codes.Create("second", TimeSpan.FromHours(1));
        new PairingCodes(_state.Path, _time).TryRedeem(Proof(first), Vps, Gateway).ShouldBe(new RedeemedCode(null));
    }

    [Fact]
    public void A_code_expires_and_its_file_goes()
    {
        var proof = Proof(_codes.Create(null, TimeSpan.FromMinutes(10)));
        _time.Advance(TimeSpan.FromMinutes(10));
        _codes.TryRedeem(proof, Vps, Gateway).ShouldBeNull();
        Files().ShouldBeEmpty();
    }

    [Fact]
    public void Just_before_it_expires_it_works()
    {
        var proof = Proof(_codes.Create(null, TimeSpan.FromMinutes(10)));
        _time.Advance(TimeSpan.FromMinutes(10) - TimeSpan.FromSeconds(1));
        _codes.TryRedeem(proof, Vps, Gateway).ShouldNotBeNull();
    }

    [Fact]
    public void A_proof_made_for_other_keys_takes_nothing()
    {
        string code = _codes.Create(null, TimeSpan.FromHours(1));
        _codes.TryRedeem(PairingCode.Proof(PairingCode.Hash(code), Gateway, Vps), Vps, Gateway).ShouldBeNull();
        _codes.TryRedeem(Proof(code), Vps, Gateway).ShouldNotBeNull("a wrong try does not use the code up");
    }

    [Fact]
    public async Task Of_many_that_try_one_code_at_once_one_wins()
    {
        for (int round = 0; round < 20; round++)
        {
            var proof = Proof(_codes.Create(null, TimeSpan.FromHours(1)));
            using var start = new Barrier(8);
            var won = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Factory.StartNew(
                () =>
                {
                    start.SignalAndWait();
                    return new PairingCodes(_state.Path, _time).TryRedeem(proof, Vps, Gateway) is not null;
                },
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default)));
            won.Count(w => w).ShouldBe(1);
        }
    }

    [Fact]
    public void Random_proofs_of_any_length_take_nothing()
    {
        _codes.Create(null, TimeSpan.FromHours(1));
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), proof => _codes.TryRedeem(proof, Vps, Gateway) is null).QuickCheckThrowOnFailure();
        Files().Length.ShouldBe(1);
    }

    [Fact]
    public void The_code_is_not_stored_and_the_file_is_the_owners()
    {
        string code = _codes.Create(null, TimeSpan.FromHours(1));
        string file = Files().ShouldHaveSingleItem();
        File.ReadAllText(file).ShouldNotContain(code);
        Path.GetFileName(file).ShouldNotContain(Convert.ToHexStringLower(PairingCode.Hash(code))[..16]);
        File.GetUnixFileMode(file).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.GetUnixFileMode(_state["codes"]).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    [Fact]
    public void Damaged_files_are_swept_and_do_not_harm()
    {
        string code = _codes.Create(null, TimeSpan.FromHours(1));
        foreach (string content in (string[])["", "{", "null", "{\"hash\":\"zz\"}", "{\"hash\":5}", "[]"])
        {
            AtomicFile.Write(Path.Combine(_state["codes"], $"{Guid.NewGuid():N}.json"), System.Text.Encoding.UTF8.GetBytes(content));
        }

        _codes.TryRedeem(Proof(code), Vps, Gateway).ShouldNotBeNull();
        Files().ShouldBeEmpty();
    }

    [Fact]
    public void Open_codes_are_bounded()
    {
        for (int i = 0; i < 100; i++)
        {
            _codes.Create(null, TimeSpan.FromHours(1));
        }

        Should.Throw<StateException>(() => _codes.Create(null, TimeSpan.FromHours(1))).Message.ShouldContain("100 codes are open already");
        _time.Advance(TimeSpan.FromHours(1));
        _codes.Create(null, TimeSpan.FromHours(1)).ShouldNotBeNull();
    }

    private static byte[] Proof(string code) => PairingCode.Proof(PairingCode.Hash(code), Vps, Gateway);

    private string[] Files() => Directory.GetFiles(_state["codes"]);
}
