using System.Reflection;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>Gets the methods from the generated <c>BindService</c> and maps each to an endpoint.</summary>
internal sealed class ServiceBinder<TService>(IEndpointRouteBuilder builder, GrpcServer server) : ServiceBinderBase
    where TService : class
{
    private readonly ServiceActivator<TService> _activator = new();
    private readonly List<IEndpointConventionBuilder> _endpoints = [];

    public IReadOnlyList<IEndpointConventionBuilder> Endpoints => _endpoints;

    public HashSet<string> ServiceNames { get; } = [];

    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse>? handler)
    {
        (MethodInfo info, var invoke) = Find<Func<TService, TRequest, ServerCallContext, Task<TResponse>>>(
            method, typeof(TRequest), typeof(ServerCallContext));
        Map(method, info, async (service, call) =>
        {
            TRequest request = await call.ReadSingleAsync(method.RequestMarshaller);
            await call.WriteSingleAsync(method.ResponseMarshaller, await invoke(service, request, call));
        });
    }

    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, ClientStreamingServerMethod<TRequest, TResponse>? handler)
    {
        (MethodInfo info, var invoke) = Find<Func<TService, IAsyncStreamReader<TRequest>, ServerCallContext, Task<TResponse>>>(
            method, typeof(IAsyncStreamReader<TRequest>), typeof(ServerCallContext));
        Map(method, info, async (service, call) =>
        {
            IAsyncStreamReader<TRequest> requests = call.RequestStream(method.RequestMarshaller);
            await call.WriteSingleAsync(method.ResponseMarshaller, await invoke(service, requests, call));
        });
    }

    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse>? handler)
    {
        (MethodInfo info, var invoke) = Find<Func<TService, TRequest, IServerStreamWriter<TResponse>, ServerCallContext, Task>>(
            method, typeof(TRequest), typeof(IServerStreamWriter<TResponse>), typeof(ServerCallContext));
        Map(method, info, async (service, call) =>
        {
            TRequest request = await call.ReadSingleAsync(method.RequestMarshaller);
            await invoke(service, request, call.ResponseStream(method.ResponseMarshaller), call);
        });
    }

    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse>? handler)
    {
        (MethodInfo info, var invoke) =
            Find<Func<TService, IAsyncStreamReader<TRequest>, IServerStreamWriter<TResponse>, ServerCallContext, Task>>(
                method, typeof(IAsyncStreamReader<TRequest>), typeof(IServerStreamWriter<TResponse>), typeof(ServerCallContext));
        Map(method, info, (service, call) =>
            invoke(service, call.RequestStream(method.RequestMarshaller), call.ResponseStream(method.ResponseMarshaller), call));
    }

    private static (MethodInfo Info, TDelegate Invoke) Find<TDelegate>(IMethod method, params Type[] parameters)
        where TDelegate : Delegate
    {
        MethodInfo info = typeof(TService).GetMethod(method.Name, BindingFlags.Instance | BindingFlags.Public, parameters)
            ?? throw new InvalidOperationException($"{typeof(TService)} has no method for {method.FullName}.");
        return (info, info.CreateDelegate<TDelegate>());
    }

    private void Map(IMethod method, MethodInfo info, Func<TService, ServerCall, Task> handle)
    {
        ServiceNames.Add(method.ServiceName);
        bool streamsIn = method.Type is MethodType.ClientStreaming or MethodType.DuplexStreaming;
        Task Handle(ServerCall call) => _activator.UseAsync(call.Http.RequestServices, call, handle);

        List<object> metadata =
        [
            .. typeof(TService).GetCustomAttributes(inherit: true),
            .. info.GetCustomAttributes(inherit: true),
            new GrpcMethodMetadata(typeof(TService), method),
            new HttpMethodMetadata(["POST"]),
        ];
        _endpoints.Add(builder.Map(method.FullName, http => ServerCall.RunAsync(http, server, Handle, streamsIn))
            .WithDisplayName($"gRPC - {method.FullName}")
            .WithMetadata([.. metadata]));
    }
}
