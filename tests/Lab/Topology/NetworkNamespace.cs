using System.Runtime.ExceptionServices;
using Aggregator.Interop;
using Microsoft.Win32.SafeHandles;

namespace Aggregator.Lab.Topology;

/// <summary>Network namespaces as `ip netns` names them: files below /run/netns.</summary>
internal static class NetworkNamespace
{
    internal const string Folder = "/run/netns";

    internal static string PathOf(string name) => Path.Combine(Folder, name);

    /// <summary>
    /// Runs <paramref name="work"/> on a thread of its own in the namespace. Sockets and interfaces made there stay there.
    /// Its exceptions come out as they are.
    /// </summary>
    internal static T Run<T>(string name, Func<T> work)
    {
        T result = default!;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                using var handle = new SafeFileHandle(Libc.open(PathOf(name), Libc.O_RDONLY | Libc.O_CLOEXEC), ownsHandle: true);
                if (handle.IsInvalid)
                {
                    throw Libc.Error($"open namespace {name}");
                }

                if (Libc.setns(handle, Libc.CLONE_NEWNET) < 0)
                {
                    throw Libc.Error($"setns {name}");
                }

                result = work();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        })
        {
            IsBackground = true,
            Name = $"in {name}",
        };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result;
    }

    internal static void Run(string name, Action work) => Run(name, () =>
    {
        work();
        return 0;
    });

    /// <summary>Sets a kernel parameter of the namespace, e.g. `net/ipv4/ip_forward`.</summary>
    internal static void SetSysctls(string name, IReadOnlyList<(string Path, string Value)> sysctls) => Run(name, () =>
    {
        foreach (var (path, value) in sysctls)
        {
            File.WriteAllText("/proc/sys/" + path, value);
        }
    });
}
