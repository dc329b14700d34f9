using System.Net;
using System.Net.Sockets;
using Aggregator.Flows;
using Aggregator.Health;
using Aggregator.Mptcp;
using Aggregator.Relay;

namespace Aggregator.Vps.Egress;

/// <summary>
/// Connects to a flow's target. Names by Happy Eyeballs version 2 (RFC 8305): both families are asked for at once, IPv4 waits
/// <see cref="ResolutionDelay"/> for IPv6, families take turns, the next address is tried <see cref="AttemptDelay"/> after the last one
/// or as soon as that one failed, and the first connection wins.
/// </summary>
internal sealed class Dialer(
    INameResolver resolver, EgressPolicySource policy, IOwnAddresses own, TimeProvider time, BuiltInTargets? builtIn = null, TcpMemoryShare? memory = null)
{
    /// <summary>RFC 8305 section 8.</summary>
    internal static readonly TimeSpan ResolutionDelay = TimeSpan.FromMilliseconds(50);

    /// <summary>RFC 8305 section 8.</summary>
    internal static readonly TimeSpan AttemptDelay = TimeSpan.FromMilliseconds(250);

    /// <summary>For all of it. The kernel's own limit is over two minutes; clients give up long before.</summary>
    internal static readonly TimeSpan TotalTime = TimeSpan.FromSeconds(10);

    private readonly Func<int>? _receiveBufferBytes = memory is null ? null : memory.ReceiveBufferBytes;

    /// <summary>The target's side of a flow.</summary>
    internal SocketByteStream Carry(Socket socket) => new(socket, _receiveBufferBytes);

    /// <summary>Never throws for what happens to a dial.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> fired.</exception>
    internal async Task<DialResult> DialAsync(FlowTarget target, CancellationToken cancellationToken)
    {
        if (builtIn is not null && await builtIn.TryDialAsync(target, cancellationToken) is { } served)
        {
            return served;
        }

        using var limit = new CancellationTokenSource(TotalTime, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        var race = new Race(this, target, stop.Token);
        try
        {
            return await race.RunAsync();
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return DialResult.Failed(DialResult.MoreTelling(race.Failure, OpenResult.TimedOut));
        }
        finally
        {
            await stop.CancelAsync();
            race.DiscardRest();
        }
    }

    private Task<NameAnswer> AskAsync(string name, AddressFamily family) =>
        // An AAAA question whose answer no address of ours could use only costs time.
        family == AddressFamily.InterNetworkV6 && !own.HasGlobal(family)
            ? Task.FromResult(new NameAnswer(NameStatus.NotFound, []))
            : resolver.ResolveAsync(name, family);

    private static async Task<DialResult> AttemptAsync(IPEndPoint target, CancellationToken cancellationToken)
    {
        Socket socket;
        try
        {
            socket = new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        }
        catch (SocketException e)
        {
            return DialResult.Failed(DialResult.Of(e.SocketErrorCode));
        }

        try
        {
            socket.NoDelay = true;
            KeepAlive.Set(socket);
            await socket.ConnectAsync(target, cancellationToken);
            CongestionChoice.Suit(socket);
            return new DialResult(OpenResult.Opened, socket);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            return DialResult.Failed(DialResult.Of(e.SocketErrorCode));
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>One dial: questions and attempts under way, and one loop that takes what ends first.</summary>
    private sealed class Race(Dialer dialer, FlowTarget target, CancellationToken stop)
    {
        private readonly AddressQueue _addresses = new(dialer.CurrentPolicy);
        private readonly List<Task<DialResult>> _attempts = [];
        private Task<NameAnswer>? _v6;
        private Task<NameAnswer>? _v4;

        /// <summary>What to say if no address came at all.</summary>
        private OpenResult _nameFailure = OpenResult.Failed;

        private bool _dialled;

        /// <summary>No attempt starts before its end; null: one may start now.</summary>
        private Task? _pause;

        /// <summary>The most telling failure of the attempts so far.</summary>
        internal OpenResult Failure { get; private set; } = OpenResult.Failed;

        internal async Task<DialResult> RunAsync()
        {
            if (target.Address is { } address)
            {
                _addresses.Add([address]);
            }
            else
            {
                _v6 = dialer.AskAsync(target.Name!, AddressFamily.InterNetworkV6);
                _v4 = dialer.AskAsync(target.Name!, AddressFamily.InterNetwork);
            }

            while (true)
            {
                if (_pause is null && _addresses.TryNext(out var next))
                {
                    _dialled = true;
                    _attempts.Add(AttemptAsync(new IPEndPoint(next, target.Port), stop));
                    _pause = Task.Delay(AttemptDelay, dialer.CurrentTime, stop);
                }

                if (_attempts.Count == 0 && _addresses.IsEmpty && _v6 is null && _v4 is null)
                {
                    return DialResult.Failed(_addresses.RefusedAny ? DialResult.MoreTelling(Failure, OpenResult.NotAllowed)
                        : _dialled ? Failure
                        : _nameFailure);
                }

                var done = await Task.WhenAny(Pending()).WaitAsync(stop);
                if (done == _v6 || done == _v4)
                {
                    await TakeAnswerAsync((Task<NameAnswer>)done);
                }
                else if (done == _pause)
                {
                    _pause = null;
                }
                else
                {
                    var attempt = (Task<DialResult>)done;
                    _attempts.Remove(attempt);
                    var result = await attempt;
                    if (result.Socket is not null)
                    {
                        return result;
                    }

                    Failure = DialResult.MoreTelling(Failure, result.Result);
                    _pause = null;
                }
            }
        }

        /// <summary>Attempts that nobody waits for any more; they were told to stop, and one may have got through all the same.</summary>
        internal void DiscardRest()
        {
            foreach (var attempt in _attempts)
            {
                attempt.ContinueWith(
                    static t =>
                    {
                        if (t.IsCompletedSuccessfully)
                        {
                            t.Result.Socket?.Dispose();
                        }
                    },
                    CancellationToken.None,
                    TaskContinuationOptions.ExecuteSynchronously,
                    TaskScheduler.Default);
            }
        }

        private List<Task> Pending()
        {
            List<Task> pending = [.. _attempts];
            if (_v6 is not null)
            {
                pending.Add(_v6);
            }

            if (_v4 is not null)
            {
                pending.Add(_v4);
            }

            if (_pause is not null && !_addresses.IsEmpty)
            {
                pending.Add(_pause);
            }

            return pending;
        }

        private async Task TakeAnswerAsync(Task<NameAnswer> question)
        {
            var answer = await question;
            bool first = _addresses.IsEmpty && _attempts.Count == 0;
            _addresses.Add(answer.Addresses);
            if (answer.Status is not NameStatus.Found)
            {
                _nameFailure = DialResult.MoreTelling(_nameFailure, answer.Status switch
                {
                    NameStatus.Busy => OpenResult.Busy,
                    NameStatus.NoAnswer => OpenResult.TimedOut,
                    _ => OpenResult.NameNotFound,
                });
            }

            if (question == _v6)
            {
                _v6 = null;
                if (_attempts.Count == 0)
                {
                    _pause = null;
                }
            }
            else
            {
                _v4 = null;
                if (first && _v6 is not null)
                {
                    // Section 3: IPv6 gets a moment to catch up.
                    _pause = Task.Delay(ResolutionDelay, dialer.CurrentTime, stop);
                }
            }
        }
    }

    private EgressPolicy CurrentPolicy => policy.Current;

    private TimeProvider CurrentTime => time;
}
