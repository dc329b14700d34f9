using System.Net;
using Aggregator.Gateway.Links;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Links;

public sealed class EchoSocketTests
{
    [SkippableFact]
    public async Task Each_answer_tells_its_own_request_and_its_round_trip_however_late()
    {
        var time = new SettableTime();
        using var echo = EchoSocket.TryOpen("lo", IPAddress.Loopback, IPAddress.Loopback, time);
        Skip.If(echo is null, "needs CAP_NET_RAW");
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));

        // Loopback answers before the send returns, so both lie in the socket.
        ushort first = await echo.SendAsync(patience.Token);
        time.Advance(TimeSpan.FromSeconds(1));
        ushort second = await echo.SendAsync(patience.Token);
        time.Advance(TimeSpan.FromMilliseconds(3));
        (await echo.ReceiveAsync(patience.Token)).ShouldBe(new EchoAnswer(first, TimeSpan.FromMilliseconds(1003)));
        (await echo.ReceiveAsync(patience.Token)).ShouldBe(new EchoAnswer(second, TimeSpan.FromMilliseconds(3)));
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
