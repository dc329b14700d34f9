using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Text.Json;
using Aggregator.Interop;
using Aggregator.Processes;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace Aggregator.Network.Tests.Netlink;

/// <summary>An own network namespace with a unique name, gone after <see cref="DisposeAsync"/>. Its loopback is up.</summary>
internal sealed partial class TestNamespace : IAsyncDisposable
{
    private const int NewNetwork = 0x40000000;

    internal string Name { get; } = $"agg-sys-{Environment.ProcessId:x}-{Guid.NewGuid().ToString("N")[..6]}";

    internal static async Task<TestNamespace> CreateAsync()
    {
        Skip.IfNot(Environment.IsPrivilegedProcess, "needs root for network namespaces");
        var made = new TestNamespace();
        await RunToolAsync("ip", ["netns", "add", made.Name]);
        await made.IpAsync("link set lo up");
        return made;
    }

    /// <summary>A veth pair between two namespaces, both ends up, with addresses that need no duplicate detection.</summary>
    internal async Task ConnectAsync(TestNamespace other, string device, string[] own, string[] others)
    {
        await IpAsync($"link add {device} type veth peer name {device} netns {other.Name}");
        foreach ((TestNamespace at, string[] addresses) in new[] { (this, own), (other, others) })
        {
            foreach (string address in addresses)
            {
                await at.IpAsync($"address add {address} dev {device}{(address.Contains(':') ? " nodad" : "")}");
            }
        }

        await IpAsync($"link set {device} up");
        await other.IpAsync($"link set {device} up");
    }

    internal Task<string> IpAsync(string arguments)
        => RunToolAsync("ip", ["-n", Name, .. arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);

    /// <summary>What `ip -j` prints, read.</summary>
    internal async Task<JsonElement[]> IpJsonAsync(string arguments)
    {
        string text = await IpAsync("-j -N -d " + arguments);
        using JsonDocument document = JsonDocument.Parse(text.Trim().Length == 0 ? "[]" : text);
        return [.. document.RootElement.EnumerateArray().Select(e => e.Clone()).Where(e => e.EnumerateObject().Any())];
    }

    /// <summary>Runs on a thread of the namespace; sockets that are made there stay there.</summary>
    internal T Run<T>(Func<T> work)
    {
        T result = default!;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                using SafeFileHandle handle = File.OpenHandle("/run/netns/" + Name);
                result = EnterNamespace(handle, NewNetwork) == 0 ? work() : throw Libc.Error("setns");
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        });
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result;
    }

    internal void SetSysctl(string name, string value)
        => Run(() =>
        {
            File.WriteAllText("/proc/sys/" + name.Replace('.', '/'), value);
            return 0;
        });

    public async ValueTask DisposeAsync() => await Tool.RunAsync("ip", ["netns", "delete", Name]);

    private static async Task<string> RunToolAsync(string program, IReadOnlyList<string> arguments)
    {
        ToolResult result = await Tool.RunAsync(program, arguments);
        return result.ExitCode == 0 ? result.Output : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {result.Error}");
    }

    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    private static partial int EnterNamespace(SafeFileHandle handle, int kind);
}
