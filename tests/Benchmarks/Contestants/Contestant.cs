using System.Net;
using Aggregator.Benchmarks.Load;
using Aggregator.Lab.Topology;

namespace Aggregator.Benchmarks.Contestants;

/// <summary>How the generator reaches its server through a contestant.</summary>
/// <param name="Client">Where the client runs.</param>
/// <param name="Server">Where the server runs.</param>
/// <param name="Target">What the client connects to, or asks the SOCKS server for.</param>
/// <param name="Socks">Null: without SOCKS.</param>
/// <param name="Mptcp">Client and server themselves speak MPTCP (no relay between them).</param>
internal sealed record LoadPath(LabHost Client, LabHost Server, IPEndPoint Target, IPEndPoint? Socks = null, bool Mptcp = false);

/// <summary>
/// Something that carries a client's traffic over the WANs to the VPS and on to the server: a rival or ours. It has a part on the
/// gateway and a part on the VPS, whose processes are measured apart.
/// </summary>
internal abstract class Contestant(string name) : IAsyncDisposable
{
    /// <summary>Where the generator's server listens, in every contestant's network.</summary>
    internal const int LoadPort = 5300;

    private readonly List<LabProcess> _gateway = [];
    private readonly List<LabProcess> _vps = [];

    internal string Name { get; } = name;

    internal virtual bool IsOurs => false;

    internal IReadOnlyList<LabProcess> GatewayProcesses => _gateway;

    internal IReadOnlyList<LabProcess> VpsProcesses => _vps;

    /// <summary>Starts both parts; returns when they take connections.</summary>
    internal abstract Task<LoadPath> StartAsync(NetworkLab lab, string directory);

    /// <summary>Starts the server that the load goes to.</summary>
    internal virtual Task StartServerAsync(LoadPath path) => Generator.StartServerAsync(path);

    /// <summary>Moves bytes one way and says how fast the receiver got them.</summary>
    internal virtual Task<BulkResult> RunBulkAsync(LoadPath path, LoadRequest request, int streams, CancellationToken cancellationToken) =>
        Generator.RunBulkAsync(path, request, streams, cancellationToken);

    /// <summary>Programs end with their lab at the latest; this is for those that shall end in good order.</summary>
    public virtual ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    protected LabProcess OnGateway(LabProcess process) => Add(_gateway, process);

    protected LabProcess OnVps(LabProcess process) => Add(_vps, process);

    private static LabProcess Add(List<LabProcess> to, LabProcess process)
    {
        to.Add(process);
        return process;
    }
}
