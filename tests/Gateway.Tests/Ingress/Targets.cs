using System.Net;
using System.Text;
using Aggregator.Flows;
using FsCheck;
using FsCheck.Fluent;

namespace Aggregator.Gateway.Tests.Ingress;

/// <summary>Targets as clients ask for them, and their bytes in requests.</summary>
internal static class Targets
{
    private const string NameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

    private static readonly Gen<ushort> Ports = Gen.Choose(1, ushort.MaxValue).Select(p => (ushort)p);

    internal static readonly Gen<FlowTarget> Any = Gen.OneOf(
        from bytes in ArbMap.Default.GeneratorFor<byte>().ArrayOf(4)
        from port in Ports
        select new FlowTarget(new IPAddress(bytes), port),
        from bytes in ArbMap.Default.GeneratorFor<byte>().ArrayOf(16)
        from port in Ports
        select new FlowTarget(new IPAddress(bytes), port),
        from labels in Gen.Choose(1, 4)
        from text in Gen.Elements(NameCharacters.ToCharArray()).ArrayOf(LabelLength).Select(c => new string(c)).ArrayOf(labels)
        from port in Ports
        // A letter at the end, so that it is a name and no address.
        select new FlowTarget(string.Join('.', text) + "x", port));

    private const int LabelLength = 12;

    /// <summary>A CONNECT request of RFC 1928.</summary>
    internal static byte[] Socks5Request(FlowTarget target, byte command = 1)
    {
        byte[] port = [(byte)(target.Port >> 8), (byte)target.Port];
        return target.Address is { } address
            ? [5, command, 0, (byte)(address.GetAddressBytes().Length == 4 ? 1 : 4), .. address.GetAddressBytes(), .. port]
            : [5, command, 0, 3, (byte)target.Name!.Length, .. Encoding.ASCII.GetBytes(target.Name), .. port];
    }

    internal static string Authority(FlowTarget target) => target.ToString();

    /// <summary>Calls <paramref name="step"/> with longer and longer beginnings of <paramref name="bytes"/>, grown by the sizes given, the last being all of it.</summary>
    internal static void Grow(byte[] bytes, IReadOnlyList<int> sizes, Func<int, bool> step)
    {
        int length = 0;
        int i = 0;
        while (step(length) && length < bytes.Length)
        {
            int size = sizes.Count == 0 ? bytes.Length : 1 + (Math.Abs(sizes[i++ % sizes.Count] % 7));
            length = Math.Min(bytes.Length, length + size);
        }
    }
}
