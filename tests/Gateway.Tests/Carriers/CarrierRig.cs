using System.Net.Sockets;
using System.Text;
using Aggregator.Flows;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Tests.Ingress;
using Aggregator.Identity;
using Aggregator.Relay;
using Microsoft.Extensions.Logging.Abstractions;

namespace Aggregator.Gateway.Tests.Carriers;

/// <summary>The node as a test wants it.</summary>
internal sealed class TestNode : INodeState
{
    private NodeReachability _reachability = NodeReachability.Connected;

    public event Action? Changed;

    public PlainSession? Plain { get; set; }

    public NodeReachability Reachability
    {
        get => _reachability;
        set
        {
            _reachability = value;
            Changed?.Invoke();
        }
    }
}

/// <summary>WANs as a test wants them; picks in order.</summary>
internal sealed class TestWans(params WanPath[] paths) : IWanSelector
{
    internal HashSet<WanPath> Down { get; } = [];

    /// <summary>Not picked, but what began there is kept.</summary>
    internal HashSet<WanPath> Slow { get; } = [];

    public bool TryPick(AddressFamily family, ReadOnlySpan<WanPath> tried, out WanPath path)
    {
        foreach (WanPath candidate in paths)
        {
            if (!tried.Contains(candidate) && !Down.Contains(candidate) && !Slow.Contains(candidate))
            {
                path = candidate;
                return true;
            }
        }
        path = default;
        return false;
    }

    public bool IsUsable(in WanPath path) => !Down.Contains(path);

    public bool IsQuick(in WanPath path) => !Slow.Contains(path);
}

/// <summary>A carrier over a real dialer to a <see cref="FakeVps"/>.</summary>
internal sealed class CarrierRig : IAsyncDisposable
{
    private readonly IdentityKey _identity = IdentityKey.CreateEphemeral();

    internal CarrierRig(
        VpsTarget target, IWanSelector? wans = null, CarrierLimits? limits = null, TestNode? node = null, bool encrypt = true)
    {
        wans ??= new UnboundWanSelector();
        limits ??= CarrierLimits.Default;
        Node = node ?? new TestNode();
        Target = target;
        var connector = new VpsConnector(wans, limits, TimeProvider.System, NullLogger.Instance);
        var dialer = new LaneDialer(connector, () => Target, _identity, Node, encrypt, TimeProvider.System);
        Carrier = new MptcpCarrier(dialer, wans, Node, limits, TimeProvider.System, NullLogger.Instance);
    }

    internal MptcpCarrier Carrier { get; }

    internal TestNode Node { get; }

    internal VpsTarget Target { get; set; }

    internal Task ReadyAsync(int count = 8) => IngressRig.Eventually(() => Carrier.Pool.Ready >= count && Carrier.Pool.Dialing == 0);

    /// <summary>Opens a flow, sends a word and gets it back.</summary>
    internal async Task<OpenResult> EchoAsync(string word = "hello")
    {
        using var patience = new CancellationTokenSource(IngressRig.Patience);
        CarriedFlow flow = await Carrier.OpenAsync(new FlowTarget("echo", 7), Encoding.ASCII.GetBytes(word), patience.Token);
        OpenReply reply = await flow.Opened;
        if (flow.Stream is not { } stream)
        {
            return reply.Result;
        }
        await using (stream)
        {
            if (reply.Result == OpenResult.Opened)
            {
                await stream.CompleteWritesAsync(patience.Token);
                (await ReadToEndAsync(stream, patience.Token)).ShouldBeText(word);
            }
            return reply.Result;
        }
    }

    internal static async Task<byte[]> ReadToEndAsync(IByteStream stream, CancellationToken cancellationToken)
    {
        using var all = new MemoryStream();
        byte[] buffer = new byte[4096];
        while (true)
        {
            await stream.WaitToReadAsync(cancellationToken);
            int count = await stream.ReadAsync(buffer, cancellationToken);
            if (count == 0)
            {
                return all.ToArray();
            }
            all.Write(buffer, 0, count);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Carrier.DisposeAsync();
        _identity.Dispose();
    }
}

internal static class TextAssertions
{
    internal static void ShouldBeText(this byte[] bytes, string text) => Shouldly.ShouldBeStringTestExtensions.ShouldBe(Encoding.ASCII.GetString(bytes), text);
}
