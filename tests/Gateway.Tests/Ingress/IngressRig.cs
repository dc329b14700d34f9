using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Ingress;
using Aggregator.Relay;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Aggregator.Gateway.Tests.Ingress;

/// <summary>A listener on loopback with a carrier behind it.</summary>
internal sealed class IngressRig : IAsyncDisposable
{
    /// <summary>How long a test waits for what should come; no threshold of performance.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly IIngress _ingress;

    private IngressRig(IIngress ingress, FlowRegistry flows)
    {
        _ingress = ingress;
        Flows = flows;
    }

    internal FlowRegistry Flows { get; }

    internal IPEndPoint EndPoint => _ingress.LocalEndPoint!;

    internal static Task<IngressRig> SocksAsync(ICarrier carrier, IngressLimits? limits = null, params ProxyUser[] users) =>
        StartAsync(carrier, limits, context => new SocksIngress(new IPEndPoint(IPAddress.Loopback, 0), [.. users], context));

    /// <summary>For UDP ASSOCIATE.</summary>
    internal static async Task<IngressRig> SocksAsync(IDatagramWay way, AssociationLimits? limits = null, params ProxyUser[] users)
    {
        IngressContext context = Context(new DirectCarrier()) with { Datagrams = way, Associations = new AssociationDesk(limits ?? AssociationLimits.Default) };
        var ingress = new SocksIngress(new IPEndPoint(IPAddress.Loopback, 0), [.. users], context);
        StartResult started = await ingress.StartAsync(CancellationToken.None);
        return started.Succeeded ? new IngressRig(ingress, context.Flows) : throw new InvalidOperationException(started.Error);
    }

    internal static Task<IngressRig> HttpAsync(ICarrier carrier, IngressLimits? limits = null) =>
        StartAsync(carrier, limits, context => new HttpIngress(new IPEndPoint(IPAddress.Loopback, 0), context));

    internal static IngressContext Context(ICarrier carrier, IngressLimits? limits = null, ILogger? logger = null)
    {
        limits ??= IngressLimits.Default;
        return new IngressContext(
            carrier, new FlowRegistry(TimeProvider.System, limits), new RelayBudget(64, 64), limits, TimeProvider.System, logger ?? NullLogger.Instance);
    }

    internal async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(EndPoint);
        return socket;
    }

    internal static async Task Eventually(Func<bool> condition)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!condition())
        {
            await Task.Delay(10, patience.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _ingress.DisposeAsync();
        await Flows.DisposeAsync();
    }

    private static async Task<IngressRig> StartAsync(ICarrier carrier, IngressLimits? limits, Func<IngressContext, IIngress> make)
    {
        IngressContext context = Context(carrier, limits);
        IIngress ingress = make(context);
        StartResult started = await ingress.StartAsync(CancellationToken.None);
        return started.Succeeded ? new IngressRig(ingress, context.Flows) : throw new InvalidOperationException(started.Error);
    }
}
