using System.Net;
using System.Text;
using Aggregator.Gateway.Clients;
using Aggregator.Gateway.Configuration;
using Aggregator.Settings;
using Aggregator.WireGuard;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Clients;

public sealed class ClientBookTests : IDisposable
{
    private readonly string _state = Path.Combine(Directory.CreateTempSubdirectory("aggregator-clients-").FullName, "state");

    public void Dispose() => Directory.Delete(Path.GetDirectoryName(_state)!, recursive: true);

    [Fact]
    public void A_client_is_kept_without_its_private_key_and_only_for_us()
    {
        var book = Open();
        var (client, key, problem) = book.Add("phone");
        problem.ShouldBeNull();
        client!.Address.ShouldBe("10.213.77.2");
        key!.PublicKey().ToBase64().ShouldBe(client.PublicKey);
        string path = Path.Combine(_state, "clients.json");
        File.GetUnixFileMode(path).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        string kept = File.ReadAllText(path);
        kept.ShouldContain(client.PublicKey.Replace("+", "\\u002B", StringComparison.Ordinal));
        kept.ShouldNotContain(key.ToBase64().Replace("+", "\\u002B", StringComparison.Ordinal));

        var again = Open();
        again.PrivateKey.ShouldBe(book.PrivateKey);
        again.Clients.ShouldBe(book.Clients);
        again.Networks.V6.ShouldBe(book.Networks.V6);
        again.Networks.V6.ToString().ShouldStartWith("fd");
    }

    [Fact]
    public void Addresses_are_given_once_and_again_when_free()
    {
        var book = Open("10.9.9.0/29");
        string[] given = [.. Enumerable.Range(0, 5).Select(i => book.Add($"c{i}").Client!.Address)];
        given.ShouldBe(["10.9.9.2", "10.9.9.3", "10.9.9.4", "10.9.9.5", "10.9.9.6"]);
        book.Add("one-more").Problem!.ShouldContain("every address");
        book.Remove("c2")!.Address.ShouldBe("10.9.9.4");
        book.Add("one-more").Client!.Address.ShouldBe("10.9.9.4");
        book.Remove("nobody").ShouldBeNull();
    }

    [Theory]
    [InlineData("phone", "there is a client phone already")]
    [InlineData("../x", "a name has")]
    [InlineData("", "a name has")]
    public void A_name_that_cannot_be_is_said(string name, string problem)
    {
        var book = Open();
        book.Add("phone");
        book.Add(name).Problem!.ShouldContain(problem);
        book.Clients.Length.ShouldBe(1);
    }

    [Fact]
    public void A_damaged_file_is_not_written_over()
    {
        Open().Add("phone");
        string path = Path.Combine(_state, "clients.json");
        string good = File.ReadAllText(path);
        File.WriteAllText(path, good[..^20]);
        Should.Throw<StateException>(() => Open()).Message.ShouldContain("damaged");
        File.ReadAllText(path).ShouldBe(good[..^20]);
        File.WriteAllText(path, good);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
        Should.Throw<StateException>(() => Open()).Message.ShouldContain("other users");
    }

    [Fact]
    public void Any_file_is_read_or_not() => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), noise =>
    {
        byte[] file = Encoding.UTF8.GetBytes(
            $$"""{"private_key":"{{WireGuardKey.Generate().ToBase64()}}","clients":[{"name":"a","public_key":"{{WireGuardKey.Generate().ToBase64()}}","address":"10.0.0.2","address6":"fd00::2","added":"2026-01-01T00:00:00+00:00"}]}""");
        ClientBook.TryRead(file).ShouldNotBeNull();
        for (int i = 0; i < noise.Length; i++)
        {
            file[((i * 53) + noise[i]) % file.Length] = noise[^(i + 1)];
        }

        return ClientBook.TryRead(file) is not var (_, clients) || clients.All(c => ClientBook.Peer(c).AllowedAddresses.Length == 2);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void The_configuration_is_what_the_apps_read()
    {
        var key = WireGuardKey.Generate();
        var client = new ClientRecord("phone", key.PublicKey().ToBase64(), "10.213.77.2", "fd00::2", DateTimeOffset.UnixEpoch);
        ClientText.Of(client, key, key.PublicKey(), "home.example.net:51820", [IPAddress.Parse("192.168.77.1")]).ShouldBe($"""
            [Interface]
            PrivateKey = {key.ToBase64()}
            Address = 10.213.77.2/32, fd00::2/128
            DNS = 192.168.77.1

            [Peer]
            PublicKey = {key.PublicKey().ToBase64()}
            AllowedIPs = 0.0.0.0/0, ::/0
            Endpoint = home.example.net:51820
            PersistentKeepalive = 25

            """);
    }

    private ClientBook Open(string network = "10.213.77.0/24") =>
        ClientBook.Open(_state, new ClientsConfig(51820, IPNetwork.Parse(network), null, null, []), TimeProvider.System);
}
