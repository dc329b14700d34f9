using System.Net;
using Aggregator.Doctor;
using Aggregator.Gateway.Links;
using Aggregator.Identity;
using Aggregator.Protocol.V1;
using Grpc.Core;

namespace Aggregator.Gateway.Doctor;

/// <summary>What the VPS says when it is asked over one WAN.</summary>
/// <param name="Local">Our end.</param>
/// <param name="Seen">Our end as the VPS sees it.</param>
/// <param name="RoundTrip">Of the question, on a connection that was there already.</param>
/// <param name="ClockAhead">The VPS's clock less ours, give or take half the round trip.</param>
internal sealed record PathView(IPEndPoint Local, IPEndPoint Seen, TimeSpan RoundTrip, TimeSpan ClockAhead, string Version);

/// <summary>A view, or why there is none.</summary>
/// <param name="TooOld">The VPS answers and does not know the question.</param>
internal sealed record PathAnswer(PathView? View, string? Problem, bool TooOld = false);

/// <summary>Asks the VPS over each WAN once for all checks that want to know.</summary>
internal sealed class PathViews : IDisposable
{
    /// <summary>A connection and two round trips, with a lost SYN, over a satellite.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(6);

    private readonly Lock _lock = new();
    private readonly Dictionary<ProbePath, Task<PathAnswer>> _asked = [];
    private readonly List<VpsPath> _open = [];
    private readonly IdentityKey? _identity;
    private readonly KeyPin? _pin;
    private readonly TimeProvider _time;
    private Task<(OpenEchoReply? Reply, string? Problem)>? _echo;
    private bool _disposed;

    /// <param name="identity">Null: this gateway has no key yet.</param>
    /// <param name="pin">Null: not paired.</param>
    /// <param name="time">Ours.</param>
    internal PathViews(IdentityKey? identity, KeyPin? pin, TimeProvider time) => (_identity, _pin, _time) = (identity, pin, time);

    internal Task<PathAnswer> OfAsync(DoctorContext context, Link link, CancellationToken cancellationToken)
    {
        if (LinkHealth.PathOf(link, context.VpsAddresses) is not { } path)
        {
            return Task.FromResult(new PathAnswer(null, "the link cannot be used"));
        }

        Task<PathAnswer>? asked;
        lock (_lock)
        {
            if (!_asked.TryGetValue(path, out asked))
            {
                _asked[path] = asked = AskAsync(path);
            }
        }

        return asked.WaitAsync(cancellationToken);
    }

    /// <summary>All usable links with what the VPS says over them.</summary>
    internal async Task<IReadOnlyList<(Link Link, PathAnswer Answer)>> AllAsync(DoctorContext context, CancellationToken cancellationToken) =>
        await Task.WhenAll(context.UsableLinks.Select(async l => (l, await OfAsync(context, l, cancellationToken))));

