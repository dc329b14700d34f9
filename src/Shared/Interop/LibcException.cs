using System.Runtime.InteropServices;

namespace Aggregator.Interop;

/// <summary>A system call that failed. <see cref="Errno"/> is the kernel's number, <see cref="Operation"/> what was attempted.</summary>
internal sealed class LibcException(string operation, int errno)
    : IOException($"{operation}: {Marshal.GetPInvokeErrorMessage(errno)} (errno {errno})")
{
    internal string Operation { get; } = operation;

    internal int Errno { get; } = errno;
}
