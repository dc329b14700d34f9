using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Direct;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Direct;

public sealed class DirectSwitchTests
{
    [Theory]
    [InlineData(false, "Connected", null, false, false)]
    [InlineData(false, "Connecting", null, false, false)]      // the start: nothing is known yet
    [InlineData(true, "Connecting", null, false, true)]        // on the way back the session decides
    [InlineData(true, "Connected", null, false, false)]
    [InlineData(false, "Unreachable", null, false, true)]
    [InlineData(false, "Unreachable", null, true, false)]      // lanes carry, whatever the control session says
    [InlineData(false, "Unpaired", null, false, true)]
    [InlineData(false, "Connected", 500, false, false)]        // a moment's silence
    [InlineData(false, "Connected", 1500, false, true)]
    [InlineData(false, "Connected", 1500, true, true)]         // lanes that do not know it yet
    public void Flows_go_out_directly_while_no_vps_is_reached(bool was, string reachability, int? silentMs, bool carrying, bool direct) =>
        (DirectSwitch.Decide(was, Enum.Parse<NodeReachability>(reachability), silentMs is { } ms ? TimeSpan.FromMilliseconds(ms) : null, carrying) is not null)
            .ShouldBe(direct);
}
