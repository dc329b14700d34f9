using System.Buffers.Binary;
using System.Net.Http;
using System.Runtime.CompilerServices;
using Aggregator.Gateway.Node;
using Aggregator.Protocol.V1;
using Aggregator.Speed;
using Grpc.Core;
using Grpc.Net.Client;

namespace Aggregator.Gateway.Speed;

/// <summary>The call that a test is to the VPS: its run id, and what that side sees, sample after sample. Ending it ends the test there.</summary>
internal sealed class SpeedCall : IAsyncDisposable
{
    /// <summary>Connections, TLS and the first message, over whatever lines there are.</summary>
    private static readonly TimeSpan BeginTime = TimeSpan.FromSeconds(10);

    private const string WithoutAWord = "the VPS ended the test without a word";

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private readonly SocketsHttpHandler _handler;
    private readonly GrpcChannel _channel;
    private readonly AsyncDuplexStreamingCall<SpeedRunRequest, SpeedRunReport> _call;
    private readonly SpeedClock _clock;
    private readonly CancellationTokenSource _ending;
    private readonly Lock _lock = new();
    private readonly Dictionary<uint, (double TimeS, SpeedGroup Group)> _groups = [];
    private Task _reading = Task.CompletedTask;

    private SpeedCall(
        SocketsHttpHandler handler, GrpcChannel channel, AsyncDuplexStreamingCall<SpeedRunRequest, SpeedRunReport> call, SpeedClock clock, CancellationTokenSource ending)
    {
        (_handler, _channel, _call, _clock, _ending) = (handler, channel, call, clock, ending);
    }

    internal SpeedBegun Begun { get; private set; } = new();

    internal UInt128 RunId { get; private set; }

    /// <summary>Its clock against ours: the least seen, which is the difference and the quickest way here.</summary>
    internal double ClockAheadS { get; private set; } = double.PositiveInfinity;

    internal SpeedSample? Latest { get; private set; }

    /// <summary>Told each sample, on the reader's thread; returns at once.</summary>
    internal Action<SpeedSample>? Sampled { get; set; }

    /// <summary>Whether samples still come.</summary>
    internal bool Running => !_reading.IsCompleted;

    /// <exception cref="SpeedException">The VPS is not there, too old, or busy with another test of ours.</exception>
    internal static async Task<SpeedCall> BeginAsync(INodeDialer dialer, PairedNode node, string? vpsVersion, SpeedClock clock, CancellationToken cancellationToken)
    {
        var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var failure = new StrongBox<string?>();
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, token) =>
            {
                try
                {
                    return await dialer.DialAsync(node, token);
                }
                catch (IOException e)
                {
                    failure.Value = e.Message;
                    throw;
                }
            },
            UseProxy = false,
            AllowAutoRedirect = false,
        };
        var channel = GrpcChannel.ForAddress("http://vps", new GrpcChannelOptions { HttpHandler = handler });
        var call = new SpeedTest.SpeedTestClient(channel).Run(cancellationToken: ending.Token);
        var result = new SpeedCall(handler, channel, call, clock, ending);
        using var limit = new CancellationTokenSource(BeginTime, clock.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await call.RequestStream.WriteAsync(new SpeedRunRequest { IntervalMs = (uint)Interval.TotalMilliseconds }, either.Token);
            if (!await call.ResponseStream.MoveNext(either.Token) || call.ResponseStream.Current.Begun is not { } begun || begun.RunId.Length != SpeedProtocol.RunIdBytes)
            {
                throw new SpeedException(SpeedFailure.NoVps, WithoutAWord);
            }

            result.Begun = begun;
            result.RunId = BinaryPrimitives.ReadUInt128BigEndian(begun.RunId.Span);
            result._reading = result.ReadAsync(ending.Token);
            return result;
        }
        catch (RpcException e) when (!cancellationToken.IsCancellationRequested)
        {
            await result.DisposeAsync();
            throw Explain(e, failure.Value, vpsVersion);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            await result.DisposeAsync();
            throw new SpeedException(SpeedFailure.NoVps, failure.Value ?? "the VPS does not answer");
        }
        catch
        {
            await result.DisposeAsync();
            throw;
        }
    }

    /// <summary>Whether samples are to have the subflows of the gateway's connections.</summary>
    internal async Task WatchSubflowsAsync(bool on, CancellationToken cancellationToken)
    {
        try
        {
            await _call.RequestStream.WriteAsync(new SpeedRunRequest { IntervalMs = (uint)Interval.TotalMilliseconds, Subflows = on }, cancellationToken);
        }
        catch (RpcException e)
        {
            throw new IOException("the VPS has ended the test", e);
        }
    }

    /// <summary>What the VPS told last of a group, and when by its clock; null: nothing yet.</summary>
    internal (double TimeS, SpeedGroup Group)? Last(uint group)
    {
        lock (_lock)
        {
            return _groups.TryGetValue(group, out var last) ? last : null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _reading;
        _call.Dispose();
        _channel.Dispose();
        _handler.Dispose();
        _ending.Dispose();
    }

    private async Task ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (await _call.ResponseStream.MoveNext(cancellationToken))
            {
                if (_call.ResponseStream.Current.Sample is not { } sample)
                {
                    continue;
                }

                lock (_lock)
                {
                    ClockAheadS = Math.Min(ClockAheadS, _clock.NowS - sample.TimeS);
                    foreach (var group in sample.Groups)
                    {
                        _groups[group.Group] = (sample.TimeS, group);
                    }

                    Latest = sample;
                }

                Sampled?.Invoke(sample);
            }
        }
        catch (Exception e) when (e is RpcException or OperationCanceledException or IOException)
        {
            // Over: by us, by the VPS, or with the last link.
        }
    }

    /// <summary>What ended the call before it began, in one sentence.</summary>
    internal static SpeedException Explain(RpcException e, string? dialFailure, string? version) => e.StatusCode switch
    {
        // Ended before our first message was written: the writing hears of it, not the reading.
        StatusCode.OK => new SpeedException(SpeedFailure.NoVps, WithoutAWord, e),
        StatusCode.ResourceExhausted => new SpeedException(SpeedFailure.Busy, "the VPS says that a speed test of this gateway runs already; try again in a minute", e),
        // Versions without this service answer UNAUTHENTICATED to all that they do not have.
        StatusCode.Unimplemented or StatusCode.Unauthenticated => new SpeedException(
            SpeedFailure.NoVps, $"the VPS is too old for speed tests (version {version ?? "unknown"}): update it", e),
        _ => new SpeedException(
            SpeedFailure.NoVps, $"the VPS cannot be reached: {dialFailure ?? (e.Status.Detail.Length > 0 ? e.Status.Detail : e.StatusCode.ToString())}", e),
    };
}