    /// <summary>A way to ask the VPS more; null where no link reaches it.</summary>
    internal async Task<VpsPath?> AnyAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        await AllAsync(context, cancellationToken);
        lock (_lock)
        {
            return _open.FirstOrDefault();
        }
    }

    /// <summary>The VPS's two temporary UDP ports, opened once for all checks; or why there are none.</summary>
    internal Task<(OpenEchoReply? Reply, string? Problem)> EchoAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        Task<(OpenEchoReply? Reply, string? Problem)> asked;
        lock (_lock)
        {
            asked = _echo ??= OpenEchoAsync(context);
        }

        return asked.WaitAsync(cancellationToken);
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            _open.ForEach(p => p.Dispose());
            _open.Clear();
        }
    }

    private async Task<(OpenEchoReply? Reply, string? Problem)> OpenEchoAsync(DoctorContext context)
    {
        // The caller holds the lock.
        await Task.Yield();
        using var patience = new CancellationTokenSource(2 * Patience, _time);
        try
        {
            if (await AnyAsync(context, patience.Token) is not { } vps)
            {
                return (null, "the VPS could not be asked");
            }

            var reply = await vps.Client.OpenEchoAsync(new OpenEchoRequest(), new CallOptions(cancellationToken: patience.Token));
            bool good = reply.Token.Length == EchoDatagram.TokenBytes
                && reply.FirstPort is > 0 and <= ushort.MaxValue && reply.SecondPort is > 0 and <= ushort.MaxValue;
            return good ? (reply, null) : (null, "the VPS's answer makes no sense");
        }
        catch (RpcException e)
        {
            return (null, e.StatusCode == StatusCode.Unimplemented ? "the VPS is too old" : e.Status.Detail.ReplaceLineEndings(" "));
        }
        catch (OperationCanceledException)
        {
            return (null, "the VPS did not answer in time");
        }
    }

    private async Task<PathAnswer> AskAsync(ProbePath path)
    {
        // The caller holds the lock.
        await Task.Yield();
        if (_identity is null || _pin is not { } pin)
        {
            return new PathAnswer(null, "this gateway is not paired");
        }

        using var patience = new CancellationTokenSource(Patience, _time);
        VpsPath? vps = null;
        try
        {
            vps = await VpsPath.ConnectAsync(path, _identity, pin, patience.Token);
            // The first call also brings up HTTP/2; the second one is timed.
            await ObserveAsync(vps, patience.Token);
            var (left, roundTrip, reply) = await TimedAsync(vps, patience.Token);
            var view = new PathView(
                vps.Local,
                new IPEndPoint(EchoDatagram.Plain(new IPAddress(reply.Address.Span)), (int)Math.Min(reply.Port, ushort.MaxValue)),
                roundTrip,
                DateTimeOffset.FromUnixTimeMilliseconds(Math.Clamp(reply.UnixTimeMs, 0, MaxUnixTimeMs)) - (left + (roundTrip / 2)),
                reply.Version);
            Keep(ref vps);
            return new PathAnswer(view, null);
        }
        catch (RpcException e) when (e.StatusCode is StatusCode.Unimplemented || (e.StatusCode is StatusCode.Unauthenticated && vps is not null))
        {
            // A VPS that does not know the service refuses it as it refuses strangers.
            return new PathAnswer(null, "the VPS answers and does not know this question: it is older than this gateway, or has revoked it", TooOld: true);
        }
        catch (Exception e) when (e is IOException or RpcException or OperationCanceledException or ArgumentException)
        {
            return new PathAnswer(null, e switch
            {
                OperationCanceledException => $"no answer within {Patience.TotalSeconds:0} s",
                RpcException r => r.Status.Detail.ReplaceLineEndings(" "),
                ArgumentException => "the VPS's answer makes no sense",
                _ => Settings.Reason.Of(e),
            });
        }
        finally
        {
            vps?.Dispose();
        }
    }

    /// <summary>The last millisecond of the year 9999, which is the last that DateTimeOffset knows.</summary>
    private const long MaxUnixTimeMs = 253402300799999;

    /// <summary>Asked again where our own clock was set while the question was on its way: the difference would be of two clocks of ours.</summary>
    private async Task<(DateTimeOffset Left, TimeSpan RoundTrip, ObserveReply Reply)> TimedAsync(VpsPath vps, CancellationToken cancellationToken)
    {
        while (true)
        {
            long departure = _time.GetTimestamp();
            DateTimeOffset left = _time.GetUtcNow();
            ObserveReply reply = await ObserveAsync(vps, cancellationToken);
            TimeSpan roundTrip = _time.GetElapsedTime(departure);
            if ((_time.GetUtcNow() - left - roundTrip).Duration() <= ClockSteps)
            {
                return (left, roundTrip, reply);
            }
        }
    }

    /// <summary>What two looks at one clock differ by on a busy host; a clock that is set jumps further.</summary>
    private static readonly TimeSpan ClockSteps = TimeSpan.FromMilliseconds(50);

    private static async Task<ObserveReply> ObserveAsync(VpsPath vps, CancellationToken cancellationToken) =>
        await vps.Client.ObserveAsync(new ObserveRequest(), new CallOptions(cancellationToken: cancellationToken));

    private void Keep(ref VpsPath? path)
    {
        lock (_lock)
        {
            if (!_disposed && path is not null)
            {
                _open.Add(path);
                path = null;
            }
        }
    }
}
