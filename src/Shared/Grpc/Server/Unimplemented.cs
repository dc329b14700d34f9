using Grpc.Core;
using Grpc.Wire;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>Matches requests whose content type is gRPC's.</summary>
internal sealed class GrpcOnlyConstraint : IRouteConstraint
{
    public bool Match(HttpContext? httpContext, IRouter? route, string routeKey, RouteValueDictionary values, RouteDirection routeDirection) =>
        httpContext is not null && GrpcProtocol.IsGrpc(httpContext.Request.ContentType);
}

/// <summary>The answer for methods that are not there.</summary>
internal static class Unimplemented
{
    public static Task AnswerAsync(HttpContext http, GrpcServer server, string detail) =>
        ServerCall.RunAsync(http, server, _ => throw new RpcException(new Status(StatusCode.Unimplemented, detail)));
}
