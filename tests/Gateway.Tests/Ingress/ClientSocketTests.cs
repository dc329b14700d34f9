using Aggregator.Gateway.Ingress;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Ingress;

public sealed class ClientSocketTests
{
    [Theory]
    [InlineData(0, 2 << 20)]
    [InlineData(16, 2 << 20)]
    [InlineData(64, 512 * 1024)]
    [InlineData(10_000, 128 * 1024)]
    public void Many_connections_share_what_one_may_hold(long connections, int bytes) =>
        ClientSocket.ReceiveBufferBytes(connections).ShouldBe(bytes);
}
