using System.Security.Cryptography;
using Aggregator.Identity;
using Aggregator.Settings;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Identity;

public sealed class IdentityKeyTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private string KeyFile => Path.Combine(_directory["state"], IdentityKey.FileName);

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_key_is_made_once_and_only_its_owner_can_open_it()
    {
        using var first = IdentityKey.LoadOrCreate(_directory["state"]);
        using var second = IdentityKey.LoadOrCreate(_directory["state"]);

        second.Pin.ShouldBe(first.Pin);
        File.GetUnixFileMode(KeyFile).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.GetUnixFileMode(_directory["state"]).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Directory.GetFiles(_directory["state"]).ShouldBe([KeyFile], "temporary files are removed");
    }

    [Fact]
    public async Task Many_that_start_at_once_get_the_same_key()
    {
        var pins = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() =>
        {
            using var key = IdentityKey.LoadOrCreate(_directory["state"]);
            return key.Pin;
        })));

        pins.Distinct().Count().ShouldBe(1);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")]
    [InlineData("garbage")]
    public void A_damaged_key_is_named_with_a_remedy(string content)
    {
        AtomicFile.Write(Prepare(), System.Text.Encoding.ASCII.GetBytes(content));

        Should.Throw<StateException>(() => IdentityKey.LoadOrCreate(_directory["state"])).Message
            .ShouldBe($"{KeyFile}: is not a P-256 private key in PEM, it is damaged; put the file back from a backup, or remove it and pair again");
    }

    [Fact]
    public void A_key_on_another_curve_is_refused()
    {
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        AtomicFile.Write(Prepare(), System.Text.Encoding.ASCII.GetBytes(other.ExportPkcs8PrivateKeyPem()));

        Should.Throw<StateException>(() => IdentityKey.LoadOrCreate(_directory["state"])).Message.ShouldContain("P-256");
    }

    [Theory]
    [InlineData(UnixFileMode.GroupRead, "0640")]
    [InlineData(UnixFileMode.OtherRead, "0604")]
    public void A_key_that_others_can_read_is_refused(UnixFileMode open, string shown)
    {
        IdentityKey.LoadOrCreate(_directory["state"]).Dispose();
        File.SetUnixFileMode(KeyFile, UnixFileMode.UserRead | UnixFileMode.UserWrite | open);

        Should.Throw<StateException>(() => IdentityKey.LoadOrCreate(_directory["state"])).Message
            .ShouldBe($"{KeyFile}: other users may open it (mode {shown}); `chmod 600 {KeyFile}` if you are sure that nobody copied it, otherwise remove it and pair again");
    }

    [SkippableFact]
    public void A_key_of_another_user_is_refused()
    {
        Skip.IfNot(Environment.IsPrivilegedProcess, "needs root to give a file away");
        IdentityKey.LoadOrCreate(_directory["state"]).Dispose();
        using (var file = File.OpenHandle(KeyFile))
        {
            Interop.Libc.fchown(file, 65534, 65534).ShouldBe(0);
        }

        Should.Throw<StateException>(() => IdentityKey.LoadOrCreate(_directory["state"])).Message.ShouldContain("belongs to another user (uid 65534, we are 0)");
    }

    [Fact]
    public void A_directory_that_others_can_write_to_is_refused()
    {
        Prepare();
        File.SetUnixFileMode(_directory["state"], UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherWrite);

        Should.Throw<StateException>(() => IdentityKey.LoadOrCreate(_directory["state"])).Message.ShouldContain("chmod 700");
    }

    [Fact]
    public void A_huge_file_is_not_read()
    {
        AtomicFile.Write(Prepare(), new byte[5000]);

        Should.Throw<StateException>(() => IdentityKey.LoadOrCreate(_directory["state"])).Message.ShouldContain("5000 bytes");
    }

    private string Prepare()
    {
        StateDirectory.Ensure(_directory["state"]);
        return KeyFile;
    }
}
