using Aggregator.Gateway.Node;
using Aggregator.Identity;
using Aggregator.Settings;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Node;

public sealed class PairedNodeTests : IDisposable
{
    private static readonly KeyPin Pin = KeyPin.FromHash(new byte[32]);

    private readonly string _state = Directory.CreateTempSubdirectory("aggregator-test-").FullName;

    private string File => Path.Combine(_state, PairedNodeFile.FileName);

    public void Dispose() => Directory.Delete(_state, recursive: true);

    [Fact]
    public void What_is_saved_is_loaded_and_replaces_what_was_there()
    {
        PairedNode.TryLoad(_state).ShouldBeNull();
        new PairedNode(["old.example"], 1, Pin, "old").Save(_state);
        var node = new PairedNode(["vps.example.net", "2001:db8::1"], 7443, Pin, "home");
        node.Save(_state);

        PairedNode.TryLoad(_state).ShouldBe(node);
        System.IO.File.GetUnixFileMode(File).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Directory.GetFiles(_state).ShouldBe([File]);
    }

    [Fact]
    public void An_address_is_shown_as_it_would_be_typed()
    {
        new PairedNode(["2001:db8::1"], 7443, Pin, "home").Address.ShouldBe("[2001:db8::1]:7443");
        new PairedNode(["a.example"], 7443, Pin, "home").Address.ShouldBe("a.example:7443");
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("""{"hosts":[],"port":1,"pin":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","gateway_name":"a"}""")]
    [InlineData("""{"hosts":[null],"port":1,"pin":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","gateway_name":"a"}""")]
    [InlineData("""{"hosts":["a b"],"port":1,"pin":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","gateway_name":"a"}""")]
    [InlineData("""{"hosts":["a"],"port":0,"pin":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","gateway_name":"a"}""")]
    [InlineData("""{"hosts":["a"],"port":70000,"pin":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","gateway_name":"a"}""")]
    [InlineData("""{"hosts":["a"],"port":1,"pin":"short","gateway_name":"a"}""")]
    [InlineData("""{"hosts":["a"],"port":"1","pin":5,"gateway_name":[]}""")]
    public void A_damaged_file_is_named_with_a_remedy(string content)
    {
        AtomicFile.Write(File, System.Text.Encoding.UTF8.GetBytes(content));
        Should.Throw<StateException>(() => PairedNode.TryLoad(_state)).Message
            .ShouldBe($"{File}: is damaged; pair again with a new line from `aggregator-vps pair`");
    }
}
