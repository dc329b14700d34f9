using System.Net.Sockets;

namespace Aggregator.Host;

/// <summary>Says which network namespace of which boot the calling thread is in, so that a journal is not used on another one.</summary>
internal static class NetworkNamespace
{
    private const int SolSocket = 1; // asm-generic/socket.h

    /// <summary>asm-generic/socket.h, Linux 5.14. A number that is not used twice in one boot, unlike the inode of /proc/self/ns/net.</summary>
    private const int SoNetnsCookie = 71;

    internal static string Identity()
    {
        string boot = File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();
        return $"{boot}/{Cookie()}";
    }

    /// <summary>The namespace's number in this boot: small, and never another's.</summary>
    internal static ulong Cookie()
    {
        Span<byte> cookie = stackalloc byte[sizeof(ulong)];
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.GetRawSocketOption(SolSocket, SoNetnsCookie, cookie);
        return BitConverter.ToUInt64(cookie);
    }
}
