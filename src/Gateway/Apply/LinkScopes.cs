using System.Globalization;
using Aggregator.Gateway.Links;
using Aggregator.Host;
using Aggregator.Interop;
using Microsoft.Win32.SafeHandles;

namespace Aggregator.Gateway.Apply;

/// <summary>
/// Groups of processes whose sockets belong to one WAN: a cgroup (version 2) with a program of four instructions that gives each new socket the
/// WAN's mark, as `ip vrf exec` binds them to a device. By a mark, so that the host's own addresses (a local resolver) are reached as usual; the
/// rules of <see cref="HostNumbers.DirectRule"/> lead it out, or refuse it while the WAN is away. Works for every program, without a change of it.
/// </summary>
internal static unsafe class LinkScopes
{
    private const string Folder = "aggregator-use";

    /// <summary>Moves this process into the group of a mark, which is made where it is not there. Its children are in it too.</summary>
    /// <exception cref="LibcException">The kernel refuses: rights (CAP_SYS_ADMIN, CAP_BPF), no cgroup version 2, or a program of somebody else's on a group above.</exception>
    internal static void Enter(uint mark)
    {
        using var mount = Mount();
        string path = Path.Combine(Of(mount), Folder, Identity(), mark.ToString("x", CultureInfo.InvariantCulture));
        Directory.CreateDirectory(path);
        Attach(path, mark);
        File.WriteAllText(Path.Combine(path, "cgroup.procs"), Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>Removes this network namespace's groups; one with a program in it stays until that has ended. Returns how many were removed.</summary>
    internal static int RemoveAll()
    {
        SafeFileHandle mount;
        try
        {
            mount = Mount();
        }
        catch (LibcException)
        {
            // Without the right or the kernel for it there are none.
            return 0;
        }

        using (mount)
        {
            string folder = Path.Combine(Of(mount), Folder);
            string own = Path.Combine(folder, Identity());
            int removed = 0;
            if (!Directory.Exists(own))
            {
                return removed;
            }

            foreach (string group in Directory.GetDirectories(own))
            {
                removed += TryRemove(group) ? 1 : 0;
            }

            TryRemove(own);
            TryRemove(folder);
            return removed;
        }
    }

    /// <summary>rmdir(2): a group's files are the kernel's and are not removed one by one.</summary>
    private static bool TryRemove(string path) => Libc.rmdir(path) == 0;

    private static string Of(SafeFileHandle mount) => $"/proc/self/fd/{mount.DangerousGetHandle()}";

    private static string Identity() => NetworkNamespace.Identity().Replace('/', '-');

    /// <summary>The hierarchy, mounted nowhere: `ip netns exec` hides the usual place, and where there is none nothing is left.</summary>
    private static SafeFileHandle Mount()
    {
        fixed (byte* name = "cgroup2\0"u8)
        {
            long context = Libc.syscall(Libc.SYS_fsopen, (nint)name, (nint)Libc.FSOPEN_CLOEXEC, 0, 0, 0);
            if (context < 0)
            {
                throw Libc.Error("fsopen(cgroup2)");
            }

            using var opened = new SafeFileHandle((nint)context, ownsHandle: true);
            if (Libc.syscall(Libc.SYS_fsconfig, (nint)context, (nint)Libc.FSCONFIG_CMD_CREATE, 0, 0, 0) < 0)
            {
                throw Libc.Error("fsconfig(cgroup2)");
            }

            long mount = Libc.syscall(Libc.SYS_fsmount, (nint)context, (nint)Libc.FSMOUNT_CLOEXEC, 0, 0, 0);
            return mount < 0 ? throw Libc.Error("fsmount(cgroup2)") : new SafeFileHandle((nint)mount, ownsHandle: true);
        }
    }

    private static void Attach(string path, uint mark)
    {
        const int MarkOffset = 16; // offsetof(struct bpf_sock, mark)
        ReadOnlySpan<Libc.bpf_insn> program =
        [
            new() { code = 0xb7, registers = 2, imm = (int)mark },                  // r2 = mark
            new() { code = 0x63, registers = 0x21, off = MarkOffset },              // *(u32 *)(r1 + 16) = r2
            new() { code = 0xb7, registers = 0, imm = 1 },                          // r0 = 1: the socket may be made
            new() { code = 0x95 },                                                  // exit
        ];
        fixed (Libc.bpf_insn* instructions = program)
        fixed (byte* licence = "GPL\0"u8)
        {
            var load = new Libc.bpf_attr_load
            {
                prog_type = Libc.BPF_PROG_TYPE_CGROUP_SOCK,
                insn_cnt = (uint)program.Length,
                insns = (ulong)instructions,
                license = (ulong)licence,
            };
            long loaded = Libc.syscall(Libc.SYS_bpf, Libc.BPF_PROG_LOAD, (nint)(&load), sizeof(Libc.bpf_attr_load), 0, 0);
            if (loaded < 0)
            {
                throw Libc.Error("bpf(BPF_PROG_LOAD)");
            }

            using var handle = new SafeFileHandle((nint)loaded, ownsHandle: true);
            int group = Libc.open(path, Libc.O_RDONLY | Libc.O_CLOEXEC);
            if (group < 0)
            {
                throw Libc.Error($"open({path})");
            }

            using var groupHandle = new SafeFileHandle(group, ownsHandle: true);
            var attach = new Libc.bpf_attr_attach { target_fd = (uint)group, attach_bpf_fd = (uint)loaded, attach_type = Libc.BPF_CGROUP_INET_SOCK_CREATE };
            if (Libc.syscall(Libc.SYS_bpf, Libc.BPF_PROG_ATTACH, (nint)(&attach), sizeof(Libc.bpf_attr_attach), 0, 0) < 0)
            {
                throw Libc.Error("bpf(BPF_PROG_ATTACH)");
            }
        }
    }
}
