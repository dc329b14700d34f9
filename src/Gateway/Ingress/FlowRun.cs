using System.Net;
using Aggregator.Flows;
using Aggregator.Gateway.Carriers;
using Aggregator.Relay;

namespace Aggregator.Gateway.Ingress;

/// <summary>A flow from a client's complete request to its end: open → answer → relay.</summary>
internal static class FlowRun
{
    /// <summary>For clients that wait for an answer (SOCKS, HTTP).</summary>
    /// <param name="ahead">What the client sent behind its request; given back as soon as it is on its way.</param>
    /// <param name="answer">Tells the client how it went. May throw IOException: the client is gone.</param>
    internal static async Task RunAnsweredAsync(
        IngressContext context, string ingress, IByteStream client, EndPoint? remote, FlowTarget target, HandshakeBuffer ahead,
        Func<OpenReply, ValueTask> answer)
    {
        using FlowRegistry.Flow flow = context.Flows.Begin(ingress);
        CarriedFlow? carried = await OpenAsync(context, flow, client, remote, target, ahead.Unread);
        ahead.Dispose();
        if (carried is null)
        {
            return;
        }
        IByteStream? upstream = carried.Stream;
        try
        {
            OpenReply reply;
            using (flow.Ending.UnsafeRegister(static state => Abort(((IByteStream, IByteStream?))state!), (client, upstream)))
            {
                reply = await carried.Opened;
                flow.Answered(reply.Result);
                await answer(reply);
            }
            if (reply.Result != OpenResult.Opened || upstream is null)
            {
                context.Logger.NotOpened(ingress, target.ToString(), remote, reply.Result.ToString());
                // What is left is the client's reading of our answer: no flow any more.
                flow.Dispose();
                await OrderlyClose.EndAsync(client, context.Time, flow.Ending);
                return;
            }
            await RelayAsync(context, flow, client, upstream);
        }
        catch (IOException e)
        {
            context.Logger.ClientGone(ingress, remote, e.Message);
            upstream?.Abort();
        }
        finally
        {
            if (upstream is not null)
            {
                await upstream.DisposeAsync();
            }
        }
    }

    /// <summary>
    /// For clients that believe to be connected already (transparent): their bytes go up at once, and an open that fails shows as a reset.
    /// </summary>
    internal static async Task RunConnectedAsync(
        IngressContext context, string ingress, IByteStream client, EndPoint? remote, FlowTarget target, HandshakeBuffer ahead)
    {
        using FlowRegistry.Flow flow = context.Flows.Begin(ingress);
        CarriedFlow? carried = await OpenAsync(context, flow, client, remote, target, ahead.Unread);
        ahead.Dispose();
        if (carried?.Stream is not { } upstream)
        {
            if (carried is not null)
            {
                await NoteAnswerAsync(context, flow, ingress, remote, target, carried.Opened);
            }
            client.Abort();
            return;
        }
        await using var gated = new OpeningStream(upstream, carried.Opened);
        // The relay may end before the answer comes; the upstream is aborted then, which ends the waiting for it.
        await Task.WhenAll(
            NoteAnswerAsync(context, flow, ingress, remote, target, carried.Opened),
            RelayAsync(context, flow, client, gated));
    }

    private static async Task NoteAnswerAsync(
        IngressContext context, FlowRegistry.Flow flow, string ingress, EndPoint? remote, FlowTarget target, Task<OpenReply> opened)
    {
        OpenResult result = (await opened).Result;
        flow.Answered(result);
        if (result != OpenResult.Opened)
        {
            context.Logger.NotOpened(ingress, target.ToString(), remote, result.ToString());
        }
    }

    /// <summary>Null: all flows are being ended.</summary>
    private static async ValueTask<CarriedFlow?> OpenAsync(
        IngressContext context, FlowRegistry.Flow flow, IByteStream client, EndPoint? remote, FlowTarget target, ReadOnlyMemory<byte> firstBytes)
    {
        if (context.Budget.RefusesFlows)
        {
            return new CarriedFlow(null, Task.FromResult(new OpenReply(OpenResult.Busy, null)));
        }
        try
        {
            CarriedFlow carried = await context.Carrier.OpenAsync(context.OriginOf(flow.Ingress, remote, target), target, firstBytes, flow.Ending);
            if (carried.Encrypted && client is SocketByteStream { Socket: var socket })
            {
                InlineCompletions.Prefer(socket);
            }
            return carried;
        }
        catch (OperationCanceledException) when (flow.Ending.IsCancellationRequested)
        {
            flow.Answered(OpenResult.Failed);
            return null;
        }
    }

    private static Task<RelayResult> RelayAsync(IngressContext context, FlowRegistry.Flow flow, IByteStream client, IByteStream upstream) =>
        StreamRelay.RunAsync(
            client, upstream, context.Budget, context.Flows.BytesUp, context.Flows.BytesDown, flow.Ending);

    private static void Abort((IByteStream Client, IByteStream? Upstream) both)
    {
        both.Client.Abort();
        both.Upstream?.Abort();
    }
}
