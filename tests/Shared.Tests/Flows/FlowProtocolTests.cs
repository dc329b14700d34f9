using System.Net;
using Aggregator.Flows;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Flows;

public sealed class FlowProtocolTests
{
    private static readonly Gen<FlowTarget> Targets = Gen.OneOf(
        from bytes in ArbMap.Default.GeneratorFor<byte>().ArrayOf(4)
        from port in ArbMap.Default.GeneratorFor<ushort>()
        select new FlowTarget(new IPAddress(bytes), port),
        from bytes in ArbMap.Default.GeneratorFor<byte>().ArrayOf(16)
        from port in ArbMap.Default.GeneratorFor<ushort>()
        select new FlowTarget(new IPAddress(bytes), port),
        from length in Gen.Choose(1, FlowProtocol.MaxTargetBytes)
        from text in Gen.Choose('!', '~').Select(c => (char)c).ArrayOf(length)
        from port in ArbMap.Default.GeneratorFor<ushort>()
        select new FlowTarget(new string(text), port));

    private static readonly Gen<FlowReply> Replies = Gen.OneOf(
        Gen.Choose((int)OpenResult.Failed, (int)OpenResult.Busy).Select(r => new FlowReply((OpenResult)r, null)),
        from v6 in ArbMap.Default.GeneratorFor<bool>()
        from bytes in ArbMap.Default.GeneratorFor<byte>().ArrayOf(v6 ? 16 : 4)
        from port in ArbMap.Default.GeneratorFor<ushort>()
        select new FlowReply(OpenResult.Opened, new IPEndPoint(new IPAddress(bytes), port)));

    [Fact]
    public void What_is_written_is_read_back()
    {
        Prop.ForAll(Targets.ToArbitrary(), target =>
        {
            byte[] bytes = Open(target);
            var header = FlowProtocol.ReadOpenHeader(bytes);
            bytes.Length.ShouldBe(FlowProtocol.OpenHeaderBytes + header.TargetBytes);
            return FlowProtocol.ReadTarget(header, bytes.AsSpan(FlowProtocol.OpenHeaderBytes)) == target;
        }).QuickCheckThrowOnFailure();

        Prop.ForAll(Replies.ToArbitrary(), reply =>
        {
            byte[] bytes = new byte[FlowProtocol.ReplyBytes];
            Random.Shared.NextBytes(bytes);
            FlowProtocol.WriteReply(bytes, reply);
            return FlowProtocol.ReadReply(bytes) == reply;
        }).QuickCheckThrowOnFailure();
    }

