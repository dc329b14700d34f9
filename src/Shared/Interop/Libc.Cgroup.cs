using System.Runtime.InteropServices;

namespace Aggregator.Interop;

/// <summary>linux/mount.h and linux/bpf.h, as far as a group of processes is made and a program attached to it. glibc has no names for these calls.</summary>
internal static unsafe partial class Libc
{
    /// <summary>The same on every architecture from these numbers on (asm-generic/unistd.h and the 64-bit tables).</summary>
    internal const long SYS_fsopen = 430;
    internal const long SYS_fsconfig = 431;
    internal const long SYS_fsmount = 432;

    /// <summary>asm-generic (arm64, riscv64) and x86-64 differ.</summary>
    internal static readonly long SYS_bpf = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 321 : 280;

    internal const uint FSOPEN_CLOEXEC = 1;
    internal const uint FSCONFIG_CMD_CREATE = 6;
    internal const uint FSMOUNT_CLOEXEC = 1;

    internal const int BPF_PROG_LOAD = 5;
    internal const int BPF_PROG_ATTACH = 8;
    internal const uint BPF_PROG_TYPE_CGROUP_SOCK = 9;
    internal const uint BPF_CGROUP_INET_SOCK_CREATE = 2;

    /// <summary>The head of union bpf_attr for BPF_PROG_LOAD, up to what kernels have had since 4.10.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct bpf_attr_load
    {
        internal uint prog_type;
        internal uint insn_cnt;
        internal ulong insns;
        internal ulong license;
        internal uint log_level;
        internal uint log_size;
        internal ulong log_buf;
        internal uint kern_version;
        internal uint prog_flags;
    }

    /// <summary>For BPF_PROG_ATTACH.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct bpf_attr_attach
    {
        internal uint target_fd;
        internal uint attach_bpf_fd;
        internal uint attach_type;
        internal uint attach_flags;
    }

    /// <summary>struct bpf_insn.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct bpf_insn
    {
        internal byte code;

        /// <summary>Destination in the lower four bits, source in the upper.</summary>
        internal byte registers;
        internal short off;
        internal int imm;
    }

    [LibraryImport(Library, EntryPoint = "syscall", SetLastError = true)]
    internal static partial long syscall(long number, nint a, nint b, nint c, nint d, nint e);
}
