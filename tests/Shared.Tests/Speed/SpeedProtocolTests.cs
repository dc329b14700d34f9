using System.Net;
using Aggregator.Mptcp;
using Aggregator.Speed;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Speed;

/// <summary>The bytes of proto/speed.md, and whatever else comes.</summary>
public sealed partial class SpeedProtocolTests
{
    private static readonly UInt128 Run = new(0x0001020304050607, 0x08090a0b0c0d0e0f);

    [Fact]
    public void The_examples_of_the_document_hold()
    {
        byte[] header = new byte[SpeedProtocol.HeaderBytes];
        SpeedProtocol.WriteHeader(header, new SpeedHeader(SpeedKind.Download, SpeedLoad.LossBased, 7, Run, TimeSpan.FromSeconds(5), 25_000));
        Convert.ToHexStringLower(header).ShouldBe(Example("header download"));

        byte[] answer = new byte[SpeedProtocol.AnswerBytes];
        SpeedProtocol.WriteAnswer(answer, new SpeedAnswer(SpeedAnswerResult.GoOn, MptcpVerdict.Tcp, IPEndPoint.Parse("198.51.100.9:40000")));
        Convert.ToHexStringLower(answer).ShouldBe(Example("answer 198.51.100.9"));

        byte[] look = new byte[SpeedProtocol.LookBytes];
        SpeedProtocol.WriteLook(look, new SpeedLook(MptcpVerdict.Mptcp, 2, 1, true, 42, 3));
        Convert.ToHexStringLower(look).ShouldBe(Example("look MPTCP"));
    }

    [Fact]
    public void What_is_written_is_read()
    {
        byte[] buffer = new byte[SpeedProtocol.HeaderBytes];
        foreach (var header in new[]
        {
            new SpeedHeader(SpeedKind.Echo, SpeedLoad.Best, 0, Run, TimeSpan.FromMilliseconds(1)),
            new SpeedHeader(SpeedKind.Upload, SpeedLoad.LossBased, uint.MaxValue, UInt128.MaxValue, SpeedProtocol.LongestStream, uint.MaxValue),
        })
        {
            SpeedProtocol.WriteHeader(buffer, header);
            SpeedProtocol.ReadHeader(buffer).ShouldBe(header);
        }

        foreach (var answer in new[]
        {
            new SpeedAnswer(SpeedAnswerResult.Busy, MptcpVerdict.Unknown, null),
            new SpeedAnswer(SpeedAnswerResult.GoOn, MptcpVerdict.FellBack, IPEndPoint.Parse("[2001:db8::1]:65535")),
        })
        {
            SpeedProtocol.WriteAnswer(buffer, answer);
            SpeedProtocol.ReadAnswer(buffer).ShouldBe(answer);
        }

        var look = new SpeedLook(MptcpVerdict.Tcp, 0, 0, false, null, null);
        SpeedProtocol.WriteLook(buffer, look);
        SpeedProtocol.ReadLook(buffer).ShouldBe(look);
    }

    [Theory]
    [InlineData(0, 0x54)]
    [InlineData(1, 2)]
    [InlineData(2, 0)]
    [InlineData(2, 5)]
    [InlineData(3, 2)]
    [InlineData(24, 0x01)]
    public void A_header_with_other_values_is_refused(int at, byte value)
    {
        byte[] header = Convert.FromHexString(Example("header download"));
        header[at] = value;
        Should.Throw<SpeedProtocolException>(() => SpeedProtocol.ReadHeader(header));
    }

    /// <summary>Either it is refused in its own terms, or it says again what it said.</summary>
    [Fact]
    public void Any_bytes_are_read_or_refused() =>
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), ArbMap.Default.ArbFor<byte>(), (bytes, kind) =>
        {
            byte[] buffer = new byte[SpeedProtocol.HeaderBytes];
            bytes.AsSpan(0, Math.Min(bytes.Length, buffer.Length)).CopyTo(buffer);
            buffer[0] = (kind % 4) switch { 0 => 0x53, 1 => 0x83, 2 => 0x84, _ => buffer[0] };
            byte[] again = new byte[SpeedProtocol.HeaderBytes];
            foreach (Action read in (Action[])
            [
                () => SpeedProtocol.WriteHeader(again, SpeedProtocol.ReadHeader(buffer)),
                () => SpeedProtocol.WriteAnswer(again, SpeedProtocol.ReadAnswer(buffer)),
                () => SpeedProtocol.WriteLook(again, SpeedProtocol.ReadLook(buffer)),
            ])
            {
                try
                {
                    read();
                }
                catch (SpeedProtocolException)
                {
                }
            }
        }).QuickCheckThrowOnFailure();

    [System.Text.RegularExpressions.GeneratedRegex("(?:[0-9a-f]{4,} ?)+$")]
    private static partial System.Text.RegularExpressions.Regex Bytes();

    private static string Example(string start)
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory!.FullName, "Aggregator.sln")))
        {
            directory = directory.Parent;
        }

        string line = File.ReadLines(Path.Combine(directory.FullName, "proto", "speed.md")).Single(l => l.StartsWith(start, StringComparison.Ordinal));
        return Bytes().Match(line).Value.Replace(" ", "", StringComparison.Ordinal);
    }
}
