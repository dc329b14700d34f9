using System.Net;
using Aggregator.Benchmarks.Load;
using Aggregator.Benchmarks.Networks;
using Aggregator.Lab.Product;

namespace Aggregator.Benchmarks.Contestants;

/// <summary>How the generator reaches its server through a contestant.</summary>
/// <param name="ClientNamespace">Where the client runs.</param>
/// <param name="ServerNamespace">Where the server runs.</param>
/// <param name="Target">What the client connects to, or asks the SOCKS server for.</param>
/// <param name="Socks">Null: without SOCKS.</param>
/// <param name="Mptcp">Client and server themselves speak MPTCP (no relay between them).</param>
internal sealed record LoadPath(string ClientNamespace, string ServerNamespace, IPEndPoint Target, IPEndPoint? Socks = null, bool Mptcp = false);

/// <summary>
/// Something that carries a client's traffic over the WANs to the VPS and on to the server: a rival or ours. It has a part on the
/// gateway and a part on the VPS, whose processes are measured apart.
/// </summary>
internal abstract class Contestant(string name) : IAsyncDisposable
{
    /// <summary>Where the generator's server listens, in every contestant's network.</summary>
    internal const int LoadPort = 5300;

    private readonly List<NamespaceProcess> _gateway = [];
    private readonly List<NamespaceProcess> _vps = [];

    internal string Name { get; } = name;

    internal virtual bool IsOurs => false;

    internal IReadOnlyList<NamespaceProcess> GatewayProcesses => _gateway;

    internal IReadOnlyList<NamespaceProcess> VpsProcesses => _vps;

    /// <summary>Starts both parts; returns when they take connections.</summary>
    internal abstract Task<LoadPath> StartAsync(RelayNetwork network, string directory, CancellationToken cancellationToken);

    /// <summary>Starts the server that the load goes to.</summary>
    internal virtual Task<NamespaceProcess> StartServerAsync(LoadPath path, CancellationToken cancellationToken) =>
        Generator.StartServerAsync(path, cancellationToken);

    /// <summary>Moves bytes one way and says how fast the receiver got them.</summary>
    internal virtual Task<BulkResult> RunBulkAsync(LoadPath path, LoadRequest request, int streams, CancellationToken cancellationToken) =>
        Generator.RunBulkAsync(path, request, streams, cancellationToken);

    public virtual async ValueTask DisposeAsync()
    {
        foreach (NamespaceProcess process in (IEnumerable<NamespaceProcess>)[.. _gateway, .. _vps])
        {
            await process.DisposeAsync();
        }
    }

    protected NamespaceProcess OnGateway(NamespaceProcess process) => Add(_gateway, process);

    protected NamespaceProcess OnVps(NamespaceProcess process) => Add(_vps, process);

    private static NamespaceProcess Add(List<NamespaceProcess> to, NamespaceProcess process)
    {
        to.Add(process);
        return process;
    }
}
