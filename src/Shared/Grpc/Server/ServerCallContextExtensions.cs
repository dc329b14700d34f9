using Grpc.AspNetCore.Server.Internal;
using Microsoft.AspNetCore.Http;

namespace Grpc.Core;

/// <summary>From a call to its HTTP request.</summary>
public static class ServerCallContextExtensions
{
    /// <exception cref="InvalidOperationException">The context is not one of a call over ASP.NET Core.</exception>
    public static HttpContext GetHttpContext(this ServerCallContext serverCallContext)
    {
        ArgumentNullException.ThrowIfNull(serverCallContext);
        return serverCallContext is ServerCall call
            ? call.Http
            : throw new InvalidOperationException("HttpContext can only be accessed when gRPC services are hosted by ASP.NET Core.");
    }
}
