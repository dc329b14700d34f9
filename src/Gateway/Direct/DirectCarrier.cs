using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;
using Aggregator.Flows;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Direct;

/// <summary>
/// Flows that go out over one WAN with that WAN's own address, without the VPS. A flow stays on its WAN for its life; when the WAN is lost its
/// flows are reset, and only they.
/// </summary>
internal sealed class DirectCarrier : ICarrier
{
    private readonly ConcurrentDictionary<DirectStream, byte> _live = new();
    private readonly LinkMonitor _links;
    private readonly Func<string, int> _weightOf;
    private readonly DirectBalance _balance;
    private readonly DirectFaults _faults;
    private readonly DirectDialer _dialer;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Meter _meter = new("Aggregator.Gateway");
    private long _total;

    /// <param name="weightOf">By the link's name.</param>
    internal DirectCarrier(LinkMonitor links, DirectConfig config, Func<string, int> weightOf, TimeProvider time, ILogger logger)
    {
        _links = links;
        _weightOf = weightOf;
        _balance = new DirectBalance(time, config.Sticky, DirectConfig.LooseSticky);
        _faults = new DirectFaults(time);
        _dialer = new DirectDialer(time);
        _time = time;
        _logger = logger;
        _links.Changed += EndLost;
        _meter.CreateObservableUpDownCounter("direct.flows.active", () => _live.Count, "{flow}", "Flows under way without the VPS");
    }

    public string Name => "direct";

    internal int Active => _live.Count;

    internal long Total => Volatile.Read(ref _total);

    public ValueTask<CarriedFlow> OpenAsync(FlowTarget target, ReadOnlyMemory<byte> firstBytes, CancellationToken cancellationToken) =>
        OpenAsync(default(FlowOrigin), target, firstBytes, cancellationToken);

    public async ValueTask<CarriedFlow> OpenAsync(
        FlowOrigin origin, FlowTarget target, ReadOnlyMemory<byte> firstBytes, CancellationToken cancellationToken)
    {
        var client = origin.Client;
        var links = _links.Current;
        var (addresses, failure) = await DirectTargets.ResolveAsync(target, links, _time, cancellationToken);
        var attempts = Attempts(client, addresses, target.Port, links, out var first);
        if (attempts.IsEmpty)
        {
            return Not(addresses.IsEmpty ? failure : OpenResult.NoCarrier);
        }

        var dial = await _dialer.DialAsync(attempts, cancellationToken);
        if (dial.Way is { } way)
        {
            _faults.Note(way.Link, dial.Result is OpenResult.Opened or OpenResult.Refused, first!.Link);
            if (way.Link != first.Link && dial.Result == OpenResult.Opened)
            {
                _balance.Move(client, first.Link, way.Link);
            }
        }

        if (dial.Socket is null)
        {
            return Not(dial.Result);
        }

        Interlocked.Increment(ref _total);
        var stream = new DirectStream(dial.Socket, dial.Way!, s => _live.TryRemove(s, out _));
        _live.TryAdd(stream, 0);
        try
        {
            if (!firstBytes.IsEmpty)
            {
                await stream.WriteAsync(firstBytes, cancellationToken);
            }
        }
        catch (IOException)
        {
            await CloseAsync(stream);
            return Not(OpenResult.Failed);
        }
        catch
        {
            await CloseAsync(stream);
            throw;
        }

        var bound = dial.Socket.LocalEndPoint as IPEndPoint;
        // The WAN may have been lost between the dial and the flow's entry in the list.
        if (!Lives(dial.Way!, _links.Current))
        {
            stream.Abort();
        }

        return new CarriedFlow(stream, Task.FromResult(new OpenReply(OpenResult.Opened, bound)));
    }

    public ValueTask DisposeAsync()
    {
        _links.Changed -= EndLost;
        _meter.Dispose();
        return ValueTask.CompletedTask;
    }

    private static async ValueTask CloseAsync(DirectStream stream)
    {
        stream.Abort();
        await stream.DisposeAsync();
    }

    private static CarriedFlow Not(OpenResult result) => new(null, Task.FromResult(new OpenReply(result, null)));

    /// <summary>The chosen WAN first, then each other once; every address of the target over the first, then its first one over the others.</summary>
    private ImmutableArray<DirectAttempt> Attempts(
        IPAddress? client, ImmutableArray<IPAddress> addresses, ushort port, LinkSnapshot links, out DirectWay? first)
    {
        first = null;
        var attempts = ImmutableArray.CreateBuilder<DirectAttempt>();
        foreach (var family in addresses.Select(a => a.AddressFamily).Distinct())
        {
            var ways = _faults.Trusted(Ways(links, family));
            if (ways.IsEmpty)
            {
                continue;
            }

            DirectWay chosen = first is { } one && ways.FirstOrDefault(w => w.Link == one.Link) is { } same ? same : _balance.Pick(client, ways);
            first ??= chosen;
            var targets = addresses.Where(a => a.AddressFamily == family).Select(a => new IPEndPoint(a, port)).ToArray();
            attempts.AddRange(targets.Select(t => new DirectAttempt(chosen, t)));
            attempts.AddRange(_balance.Others(chosen, ways).Select(w => new DirectAttempt(w, targets[0])));
        }

        return attempts.DrainToImmutable();
    }

    private ImmutableArray<DirectWay> Ways(LinkSnapshot links, AddressFamily family) =>
        [.. links.WaysOut(family).Select(l => new DirectWay(l.Name, l.Interface, l.Address(family)!, _weightOf(l.Name)))];

    private static bool Lives(DirectWay way, LinkSnapshot links) =>
        links.Links.FirstOrDefault(l => l.Name == way.Link) is { } link
        && links.LeadsOut(link)
        && link.Addresses.Any(a => a.Address.Equals(way.Source));

    private void EndLost()
    {
        var links = _links.Current;
        int ended = 0;
        foreach (var (stream, _) in _live)
        {
            if (!Lives(stream.Way, links))
            {
                stream.Abort();
                ended++;
            }
        }

        if (ended > 0)
        {
            _logger.FlowsEnded(ended);
        }
    }
}
