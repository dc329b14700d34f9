using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace Aggregator.Relay;

/// <summary>
/// For sockets that carry bulk under a cipher: what waits for them goes on in the thread that saw the event, in place of waking another one.
/// Two cores relay 10 to 20 % more so (the wake-ups were a third of the VPS's time); without cipher it is the other way round, a wake-up
/// there brings a second core in. The relay gives the thread up after each megabyte, so nobody waits long behind it.
/// .NET has this for all sockets of a process only (DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS), handshakes and all; a single one's switch is not public.
/// </summary>
internal static class InlineCompletions
{
    /// <summary>SocketAsyncEngine.Unix.cs: event threads; by default one for thirty cores, which would then be all that relays.</summary>
    private const string ThreadCountVariable = "DOTNET_SYSTEM_NET_SOCKETS_THREAD_COUNT";

    private static volatile bool _missing;

    internal static bool IsMissing => _missing;

    /// <summary>Before the process has its first socket: an event thread for each core. What the user has set stands.</summary>
    internal static void PrepareProcess()
    {
        if (Environment.GetEnvironmentVariable(ThreadCountVariable) is null)
        {
            Environment.SetEnvironmentVariable(ThreadCountVariable, Math.Max(1, Environment.ProcessorCount).ToString(System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    internal static void Prefer(Socket socket)
    {
        if (_missing)
        {
            return;
        }

        try
        {
            SetPreferInlineCompletions(socket.SafeHandle, true);
        }
        catch (MissingMethodException)
        {
            // A runtime that has no such switch any more: slower, nothing else.
            _missing = true;
        }
        catch (ObjectDisposedException)
        {
            // Gone: whoever uses it next meets that.
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "set_PreferInlineCompletions")]
    private static extern void SetPreferInlineCompletions(SafeSocketHandle handle, bool value);
}
