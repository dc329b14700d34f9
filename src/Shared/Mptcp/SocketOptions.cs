using System.Net.Sockets;
using System.Text;
using Aggregator.Interop;

namespace Aggregator.Mptcp;

/// <summary>
/// Options that work alike on MPTCP and TCP sockets; on MPTCP they reach every subflow, later ones too. Each throws
/// <see cref="LibcException"/> with the kernel's errno. Those that .NET sets itself behave otherwise there (SO_REUSEADDR), or not at all.
/// </summary>
internal static class SocketOptions
{
    /// <summary>IFNAMSIZ without the NUL.</summary>
    private const int LongestInterfaceName = 15;

    /// <summary>TCP_CA_NAME_MAX.</summary>
    private const int CongestionNameBytes = 16;

    /// <summary>Packets leave and arrive by this interface only. Before connect. ENODEV: no such interface.</summary>
    internal static void BindToDevice(Socket socket, string interfaceName)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Encoding.UTF8.GetByteCount(interfaceName), LongestInterfaceName, nameof(interfaceName));
        SetText(socket, Libc.SOL_SOCKET, Libc.SO_BINDTODEVICE, interfaceName, "SO_BINDTODEVICE");
    }

    /// <summary>Lets a socket have addresses that are not this host's (TPROXY). Before bind; needs CAP_NET_ADMIN or CAP_NET_RAW.</summary>
    internal static void SetTransparent(Socket socket, AddressFamily family)
    {
        // One bit in the kernel's socket, so a dual-stack one is transparent for IPv4 too; each family takes only its own name for it.
        if (family == AddressFamily.InterNetworkV6)
        {
            Set(socket, Libc.SOL_IPV6, Libc.IPV6_TRANSPARENT, 1, "IPV6_TRANSPARENT");
            return;
        }

        Set(socket, Libc.SOL_IP, Libc.IP_TRANSPARENT, 1, "IP_TRANSPARENT");
    }

    /// <summary>
    /// A listener may be bound to an address that no interface has yet; it is reached as soon as one has it. Before bind; no right needed.
    /// (One bit in the kernel's socket: IPv4's name for it works on IPv6 sockets too, net/ipv6/af_inet6.c.)
    /// </summary>
    internal static void SetFreeBind(Socket socket) => Set(socket, Libc.SOL_IP, Libc.IP_FREEBIND, 1, "IP_FREEBIND");

    /// <summary>The firewall mark of the socket's packets. Needs CAP_NET_ADMIN or CAP_NET_RAW.</summary>
    internal static void SetMark(Socket socket, uint mark) => Set(socket, Libc.SOL_SOCKET, Libc.SO_MARK, unchecked((int)mark), "SO_MARK");

    internal static uint GetMark(Socket socket) => unchecked((uint)Get(socket, Libc.SOL_SOCKET, Libc.SO_MARK, "SO_MARK"));

    internal static void SetNoDelay(Socket socket) => Set(socket, Libc.SOL_TCP, Libc.TCP_NODELAY, 1, "TCP_NODELAY");

    /// <summary>At most so many bytes wait unsent; the socket is not writable above it. On MPTCP it bounds the connection's own queue only (not before 6.1).</summary>
    internal static void SetNotSentLowWater(Socket socket, int bytes) => Set(socket, Libc.SOL_TCP, Libc.TCP_NOTSENT_LOWAT, bytes, "TCP_NOTSENT_LOWAT");

    /// <summary>TCP only.</summary>
    internal static void SetMaxPacingRate(Socket socket, uint bytesPerSecond) => Set(socket, Libc.SOL_SOCKET, Libc.SO_MAX_PACING_RATE, unchecked((int)bytesPerSecond), "SO_MAX_PACING_RATE");

    /// <summary>ENOENT: the kernel has no congestion control of this name. EPERM: it is not among net.ipv4.tcp_allowed_congestion_control.</summary>
    internal static void SetCongestionControl(Socket socket, string name)
        => SetText(socket, Libc.SOL_TCP, Libc.TCP_CONGESTION, name, "TCP_CONGESTION");

    internal static unsafe string GetCongestionControl(Socket socket)
    {
        byte* name = stackalloc byte[CongestionNameBytes];
        uint length = CongestionNameBytes;
        Check(Libc.getsockopt(socket.SafeHandle, Libc.SOL_TCP, Libc.TCP_CONGESTION, name, &length), "TCP_CONGESTION");
        var bytes = new ReadOnlySpan<byte>(name, (int)length);
        int end = bytes.IndexOf((byte)0);
        return Encoding.ASCII.GetString(end < 0 ? bytes : bytes[..end]);
    }

    /// <summary>Asks a silent peer after <paramref name="idle"/>, each <paramref name="interval"/>, and gives up after <paramref name="count"/>.</summary>
    internal static void SetKeepAlive(Socket socket, TimeSpan idle, TimeSpan interval, int count)
    {
        Set(socket, Libc.SOL_SOCKET, Libc.SO_KEEPALIVE, 1, "SO_KEEPALIVE");
        Set(socket, Libc.SOL_TCP, Libc.TCP_KEEPIDLE, WholeSeconds(idle), "TCP_KEEPIDLE");
        Set(socket, Libc.SOL_TCP, Libc.TCP_KEEPINTVL, WholeSeconds(interval), "TCP_KEEPINTVL");
        Set(socket, Libc.SOL_TCP, Libc.TCP_KEEPCNT, count, "TCP_KEEPCNT");
    }

    /// <summary>
    /// A listener may follow one whose connections still linger. SO_REUSEADDR alone: .NET's ReuseAddress sets SO_REUSEPORT too, and then
    /// a second daemon takes half of the connections without a word.
    /// </summary>
    internal static void SetReuseAddress(Socket socket) => Set(socket, Libc.SOL_SOCKET, Libc.SO_REUSEADDR, 1, "SO_REUSEADDR");

    /// <summary>False: a socket bound to :: serves IPv4 as well, whatever net.ipv6.bindv6only says.</summary>
    internal static void SetIPv6Only(Socket socket, bool only) => Set(socket, Libc.SOL_IPV6, Libc.IPV6_V6ONLY, only ? 1 : 0, "IPV6_V6ONLY");

    /// <summary>IPPROTO_TCP (6) or IPPROTO_MPTCP (262); .NET's own ProtocolType says Unknown for the latter.</summary>
    internal static int GetProtocol(Socket socket) => Get(socket, Libc.SOL_SOCKET, Libc.SO_PROTOCOL, "SO_PROTOCOL");

    private static int WholeSeconds(TimeSpan time) => Math.Max(1, (int)Math.Ceiling(time.TotalSeconds));

    /// <summary>What the kernel knows of the longest IP packet that a connected socket's way takes: its interface's, and what ICMP told (ip(7)).</summary>
    internal static int PathMtuBytes(Socket socket) => socket.AddressFamily == AddressFamily.InterNetworkV6
        ? Get(socket, Libc.SOL_IPV6, Libc.IPV6_MTU, "IPV6_MTU")
        : Get(socket, Libc.SOL_IP, Libc.IP_MTU, "IP_MTU");

    private static unsafe void Set(Socket socket, int level, int name, int value, string what)
        => Check(Libc.setsockopt(socket.SafeHandle, level, name, &value, sizeof(int)), what);

    private static unsafe int Get(Socket socket, int level, int name, string what)
    {
        int value = 0;
        uint length = sizeof(int);
        Check(Libc.getsockopt(socket.SafeHandle, level, name, &value, &length), what);
        return value;
    }

    private static unsafe void SetText(Socket socket, int level, int name, string text, string what)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text + '\0');
        fixed (byte* value = bytes)
        {
            Check(Libc.setsockopt(socket.SafeHandle, level, name, value, (uint)bytes.Length), $"{what} {text}");
        }
    }

    private static void Check(int result, string what)
    {
        if (result < 0)
        {
            throw Libc.Error(what);
        }
    }
}
