using System.Net;

namespace Aggregator.Gateway.Ingress;

/// <summary>A listener that turns clients' connections into flows. Disposing it ends accepting and requests half made; flows under way go on.</summary>
internal interface IIngress : IAsyncDisposable
{
    /// <summary>As in metrics and logs: `socks`, `http`, `transparent`.</summary>
    string Name { get; }

    /// <summary>Where it listens, with the actual port; null before a start that succeeded.</summary>
    IPEndPoint? LocalEndPoint { get; }

    /// <summary>Binds and begins to accept. Once only.</summary>
    ValueTask<StartResult> StartAsync(CancellationToken cancellationToken);
}

/// <param name="Error">One line for the user, saying what is wrong and what to do; null when it listens.</param>
internal readonly record struct StartResult(string? Error)
{
    internal bool Succeeded => Error is null;
}
