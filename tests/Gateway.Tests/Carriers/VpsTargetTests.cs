using Aggregator.Gateway.Carriers;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Carriers;

public sealed class VpsTargetTests
{
    [Fact]
    public void The_same_pairing_read_twice_is_the_same_vps()
    {
        VpsTarget Read() => new([.. new List<string> { "vps.example.net", "203.0.113.7" }], 7443, default);

        Read().ShouldBe(Read());
        Read().GetHashCode().ShouldBe(Read().GetHashCode());
        (Read() with { Port = 7444 }).ShouldNotBe(Read());
        (Read() with { Hosts = ["203.0.113.7", "vps.example.net"] }).ShouldNotBe(Read());
    }
}
