using System.Net.Sockets;
using Aggregator.Flows;
using Aggregator.Gateway.Carriers;
using Aggregator.Mptcp;
using Aggregator.Protocol.V1;
using Aggregator.Speed;

namespace Aggregator.Gateway.Speed;

/// <summary>One direction of all links together.</summary>
/// <param name="Mbps">Null: nothing steady came.</param>
/// <param name="Senders">See <see cref="SubflowLedger.Senders"/>.</param>
/// <param name="Carried">Bytes by link.</param>
internal sealed record BondedLoad(
    double? Mbps, IReadOnlyList<SpeedSubflow> Subflows, SenderTimes? Senders, IReadOnlyDictionary<string, double> Carried);

/// <summary>
/// All links together: flows of the configured carrier, opened as ingress opens them, to the VPS's own source and sink; and for comparison one kernel
/// MPTCP connection. The subflows are watched meanwhile, on both ends.
/// </summary>
internal sealed class BondedTest(SpeedParts parts, SpeedCall call, SpeedClock clock, PhaseNumbers groups, IReadOnlyDictionary<string, string> publicAddresses)
{
    /// <summary>
    /// A household's downloads of one moment. The first alone does where the carrier fills the lines with one, and must: each is a subflow on every line,
    /// and eight of them under BBR keep longer queues than anybody's small requests should find, and lose where a queue is short.
    /// </summary>
    private const int Flows = 8;

    /// <summary>Opening flows is one round trip, or on an empty pool a few.</summary>
    private static readonly TimeSpan OpenTime = TimeSpan.FromSeconds(5);

    /// <exception cref="IOException">The carrier does not carry, or stopped.</exception>
    internal async Task<BondedLoad> CarrierAsync(bool down, double rttS, LoadTime length, Action<double?> progress, CancellationToken cancellationToken)
    {
        Task<SpeedStream>[] opening = [.. Enumerable.Range(0, Flows).Select(_ => OpenFlowAsync(cancellationToken))];
        try
        {
            SpeedStream[] streams = await Task.WhenAll(opening);
            return await LoadAsync(down, streams, parts.CarrierSockets, rttS, length, progress, cancellationToken);
        }
        finally
        {
            foreach (Task<SpeedStream> one in opening)
            {
                if (one.IsCompletedSuccessfully)
                {
                    await (await one).DisposeAsync();
                }
            }
        }
    }

    /// <summary>Over one kernel MPTCP connection that begins on <paramref name="path"/>.</summary>
    /// <exception cref="IOException">It did not come about, or broke.</exception>
    /// <param name="all">The paths that join it.</param>
    internal async Task<BondedLoad> KernelAsync(SpeedPath path, IReadOnlyList<SpeedPath> all, bool down, double rttS, LoadTime length, Action<double?> progress, CancellationToken cancellationToken)
    {
        await using SpeedStream stream = await parts.Dialer.DialAsync(path, mptcp: true, cancellationToken);
        using SubflowJoiner joiner = await SubflowJoiner.OpenAsync(cancellationToken);
        await joiner.JoinAsync(stream.Socket!, path, all, cancellationToken);
        return await LoadAsync(down, [stream], () => [stream.Socket!], rttS, length, progress, cancellationToken);
    }

    private async Task<BondedLoad> LoadAsync(
        bool down, SpeedStream[] streams, Func<IEnumerable<Socket>> sockets, double rttS, LoadTime length, Action<double?> progress, CancellationToken cancellationToken)
    {
        uint group = groups.Next();
        var ledger = new SubflowLedger(sockets, parts.LinkOf);
        double looked = double.NegativeInfinity;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await call.WatchSubflowsAsync(true, cancellationToken);
        ledger.Sample();
        try
        {
            var header = new SpeedHeader(down ? SpeedKind.Download : SpeedKind.Upload, SpeedLoad.Best, group, call.RunId, SpeedProtocol.LongestStream);
            LoadResult load = await new LoadPhase(clock).RunAsync(
                streams,
                stream => stream.Start(header, ending.Token),
                new LoadFigures(
                    () =>
                    {
                        if (call.Latest is { } sample && sample.TimeS > looked)
                        {
                            looked = sample.TimeS;
                            ledger.Take(sample);
                        }

                        return down
                            ? (clock.NowS, streams.Sum(s => (double)s.Counter.Value))
                            : call.Last(group) is var (timeS, g) ? (timeS, g.Bytes) : null;
                    },
                    () =>
                    {
                        ledger.Sample();
                        return new SentSoFar(clock.NowS, 0, 0, ledger.Total(down));
                    },
                    Least: true,
                    FirstStreams: 1),
                rttS,
                length,
                progress,
                cancellationToken);
            if (call.Latest is { } last)
            {
                ledger.Take(last);
            }

            return new BondedLoad(load.Rate?.Mbps, ledger.Lines(down, publicAddresses), ledger.Senders(down), ledger.Carried(down));
        }
        finally
        {
            await ending.CancelAsync();
            await call.WatchSubflowsAsync(false, cancellationToken);
        }
    }

    private async Task<SpeedStream> OpenFlowAsync(CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(OpenTime, clock.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            CarriedFlow flow = await parts.Carrier.OpenAsync(new FlowTarget(SpeedProtocol.FlowName, SpeedProtocol.FlowPort), ReadOnlyMemory<byte>.Empty, either.Token);
            OpenReply reply = await flow.Opened.WaitAsync(either.Token);
            if (flow.Stream is { } stream && reply.Result == OpenResult.Opened)
            {
                return new SpeedStream(stream, socket: null, MptcpVerdict.Unknown);
            }

            if (flow.Stream is { } failed)
            {
                failed.Abort();
                await failed.DisposeAsync();
            }

            throw new IOException($"the carrier does not open flows to the VPS ({reply.Result})");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new IOException("the carrier did not open a flow to the VPS in time");
        }
    }
}
