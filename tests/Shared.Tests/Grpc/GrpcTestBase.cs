using Grpc.Core;
using Grpc.Net.Client;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Rpc;

/// <summary>The echo service and a client of ours for it.</summary>
public abstract class GrpcTestBase : IAsyncLifetime
{
    internal EchoHost Host { get; private set; } = null!;

    internal GrpcChannel Channel { get; private set; } = null!;

    internal Echo.EchoClient Client { get; private set; } = null!;

    public virtual async Task InitializeAsync()
    {
        Host = await EchoHost.StartAsync();
        Channel = GrpcChannel.ForAddress(Host.Address);
        Client = new Echo.EchoClient(Channel);
    }

    public virtual async Task DisposeAsync()
    {
        Channel.Dispose();
        await Host.DisposeAsync();
    }

    internal static async Task<RpcException> FailsAsync(Func<Task> call, StatusCode code)
    {
        RpcException failure = await Should.ThrowAsync<RpcException>(() => call().WaitAsync(TimeSpan.FromSeconds(30)));
        failure.StatusCode.ShouldBe(code, failure.ToString());
        return failure;
    }
}
