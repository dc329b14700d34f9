using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using Microsoft.Win32.SafeHandles;

namespace Aggregator.WireGuard;

/// <summary>
/// A device of WireGuardNT, over the functions of its wireguard.dll. Written from the published header; it has NOT run on Windows: what is tested are
/// the structures' layouts and the bytes that are handed over.
/// </summary>
[SupportedOSPlatform("windows")]
internal sealed unsafe partial class WindowsWireGuard : IWireGuardDevice
{
    private const string Library = "wireguard.dll";

    /// <summary>Shown by Windows beside the adapter.</summary>
    private const string TunnelType = "Aggregator";

    /// <summary>WIREGUARD_ADAPTER_STATE_UP.</summary>
    private const int StateUp = 1;

    /// <summary>winerror.h</summary>
    private const int ErrorMoreData = 234;

    /// <summary>A device with the most clients that we allow is smaller; it grows up to this.</summary>
    private const int FirstBytes = 64 * 1024;
    private const int MaxBytes = 4 * 1024 * 1024;

    private readonly AdapterHandle _adapter;
    private readonly TaskCompletionSource<string> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private WindowsWireGuard(string name, AdapterHandle adapter)
    {
        Name = name;
        _adapter = adapter;
    }

    public string Name { get; }

    public string Backend => "wireguard-nt";

    public Task<string> Ended => _ended.Task;

    /// <returns>The device, up and without addresses; or why there is none, with the next step.</returns>
    internal static (WindowsWireGuard? Device, string? Problem) Start(string name)
    {
        try
        {
            var adapter = WireGuardCreateAdapter(name, TunnelType, null);
            int error = Marshal.GetLastPInvokeError();
            if (adapter.IsInvalid)
            {
                adapter.Dispose();
                return (null, $"WireGuardNT makes no adapter: {new Win32Exception(error).Message}; run this as administrator");
            }

            if (!WireGuardSetAdapterState(adapter, StateUp))
            {
                error = Marshal.GetLastPInvokeError();
                adapter.Dispose();
                return (null, $"WireGuardNT's adapter does not come up: {new Win32Exception(error).Message}");
            }

            return (new WindowsWireGuard(name, adapter), null);
        }
        catch (DllNotFoundException)
        {
            return (null, $"{Library} is missing: put the one of WireGuardNT beside this program");
        }
    }

    public Task ConfigureAsync(WireGuardChange change, CancellationToken cancellationToken)
    {
        byte[] bytes = WireGuardNtConfiguration.Write(change);
        fixed (byte* at = bytes)
        {
            if (!WireGuardSetConfiguration(_adapter, at, (uint)bytes.Length))
            {
                throw new IOException($"WireGuardNT refuses the configuration: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");
            }
        }

        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<WireGuardPeerState>> PeersAsync(CancellationToken cancellationToken)
    {
        for (byte[] bytes = new byte[FirstBytes]; ; bytes = new byte[bytes.Length * 2])
        {
            uint length = (uint)bytes.Length;
            fixed (byte* at = bytes)
            {
                if (WireGuardGetConfiguration(_adapter, at, &length))
                {
                    return Task.FromResult(WireGuardNtConfiguration.TryReadPeers(bytes.AsSpan(0, (int)Math.Min(length, (uint)bytes.Length)))
                        ?? throw new IOException("WireGuardNT's configuration makes no sense"));
                }
            }

            int error = Marshal.GetLastPInvokeError();
            if (error != ErrorMoreData || bytes.Length >= MaxBytes)
            {
                throw new IOException($"WireGuardNT does not tell its configuration: {new Win32Exception(error).Message}");
            }
        }
    }

    public ValueTask DisposeAsync()
    {
        _ended.TrySetResult("closed");
        _adapter.Dispose();
        return ValueTask.CompletedTask;
    }

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf16, SetLastError = true)]
    private static partial AdapterHandle WireGuardCreateAdapter(string name, string tunnelType, Guid* requested);

    [LibraryImport(Library)]
    private static partial void WireGuardCloseAdapter(nint adapter);

    [LibraryImport(Library, SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool WireGuardSetAdapterState(AdapterHandle adapter, int state);

    [LibraryImport(Library, SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool WireGuardSetConfiguration(AdapterHandle adapter, byte* configuration, uint bytes);

    [LibraryImport(Library, SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool WireGuardGetConfiguration(AdapterHandle adapter, byte* configuration, uint* bytes);

    /// <summary>WIREGUARD_ADAPTER_HANDLE; an adapter that was made by us goes when it is closed.</summary>
    internal sealed class AdapterHandle : SafeHandleZeroOrMinusOneIsInvalid
    {
        public AdapterHandle()
            : base(ownsHandle: true)
        {
        }

        protected override bool ReleaseHandle()
        {
            WireGuardCloseAdapter(handle);
            return true;
        }
    }
}
