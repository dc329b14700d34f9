using System.Text;
using Aggregator.Settings;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Settings;

public sealed class YamlFileTests
{
    [Theory]
    [InlineData("a: 1\nb: &x 2\n", "f.yaml:2: uses an anchor or alias (`&` or `*`); write the value out, or quote it if it is text")]
    [InlineData("a: *x\n", "f.yaml:1: uses an anchor or alias (`&` or `*`); write the value out, or quote it if it is text")]
    [InlineData("a: !!str 1\n", "f.yaml:1: uses a tag (`!`); remove it, or quote it if it is text")]
    [InlineData("a: 1\nb: 2\na: 3\n", "f.yaml:3: key `a`: is there twice (first in line 1); remove one")]
    [InlineData("a: 1\n---\nb: 2\n", "f.yaml:2: begins a second document; a configuration has one")]
    [InlineData("- a\n- b\n", "f.yaml:1: is not a list of `key: value` lines")]
    [InlineData("? [a, b]\n: 1\n", "f.yaml:1: a list or mapping stands where a key should be")]
    [InlineData("\n\nhello\n", "f.yaml:3: is not a list of `key: value` lines")]
    public void What_is_not_allowed_is_named_with_its_line(string text, string expected) => Error(text).ShouldBe(expected);

    [Theory]
    [InlineData("a: [1, 2\nb: 3\n", "f.yaml:1: is not valid YAML")]
    [InlineData("a: 'open\n", "f.yaml:")]
    [InlineData("a:\n\t- tab\n", "f.yaml:1: is not valid YAML: ")]
    [InlineData("a: b: c\n", "f.yaml:1: is not valid YAML: ")]
    public void Bad_syntax_is_named_with_its_line(string text, string expected)
    {
        string? error = Error(text);
        error.ShouldNotBeNull().ShouldStartWith(expected);
        error.ShouldNotContain("\n");
    }

    [Fact]
    public void Depth_and_size_are_bounded()
    {
        Error("a: " + new string('[', 2000)).ShouldNotBeNull();
        Error($"a: {new string('[', 20)}{new string(']', 20)}").ShouldBe("f.yaml:1: is nested more than 16 levels deep");

        using var directory = new Identity.TemporaryDirectory();
        File.WriteAllText(directory["big.yaml"], new string('#', YamlFile.MaxBytes + 1));
        YamlFile.Load(directory["big.yaml"]).Error!.Problem.ShouldBe("is larger than 64 KiB; it cannot be a configuration");
    }

    [Fact]
    public void A_file_that_is_not_there_or_not_a_file_is_said_so()
    {
        using var directory = new Identity.TemporaryDirectory();
        YamlFile.Load(directory["none.yaml"]).Error!.ToString()
            .ShouldBe($"{directory["none.yaml"]}: no such file; write one, or name another with `--config FILE`");
        YamlFile.Load(directory.Path).Error!.Problem.ShouldBe("is a directory; name the file in it");
    }

    [Theory]
    [InlineData("")]
    [InlineData("# only a comment\n")]
    [InlineData("\uFEFF# with a byte order mark\n")]
    [InlineData("---\n")]
    public void Nothing_is_an_empty_mapping(string text) =>
        YamlFile.Parse("f.yaml", Encoding.UTF8.GetBytes(text)).Root!.Entries.ShouldBeEmpty();

    [Fact]
    public void Random_bytes_are_a_mapping_or_an_error() => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes =>
    {
        var (root, error) = YamlFile.Parse("f.yaml", bytes);
        return root is null != error is null;
    }).QuickCheckThrowOnFailure();

    /// <summary>Random rows of the characters that mean something, which gets further into the parser than random bytes.</summary>
    [Fact]
    public void Random_punctuation_is_a_mapping_or_an_error()
    {
        string[] pieces = ["a", "b", ":", ": ", "- ", "[", "]", "{", "}", ",", "\n", "\n  ", "'", "\"", "#", " #", "&", "*", "!", "|", ">", "? ", "%", "@", "---\n", "...\n", "\t", "\\", "\0", "é", "\uFEFF", "~"];
        var documents = Gen.Elements(pieces).ListOf().Select(string.Concat).ToArbitrary();

        Prop.ForAll(documents, text =>
        {
            var (root, error) = YamlFile.Parse("f.yaml", Encoding.UTF8.GetBytes(text));
            return root is null != error is null && !(error?.ToString() ?? "").Contains('\n', StringComparison.Ordinal);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(5000));
    }

    private static string? Error(string text) => YamlFile.Parse("f.yaml", Encoding.UTF8.GetBytes(text)).Error?.ToString();
}
