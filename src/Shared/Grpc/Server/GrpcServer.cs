using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>What all calls of a host share. <see cref="TimeProvider"/> may be registered; it is the system's otherwise.</summary>
internal sealed class GrpcServer(IOptions<GrpcServiceOptions> options, ILoggerFactory loggers, TimeProvider? time = null)
{
    public GrpcServiceOptions Options => options.Value;

    public TimeProvider Time { get; } = time ?? TimeProvider.System;

    public ILogger Log { get; } = loggers.CreateLogger("Grpc.AspNetCore.Server");

    /// <summary>Whether the answer for unknown services is mapped.</summary>
    public bool UnknownMapped { get; set; }
}
