using System.Globalization;
using Aggregator.Gateway.Events;
using Aggregator.Protocol.V1;
using Grpc.Core;
using Microsoft.Extensions.Hosting;
using GrpcStatus = Grpc.Core.Status;

namespace Aggregator.Gateway.Api;

/// <summary>The event log, as a list and as a stream.</summary>
internal sealed class GatewayEventsService(EventLog log, IHostApplicationLifetime lifetime) : GatewayEvents.GatewayEventsBase
{
    public override Task<ListEventsReply> ListEvents(ListEventsRequest request, ServerCallContext context)
    {
        var reply = new ListEventsReply();
        int atMost = request.Limit == 0 ? EventLog.Capacity : (int)Math.Min(request.Limit, EventLog.Capacity);
        reply.Events.AddRange(log.Latest(atMost).Select(Of));
        return Task.FromResult(reply);
    }

    public override async Task WatchEvents(WatchEventsRequest request, IServerStreamWriter<GatewayEvent> responseStream, ServerCallContext context)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        try
        {
            await foreach (var record in log.FollowAsync((long)Math.Min(request.After, long.MaxValue), ending.Token))
            {
                await responseStream.WriteAsync(Of(record), ending.Token);
            }
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            throw new RpcException(new GrpcStatus(StatusCode.Unavailable, "the daemon is ending"));
        }
    }

    private static GatewayEvent Of(EventRecord record)
    {
        var message = new GatewayEvent
        {
            Number = (ulong)record.Number,
            Time = record.Time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture),
            Action = record.Action,
        };
        if (record.Link is { } link)
        {
            message.Link = link;
        }

        if (record.Interface is { } name)
        {
            message.Interface = name;
        }

        if (record.Reason is { } reason)
        {
            message.Reason = reason;
        }

        return message;
    }
}
