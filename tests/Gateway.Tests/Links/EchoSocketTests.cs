using System.Net;
using Aggregator.Gateway.Links;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Links;

public sealed class EchoSocketTests
{
    [SkippableFact]
    public async Task An_answer_that_nobody_waited_for_does_not_delay_the_next_ones()
    {
        var time = new SettableTime();
        using var echo = EchoSocket.TryOpen("lo", IPAddress.Loopback, IPAddress.Loopback, time);
        Skip.If(echo is null, "needs CAP_NET_RAW");
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));

        // Loopback answers before the send returns, so this one lies in the socket when the next is sent.
        await echo.SendAsync(patience.Token);
        time.Advance(TimeSpan.FromSeconds(1));

        await echo.SendAsync(patience.Token);
        time.Advance(TimeSpan.FromMilliseconds(3));
        (await echo.ReceiveAsync(patience.Token)).ShouldBe(TimeSpan.FromMilliseconds(3));
    }

    private sealed class SettableTime : TimeProvider
    {
        // Zero means "no request" to the socket.
        private long _ticks = 1;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _ticks;

        internal void Advance(TimeSpan by) => _ticks += by.Ticks;
    }
}