    /// <summary>Garbage is either refused by name, or means something that is written with the same bytes again (no two spellings).</summary>
    [Fact]
    public void Any_bytes_are_refused_or_understood_exactly()
    {
        var open = from first in Gen.Frequency((3, Gen.Constant((byte)1)), (1, ArbMap.Default.GeneratorFor<byte>()))
                   from kind in Gen.Choose(0, 7)
                   from length in Gen.Frequency((1, Gen.Constant(4)), (1, Gen.Constant(16)), (2, Gen.Choose(0, 255)))
                   from rest in ArbMap.Default.GeneratorFor<byte>().ArrayOf(2 + FlowProtocol.MaxTargetBytes)
                   select (byte[])[first, (byte)kind, (byte)length, .. rest];
        Prop.ForAll(open.ToArbitrary(), bytes =>
        {
            try
            {
                var header = FlowProtocol.ReadOpenHeader(bytes);
                var target = FlowProtocol.ReadTarget(header, bytes.AsSpan(FlowProtocol.OpenHeaderBytes));
                byte[] again = Open(target);
                bool mapped = header.Kind == 6 && target.Address!.GetAddressBytes().Length == 4;
                return mapped || again.AsSpan().SequenceEqual(bytes.AsSpan(0, again.Length));
            }
            catch (FlowProtocolException)
            {
                return true;
            }
        }).QuickCheckThrowOnFailure();

        var reply = from type in Gen.Frequency((4, Gen.Constant((byte)0x81)), (1, ArbMap.Default.GeneratorFor<byte>()))
                    from result in Gen.Choose(0, 10)
                    from kind in Gen.Choose(0, 7)
                    from rest in Gen.Frequency((3, Gen.Constant((byte)0)), (1, ArbMap.Default.GeneratorFor<byte>())).ArrayOf(19)
                    select (byte[])[type, (byte)result, (byte)kind, .. rest];
        Prop.ForAll(reply.ToArbitrary(), bytes =>
        {
            try
            {
                byte[] again = new byte[FlowProtocol.ReplyBytes];
                FlowProtocol.WriteReply(again, FlowProtocol.ReadReply(bytes));
                return again.AsSpan().SequenceEqual(bytes);
            }
            catch (FlowProtocolException)
            {
                return true;
            }
        }).QuickCheckThrowOnFailure();

        Prop.ForAll(ArbMap.Default.GeneratorFor<byte>().ArrayOf(4).ToArbitrary(), bytes =>
        {
            try
            {
                byte[] again = new byte[FlowProtocol.GreetingBytes];
                FlowProtocol.WriteGreeting(again, FlowProtocol.ReadGreeting(bytes));
                return again.AsSpan().SequenceEqual(bytes);
            }
            catch (FlowProtocolException)
            {
                return true;
            }
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("a\0b")]
    [InlineData("bücher.example")]
    public void Names_that_no_resolver_should_see_are_refused(string name)
    {
        FlowProtocol.IsName(name).ShouldBeFalse();
        if (name.Length > 0)
        {
            Should.Throw<FlowProtocolException>(() => Open(new FlowTarget(name, 1)));
        }
    }

    [Fact]
    public void Names_longer_than_255_are_refused() =>
        Should.Throw<FlowProtocolException>(() => Open(new FlowTarget(new string('a', 256), 1)));

    [Fact]
    public void The_examples_of_the_document_hold()
    {
        byte[] greeting = new byte[FlowProtocol.GreetingBytes];
        FlowProtocol.WriteGreeting(greeting, GreetingStatus.Ready);
        greeting.ShouldBe(Example("greeting ready"));
        FlowProtocol.WriteGreeting(greeting, GreetingStatus.Busy);
        greeting.ShouldBe(Example("greeting busy"));
        Open(new FlowTarget(IPAddress.Parse("192.0.2.7"), 443)).ShouldBe(Example("open 192.0.2.7:443"));
        Open(new FlowTarget(IPAddress.Parse("2001:db8::1"), 80)).ShouldBe(Example("open [2001:db8::1]:80"));
        Open(new FlowTarget("example.net", 8443)).ShouldBe(Example("open example.net:8443"));
        FlowProtocol.ReadReply(Example("reply opened 198.51.100.9:40000"))
            .ShouldBe(new FlowReply(OpenResult.Opened, IPEndPoint.Parse("198.51.100.9:40000")));
        FlowProtocol.ReadReply(Example("reply refused")).ShouldBe(new FlowReply(OpenResult.Refused, null));

        byte[] preface = new byte[PlainPreface.Bytes];
        byte[] key = Enumerable.Repeat((byte)0x55, PlainPreface.KeyBytes).ToArray();
        PlainPreface.Write(preface, [.. Enumerable.Range(0, 16).Select(i => (byte)i)], 42, key);
        preface.ShouldBe(Example("preface"));
    }

    private static byte[] Open(FlowTarget target)
    {
        byte[] buffer = new byte[FlowProtocol.MaxOpenBytes];
        return buffer[..FlowProtocol.WriteOpen(buffer, target)];
    }

    private static byte[] Example(string name)
    {
        string directory = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(directory, "Aggregator.sln")))
        {
            directory = Path.GetDirectoryName(directory) ?? throw new FileNotFoundException("the repository's root");
        }

        string line = File.ReadLines(Path.Combine(directory, "proto", "flow.md"))
            .Single(l => l.StartsWith(name + "  ", StringComparison.Ordinal));
        return Convert.FromHexString(line[name.Length..].Replace(" ", "", StringComparison.Ordinal));
    }
}
