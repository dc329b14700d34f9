using System.Buffers.Binary;
using Aggregator.Identity;
using Aggregator.Mptcp;
using Aggregator.Protocol.V1;
using Aggregator.Relay;
using Aggregator.Speed;
using Aggregator.Vps.Speed;
using Grpc.Core;
using Shouldly;
using Xunit;

namespace Aggregator.Vps.Tests.Speed;

/// <summary>Who gets what on test connections: those of a run that is theirs, as many as there may be, and nobody else anything.</summary>
public sealed class SpeedServerTests
{
    /// <summary>From each use on: of the class it would end the last tests of a loaded machine.</summary>
    private static CancellationToken Patience => new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token;

    [Fact]
    public async Task A_run_serves_its_own_gateway_only_and_ends_with_its_call()
    {
        await using var vps = await VpsUnderTest.StartAsync();
        using var key = vps.Pair();
        using var other = vps.Pair("other");
        using var channel = vps.Channel(key);
        using var call = new SpeedTest.SpeedTestClient(channel).Run(cancellationToken: Patience);
        await call.RequestStream.WriteAsync(new SpeedRunRequest(), Patience);
        (await call.ResponseStream.MoveNext(Patience)).ShouldBeTrue();
        UInt128 run = BinaryPrimitives.ReadUInt128BigEndian(call.ResponseStream.Current.Begun.RunId.Span);

        using (var second = new SpeedTest.SpeedTestClient(channel).Run(cancellationToken: Patience))
        {
            (await Should.ThrowAsync<RpcException>(() => second.ResponseStream.MoveNext(Patience))).StatusCode.ShouldBe(StatusCode.ResourceExhausted);
        }

        (await AskAsync(vps, other, run)).Answer.Result.ShouldBe(SpeedAnswerResult.NoSuchRun);
        (await AskAsync(vps, key, run + 1)).Answer.Result.ShouldBe(SpeedAnswerResult.NoSuchRun);
        var (stream, answer) = await AskAsync(vps, key, run);
        answer.Result.ShouldBe(SpeedAnswerResult.GoOn);
        answer.Verdict.ShouldBe(MptcpVerdict.Tcp);
        answer.From!.Address.ShouldBe(vps.EndPoint.Address);
        byte[] some = new byte[100_000];
        await stream.ReadExactlyAsync(some, Patience);

        await call.RequestStream.CompleteAsync();
        await Should.ThrowAsync<IOException>(async () =>
        {
            while (await stream.ReadAsync(some, Patience) > 0)
            {
            }

            throw new EndOfStreamException();
        });
        (await AskAsync(vps, key, run)).Answer.Result.ShouldBe(SpeedAnswerResult.NoSuchRun);
    }

    [Fact]
    public async Task A_key_that_is_not_paired_and_bytes_that_are_no_header_get_nothing()
    {
        await using var vps = await VpsUnderTest.StartAsync();
        using var key = vps.Pair();
        using var stranger = IdentityKey.CreateEphemeral();
        await Should.ThrowAsync<IOException>(() => AskAsync(vps, stranger, 1));

        await using var stream = await vps.DialAsync(key, PinnedTls.Speed, Patience);
        byte[] garbage = new byte[SpeedProtocol.HeaderBytes];
        Random.Shared.NextBytes(garbage);
        garbage[0] = 0;
        await stream.WriteAsync(garbage, Patience);
        await Should.ThrowAsync<IOException>(() => stream.ReadExactlyAsync(new byte[1], Patience).AsTask());
    }

    [Fact]
    public async Task A_look_tells_what_the_connection_is_and_there_are_not_endlessly_many()
    {
        await using var vps = await VpsUnderTest.StartAsync();
        using var key = vps.Pair();
        var streams = new List<TlsByteStream>();
        for (int i = 0; i < SpeedRuns.MaxLooks; i++)
        {
            var (stream, answer) = await AskAsync(vps, key, 0, SpeedKind.Look);
            answer.Result.ShouldBe(SpeedAnswerResult.GoOn);
            streams.Add(stream);
        }

        byte[] look = new byte[SpeedProtocol.LookBytes];
        await streams[0].WriteAsync(look.AsMemory(0, 1), Patience);
        await streams[0].ReadExactlyAsync(look, Patience);
        SpeedProtocol.ReadLook(look).Verdict.ShouldBe(MptcpVerdict.Tcp);

        (await AskAsync(vps, key, 0, SpeedKind.Look)).Answer.Result.ShouldBe(SpeedAnswerResult.Busy);
        foreach (var stream in streams)
        {
            stream.Abort();
            await stream.DisposeAsync();
        }
    }

    private static async Task<(TlsByteStream Stream, SpeedAnswer Answer)> AskAsync(VpsUnderTest vps, IdentityKey key, UInt128 run, SpeedKind kind = SpeedKind.Download)
    {
        var stream = await vps.DialAsync(key, PinnedTls.Speed, Patience);
        byte[] buffer = new byte[SpeedProtocol.HeaderBytes];
        SpeedProtocol.WriteHeader(buffer, new SpeedHeader(kind, SpeedLoad.Best, 1, run, TimeSpan.FromSeconds(30)));
        await stream.WriteAsync(buffer, Patience);
        await stream.ReadExactlyAsync(buffer.AsMemory(0, SpeedProtocol.AnswerBytes), Patience);
        return (stream, SpeedProtocol.ReadAnswer(buffer));
    }
}
