using Aggregator.Cli;
using Grpc.Core;

namespace Aggregator.Gateway.Cli;

/// <summary>One call to the daemon of this host, whose failures are the command's.</summary>
internal static class LocalCall
{
    /// <summary>A daemon of this host answers at once or is in trouble.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    internal static async Task<T> RunAsync<T>(Func<CallOptions, Task<T>> call, CancellationToken cancellationToken)
    {
        try
        {
            return await call(new CallOptions(deadline: TimeProvider.System.GetUtcNow().UtcDateTime + Timeout, cancellationToken: cancellationToken));
        }
        catch (RpcException e) when (e.StatusCode is StatusCode.NotFound or StatusCode.InvalidArgument or StatusCode.FailedPrecondition)
        {
            throw new CliException(e.Status.Detail, inner: e);
        }
        catch (RpcException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CliException($"the daemon does not answer ({e.StatusCode}: {e.Status.Detail.ReplaceLineEndings(" ")}); look at its log", inner: e);
        }
    }
}
