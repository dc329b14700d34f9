using System.Net;
using Aggregator.Vps.Pairing;
using Shouldly;
using Xunit;

namespace Aggregator.Vps.Tests.Pairing;

public sealed class PairingRateLimitTests
{
    private readonly ManualTime _time = new();
    private readonly PairingRateLimit _limit;

    public PairingRateLimitTests() => _limit = new PairingRateLimit(_time);

    [Fact]
    public void The_sixth_wrong_try_within_a_minute_is_refused()
    {
        Try("192.0.2.1", 5).ShouldBe(5);
        Try("192.0.2.1", 1).ShouldBe(0);
        Try("192.0.2.2", 1).ShouldBe(1, "another address");
        _time.Advance(PairingRateLimit.Window);
        Try("192.0.2.1", 6).ShouldBe(5);
    }

    [Theory]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:3::1", false)]
    [InlineData("192.0.2.1", "::ffff:192.0.2.1", true)]
    public void Addresses_that_one_customer_has_count_together(string one, string other, bool together)
    {
        Try(one, 5);
        Try(other, 1).ShouldBe(together ? 0 : 1);
    }

    [Fact]
    public void Right_tries_do_not_count()
    {
        var address = IPAddress.Parse("192.0.2.1");
        for (int i = 0; i < 20; i++)
        {
            _limit.TryBegin(address).ShouldBeTrue();
            _limit.Forgive(address);
        }

        _limit.Addresses.ShouldBe(0);
    }

    [Fact]
    public void Tries_that_are_still_being_looked_at_count()
    {
        int begun = 0;
        Parallel.For(0, 100, _ =>
        {
            if (_limit.TryBegin(IPAddress.Loopback))
            {
                Interlocked.Increment(ref begun);
            }
        });
        begun.ShouldBe(5);
    }

    [Fact]
    public void The_table_is_bounded()
    {
        for (uint i = 0; i < 3 * PairingRateLimit.MaxAddresses; i++)
        {
            _limit.TryBegin(new IPAddress(i));
        }

        _limit.Addresses.ShouldBe(PairingRateLimit.MaxAddresses);
    }

    private int Try(string address, int times) => Enumerable.Range(0, times).Count(_ => _limit.TryBegin(IPAddress.Parse(address)));
}
