using Aggregator.Gateway.Cli;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Cli;

/// <summary>Which of the words behind `use` are ours, and which the program's.</summary>
public sealed class UseCommandTests
{
    [Theory]
    [InlineData("use lte curl --config its.own", "use lte -- curl --config its.own")]
    [InlineData("use lte curl -sS --api x", "use lte -- curl -sS --api x")]
    [InlineData("use --config ours lte curl -v", "use --config ours lte -- curl -v")]
    [InlineData("use lte --config ours curl -v", "use lte --config ours -- curl -v")]
    [InlineData("use lte --config ours -- curl --config its.own", "use lte --config ours -- curl --config its.own")]
    [InlineData("use lte -- curl -v", "use lte -- curl -v")]
    [InlineData("use lte --config ours", "use lte --config ours")]
    [InlineData("use lte", "use lte")]
    [InlineData("use --help", "use --help")]
    [InlineData("status --json", "status --json")]
    public void What_follows_the_link_and_our_options_is_the_programs(string typed, string understood) =>
        string.Join(' ', UseCommand.Separate(typed.Split(' '))).ShouldBe(understood);
}
