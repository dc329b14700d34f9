using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Aggregator.Interop;

/// <summary>System calls under the names of their C headers, one file a header. Nothing here knows policy.</summary>
internal static unsafe partial class Libc
{
    private const string Library = "libc";

    /// <summary>The errno of the call just made on this thread.</summary>
    internal static int Errno => Marshal.GetLastPInvokeError();

    /// <summary>The error of the call just made, with its errno and the system's text, said of <paramref name="operation"/>.</summary>
    internal static LibcException Error(string operation) => new(operation, Errno);
}
