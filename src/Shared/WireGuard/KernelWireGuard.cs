using Aggregator.Interop;
using Aggregator.Netlink;
using Aggregator.Processes;

namespace Aggregator.WireGuard;

/// <summary>A device of the Linux kernel (CONFIG_WIREGUARD), over generic netlink. It ends only by our doing, or by somebody who deletes it.</summary>
internal sealed class KernelWireGuard : IWireGuardDevice
{
    private readonly NetlinkSocket _socket;
    private readonly ushort _family;
    private readonly TaskCompletionSource<string> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private KernelWireGuard(string name, NetlinkSocket socket, ushort family)
    {
        Name = name;
        _socket = socket;
        _family = family;
    }

    public string Name { get; }

    public string Backend => "kernel";

    public Task<string> Ended => _ended.Task;

    /// <summary>Makes the interface in the calling thread's network namespace; down and without addresses.</summary>
    /// <returns>The device; null where this kernel has no WireGuard.</returns>
    /// <exception cref="IOException">It has, and does not make the interface.</exception>
    internal static async Task<KernelWireGuard?> TryStartAsync(string name, CancellationToken cancellationToken)
    {
        var socket = NetlinkSocket.Open(Libc.NETLINK_GENERIC);
        try
        {
            // The family comes with the module, and the module with the first interface.
            var made = await Tool.RunAsync("ip", ["link", "add", "dev", name, "type", "wireguard"], cancellationToken: cancellationToken);
            if (await GenericNetlinkFamily.FindAsync(socket, Libc.WG_GENL_NAME, cancellationToken) is not { } family)
            {
                socket.Dispose();
                return null;
            }

            made.OutputOrThrow();
            return new KernelWireGuard(name, socket, family.Id);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public async Task ConfigureAsync(WireGuardChange change, CancellationToken cancellationToken)
    {
        bool isFirst = true;
        foreach (var peer in change.Peers.Select(p => (WireGuardPeer?)p).Prepend(null))
        {
            var result = await _socket.RequestAsync(
                (Device: this, Change: change, Peer: peer, IsFirst: isFirst),
                static (ref NetlinkWriter writer, (KernelWireGuard Device, WireGuardChange Change, WireGuardPeer? Peer, bool IsFirst) of) =>
                    WireGuardMessage.WriteSet(ref writer, of.Device._family, of.Device.Name, of.Change, of.Peer, of.IsFirst),
                cancel: cancellationToken);
            isFirst = false;
            Check(result);
        }
    }

    public async Task<IReadOnlyList<WireGuardPeerState>> PeersAsync(CancellationToken cancellationToken)
    {
        var peers = new List<WireGuardPeerState>();
        try
        {
            await _socket.DumpAsync<KernelWireGuard, object>(
                $"peers of {Name}",
                this,
                static (ref NetlinkWriter writer, KernelWireGuard device) => WireGuardMessage.WriteGet(ref writer, device._family, device.Name),
                (scoped in NetlinkMessage message, out object? item) =>
                {
                    item = null;
                    return WireGuardMessage.TryReadPeers(in message, peers);
                },
                cancellationToken);
        }
        catch (NetlinkException e) when (e.Result.Errno == Libc.ENODEV)
        {
            Check(e.Result);
        }

        return peers;
    }

    public async ValueTask DisposeAsync()
    {
        await Tool.RunAsync("ip", ["link", "del", "dev", Name]);
        _socket.Dispose();
    }

    private void Check(NetlinkResult result)
    {
        if (result.Errno == Libc.ENODEV)
        {
            _ended.TrySetResult($"the interface {Name} was deleted");
        }

        if (!result.IsSuccess)
        {
            throw new IOException($"the kernel's WireGuard refuses the configuration of {Name}: {result}");
        }
    }
}
