using Aggregator.Protocol.V1;
using Grpc.Core;
using Grpc.Net.Client;
using GrpcStatus = Grpc.Core.Status;

namespace Aggregator.Gateway.Node;

/// <summary>
/// One control session with the VPS, from Hello to its end. Flow: dial, Hello → Welcome, then a ping every
/// <see cref="PingInterval"/>; the session ends when the VPS ends it, the connection breaks, or the VPS stays silent.
/// </summary>
/// <param name="beside">Calls on the same connection for as long as the session lasts; each ends by its token and never throws.</param>
internal sealed class ControlSession(
    Func<CancellationToken, ValueTask<Stream>> dial, TimeProvider time, params IReadOnlyList<Func<GrpcChannel, CancellationToken, Task>> beside)
{
    internal const uint FlowProtocolVersion = 1;

    private static readonly TimeSpan PingInterval = TimeSpan.FromSeconds(1);

    /// <summary>From the dialled connection to Welcome: one round trip, and a satellite's is 0.6 s.</summary>
    private static readonly TimeSpan WelcomeTimeout = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Kernel MPTCP moves a connection off a dead path within a second or two (RTO of the other subflow included);
    /// a VPS silent for longer than this on every path is not there.
    /// </summary>
    private static readonly TimeSpan SilenceLimit = TimeSpan.FromSeconds(5);

    /// <summary>Runs until the session ends; returns why, in one sentence.</summary>
    /// <param name="version">Our own version.</param>
    /// <param name="welcomed">Called once, with what the VPS said first.</param>
    /// <param name="roundTrip">Called with each answered ping.</param>
    internal async Task<string> RunAsync(
        string version, Action<Welcome> welcomed, Action<TimeSpan> roundTrip, CancellationToken cancellationToken)
    {
        // The stream that the callback gives is TLS already, so to HTTP it is a clear connection with HTTP/2 known beforehand.
        string? dialFailure = null;
        using var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, token) =>
            {
                try
                {
                    return await dial(token);
                }
                catch (IOException e)
                {
                    // gRPC and HTTP wrap it in sentences of theirs.
                    dialFailure = e.Message;
                    throw;
                }
            },
            UseProxy = false,
            AllowAutoRedirect = false,
            EnableMultipleHttp2Connections = false,
        };
        using var channel = GrpcChannel.ForAddress("http://vps", new GrpcChannelOptions { HttpHandler = handler });
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            using var call = new Control.ControlClient(channel).Session(cancellationToken: ending.Token);
            await call.RequestStream.WriteAsync(
                new GatewayMessage { Hello = new Hello { Version = version, FlowProtocol = FlowProtocolVersion } }, ending.Token);

            Welcome welcome = await ReadWelcomeAsync(call.ResponseStream, ending.Token);
            if (welcome.FlowProtocol != FlowProtocolVersion)
            {
                return $"the VPS speaks flow protocol {welcome.FlowProtocol} and this gateway {FlowProtocolVersion}: update the older of the two";
            }

            welcomed(welcome);
            var ledger = new PingLedger(time);
            Task<string> pinging = PingAsync(call.RequestStream, ledger, ending.Token);
            Task<string> reading = ReadAsync(call.ResponseStream, ledger, roundTrip, ending.Token);
#pragma warning disable CA2025 // All of them are awaited below, before the channel goes.
            Task others = Task.WhenAll(beside.Select(run => run(channel, ending.Token)));
#pragma warning restore CA2025
            Task<string> first = await Task.WhenAny(pinging, reading);
            if (first == pinging && pinging.IsFaulted)
            {
                // A ping that could not be sent only shows that the call is over; how it ended is the reader's to say.
                await Task.WhenAny(reading, Task.Delay(WelcomeTimeout, time, cancellationToken));
                first = reading.IsCompleted ? reading : pinging;
            }

            try
            {
                return await first;
            }
            finally
            {
                await ending.CancelAsync();
                await Task.WhenAll(pinging, reading, others).ContinueWith(
                    static both => both.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }
        }
        catch (RpcException e) when (!cancellationToken.IsCancellationRequested)
        {
            return dialFailure ?? Explain(e);
        }
        catch (RpcException) when (cancellationToken.IsCancellationRequested)
        {
            // Our own ending, told in gRPC's words: which of the two is heard first depends on the moment.
            throw new OperationCanceledException(cancellationToken);
        }
    }

    private async Task<Welcome> ReadWelcomeAsync(IAsyncStreamReader<VpsMessage> stream, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(WelcomeTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            if (!await stream.MoveNext(either.Token))
            {
                throw new RpcException(new GrpcStatus(StatusCode.Unavailable, "the VPS ended the session without a word"));
            }
        }
        catch (Exception e) when (timeout.IsCancellationRequested && e is OperationCanceledException or RpcException)
        {
            throw new RpcException(new GrpcStatus(StatusCode.Unavailable, "the VPS did not answer in time"));
        }

        return stream.Current.KindCase == VpsMessage.KindOneofCase.Welcome
            ? stream.Current.Welcome
            : throw new RpcException(new GrpcStatus(StatusCode.Internal, "the VPS's first message was not Welcome"));
    }

    private async Task<string> PingAsync(IClientStreamWriter<GatewayMessage> stream, PingLedger ledger, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(PingInterval, time);
        do
        {
            if (ledger.Silence > SilenceLimit)
            {
                return "the VPS has stopped answering";
            }

            await stream.WriteAsync(new GatewayMessage { Ping = new Ping { Sequence = ledger.Begin() } }, cancellationToken);
        }
        while (await timer.WaitForNextTickAsync(cancellationToken));
        throw new OperationCanceledException(cancellationToken);
    }

    private static async Task<string> ReadAsync(
        IAsyncStreamReader<VpsMessage> stream, PingLedger ledger, Action<TimeSpan> roundTrip, CancellationToken cancellationToken)
    {
        while (await stream.MoveNext(cancellationToken))
        {
            // Kinds added by a later VPS are passed over, as the protocol says.
            if (stream.Current.KindCase == VpsMessage.KindOneofCase.Pong && ledger.Answered(stream.Current.Pong.Sequence) is { } rtt)
            {
                roundTrip(rtt);
            }
        }

        return "the VPS ended the session";
    }

    private static string Explain(RpcException e) => e.StatusCode switch
    {
        StatusCode.Unauthenticated => "the VPS does not know this gateway (revoked?): pair it again",
        _ => string.IsNullOrEmpty(e.Status.Detail) ? $"the control session failed ({e.StatusCode})" : e.Status.Detail,
    };
}
