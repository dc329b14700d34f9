using Aggregator.Identity;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Identity;

public sealed class PairingUriTests
{
    private const string Pin = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    private const string Code = "abcdefghijklmnopqrstuv";

    [Theory]
    [InlineData("vps.example.net")]
    [InlineData("203.0.113.7")]
    [InlineData("2001:db8::1")]
    [InlineData("a.example", "2001:db8::1", "203.0.113.7")]
    public void It_is_read_back_as_it_was_written(params string[] hosts)
    {
        KeyPin.TryParse(Pin, out var pin).ShouldBeTrue();
        var line = new PairingUri([.. hosts], 7443, pin, Code);
        PairingUri.Parse(line.ToString()).Value.ShouldBe(line);
        PairingUri.Parse($"  {line}\n").Value.ShouldBe(line, "copying adds white space");
    }

    [Fact]
    public void It_looks_as_documented()
    {
        KeyPin.TryParse(Pin, out var pin).ShouldBeTrue();
        new PairingUri(["2001:db8::1"], 7443, pin, Code).ToString().ShouldBe($"aggregator://[2001:db8::1]:7443/?pin={Pin}&code={Code}");
    }

    [Theory]
    [InlineData("", "must begin with aggregator://")]
    [InlineData($"https://h:1/?pin={Pin}&code={Code}", "must begin with aggregator://")]
    [InlineData($"aggregator://h/?pin={Pin}&code={Code}", "has no port")]
    [InlineData($"aggregator://h:0/?pin={Pin}&code={Code}", "has no valid port")]
    [InlineData($"aggregator://h:99999/?pin={Pin}&code={Code}", "has no valid port")]
    [InlineData($"aggregator://:1/?pin={Pin}&code={Code}", "has no valid host")]
    [InlineData($"aggregator://u@h:1/?pin={Pin}&code={Code}", "has no valid host")]
    [InlineData($"aggregator://2001:db8::1:1/?pin={Pin}&code={Code}", "has no valid host")]
    [InlineData($"aggregator://h:1?pin={Pin}&code={Code}", "has no `/?` after the port")]
    [InlineData($"aggregator://h:1/x?pin={Pin}&code={Code}", "has no `/?` after the port")]
    [InlineData("aggregator://h:1/", "has no `/?` after the port")]
    [InlineData($"aggregator://h:1/?pin={Pin}", "has no code; in a shell it must stand in quotes")]
    [InlineData($"aggregator://h:1/?code={Code}", "has no pin")]
    [InlineData($"aggregator://h:1/?pin={Pin}&pin={Pin}&code={Code}", "has no valid pin")]
    [InlineData($"aggregator://h:1/?pin={Pin}=&code={Code}", "has no valid pin")]
    [InlineData($"aggregator://h:1/?pin={Pin}&code=short", "has no valid code")]
    [InlineData($"aggregator://h:1/?pin={Pin}&code={Code}&code={Code}", "has no valid code")]
    [InlineData($"aggregator://h:1/?pin={Pin}&code={Code}#x", "has no valid code")]
    [InlineData($"aggregator://h:1/?pin={Pin}&code={Code}&x=1", "has a part that this version does not know")]
    [InlineData($"aggregator://h:1/?pin={Pin}&code={Code}&host=a b", "has an invalid further host")]
    public void What_is_wrong_is_said_without_the_code(string text, string problem)
    {
        string? said = PairingUri.Parse(text).Problem;
        said.ShouldNotBeNull().ShouldStartWith($"the pairing line {problem}");
        said.ShouldNotContain(Code);
    }

    [Fact]
    public void Any_text_is_refused_or_has_one_spelling() => Prop.ForAll(ArbMap.Default.ArbFor<string>(), text => Holds(text ?? "")).QuickCheckThrowOnFailure();

    /// <summary>Lines that are nearly right: a valid one with a random piece cut out and another put in.</summary>
    [Fact]
    public void Damaged_lines_are_refused_or_have_one_spelling()
    {
        string valid = $"aggregator://[2001:db8::1]:7443/?pin={Pin}&code={Code}&host=a.example";
        var damage =
            from at in Gen.Choose(0, valid.Length)
            from cut in Gen.Choose(0, 5)
            from put in Gen.Elements("", "&", "=", "/", ":", "[", "]", "?", "%", "\0", "\n", "é", "pin=", "&code=", "0", "A")
            select valid[..at] + put + valid[Math.Min(valid.Length, at + cut)..];
        Prop.ForAll(damage.ToArbitrary(), Holds).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));
    }

    private static bool Holds(string text)
    {
        var parsed = PairingUri.Parse(text);
        return parsed.Value is { } line
            ? PairingUri.Parse(line.ToString()).Value == line
            : parsed.Problem is not null && !parsed.Problem.Any(char.IsControl);
    }
}
