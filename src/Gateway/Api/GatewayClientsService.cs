using Aggregator.Gateway.Clients;
using Aggregator.Protocol.V1;
using Aggregator.Settings;
using Grpc.Core;
using GrpcStatus = Grpc.Core.Status;

namespace Aggregator.Gateway.Api;

/// <summary>Roaming clients, for the command line.</summary>
internal sealed class GatewayClientsService(ClientDesk desk) : GatewayClients.GatewayClientsBase
{
    public override Task<AddClientReply> AddClient(AddClientRequest request, ServerCallContext context) => TryAsync(async server =>
    {
        var (reply, problem) = await server.AddAsync(request.Name, request.HasEndpoint ? request.Endpoint : null, context.CancellationToken);
        return reply ?? throw new RpcException(new GrpcStatus(StatusCode.InvalidArgument, problem!));
    });

    public override Task<ListClientsReply> ListClients(ListClientsRequest request, ServerCallContext context) =>
        TryAsync(server => server.ListAsync(context.CancellationToken));

    public override Task<RemoveClientReply> RemoveClient(RemoveClientRequest request, ServerCallContext context) => TryAsync(async server =>
        await server.RemoveAsync(request.Name, context.CancellationToken)
            ? new RemoveClientReply()
            : throw new RpcException(new GrpcStatus(StatusCode.NotFound, $"there is no client {request.Name}; `client list` shows those there are")));

    private async Task<T> TryAsync<T>(Func<ClientServer, Task<T>> call)
    {
        if (desk.Server is not { } server)
        {
            throw new RpcException(new GrpcStatus(
                StatusCode.FailedPrecondition, desk.Problem ?? "roaming clients are off: add `clients: {listen: 51820}` to the configuration and restart the daemon"));
        }

        try
        {
            return await call(server);
        }
        catch (StateException e)
        {
            throw new RpcException(new GrpcStatus(StatusCode.FailedPrecondition, e.Message));
        }
        catch (IOException e)
        {
            // It is kept, and told to the interface when that is made again.
            throw new RpcException(new GrpcStatus(StatusCode.FailedPrecondition, $"kept, but the interface could not be told: {e.Message}"));
        }
    }
}
