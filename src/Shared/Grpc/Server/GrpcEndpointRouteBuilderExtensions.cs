using System.Reflection;
using Grpc.AspNetCore.Server.Internal;
using Grpc.Core;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Maps services to their paths.</summary>
public static class GrpcEndpointRouteBuilderExtensions
{
    /// <summary>
    /// Maps every method of the service that <typeparamref name="TService"/> implements. An instance is made for each
    /// call: from the container where it is registered, otherwise with its constructor's services.
    /// </summary>
    public static GrpcServiceEndpointConventionBuilder MapGrpcService<TService>(this IEndpointRouteBuilder builder)
        where TService : class
    {
        ArgumentNullException.ThrowIfNull(builder);
        GrpcServer server = builder.ServiceProvider.GetService<GrpcServer>()
            ?? throw new InvalidOperationException("Unable to find the required services: call AddGrpc on the service collection first.");

        var binder = new ServiceBinder<TService>(builder, server);
        Bind(typeof(TService), binder);
        foreach (string service in binder.ServiceNames)
        {
            MapUnimplemented(builder, server, $"/{service}/{{unimplementedMethod}}", "Method is unimplemented.");
        }

        if (!server.UnknownMapped && server.Options.IgnoreUnknownServices != true)
        {
            server.UnknownMapped = true;
            MapUnimplemented(builder, server, "/{unimplementedService}/{unimplementedMethod}", "Service is unimplemented.");
        }

        return new GrpcServiceEndpointConventionBuilder(binder.Endpoints);
    }

    private static void Bind(Type service, ServiceBinderBase binder)
    {
        for (Type? type = service; type is not null; type = type.BaseType)
        {
            if (type.GetCustomAttribute<BindServiceMethodAttribute>(inherit: false) is { } attribute)
            {
                MethodInfo bind = attribute.BindType.GetMethod(
                    attribute.BindMethodName,
                    BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic,
                    [typeof(ServiceBinderBase), type])
                    ?? throw new InvalidOperationException($"{attribute.BindType} has no {attribute.BindMethodName}.");
                bind.Invoke(null, [binder, null]);
                return;
            }
        }

        throw new InvalidOperationException($"{service} does not derive from the generated base class of a gRPC service.");
    }

    /// <summary>Takes what nothing else matches, and only gRPC: other requests stay with the application.</summary>
    private static void MapUnimplemented(IEndpointRouteBuilder builder, GrpcServer server, string path, string detail)
    {
        RoutePattern pattern = RoutePatternFactory.Parse(
            path, defaults: null, parameterPolicies: new { unimplementedMethod = new GrpcOnlyConstraint() });
        builder.Map(pattern, http => Unimplemented.AnswerAsync(http, server, detail))
            .WithDisplayName($"gRPC - {detail}")
            .WithMetadata(new HttpMethodMetadata(["POST"]))
            .Add(endpoint => ((RouteEndpointBuilder)endpoint).Order = int.MaxValue);
    }
}
