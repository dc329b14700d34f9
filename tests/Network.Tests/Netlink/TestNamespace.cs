using System.Text.Json;
using Aggregator.Lab.Topology;
using Aggregator.Processes;
using Xunit;

namespace Aggregator.Network.Tests.Netlink;

/// <summary>An own network namespace with a unique name, gone after <see cref="DisposeAsync"/>. Its loopback is up.</summary>
internal sealed class TestNamespace : IAsyncDisposable
{
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
    internal T Run<T>(Func<T> work) => NetworkNamespace.Run(Name, work);

    internal void SetSysctl(string name, string value) => NetworkNamespace.SetSysctls(Name, [(name.Replace('.', '/'), value)]);

    public async ValueTask DisposeAsync() => await Tool.RunAsync("ip", ["netns", "delete", Name]);

    private static async Task<string> RunToolAsync(string program, IReadOnlyList<string> arguments)
    {
        ToolResult result = await Tool.RunAsync(program, arguments);
        return result.ExitCode == 0 ? result.Output : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {result.Error}");
    }
}
