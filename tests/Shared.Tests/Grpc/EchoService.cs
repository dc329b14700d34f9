using System.Collections.Concurrent;
using System.Globalization;
using Grpc.Core;

namespace Aggregator.Shared.Tests.Rpc;

/// <summary>What happened on the server, for tests to wait for.</summary>
internal sealed class EchoEvents
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource<string>> _events = [];

    public void Set(string name, string value = "") => Source(name).TrySetResult(value);

    public Task<string> Of(string name) => Source(name).Task.WaitAsync(TimeSpan.FromSeconds(20));

    private TaskCompletionSource<string> Source(string name) =>
        _events.GetOrAdd(name, _ => new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously));
}

/// <summary>Implements echo.proto. One object a call; <see cref="Made"/> counts them.</summary>
internal sealed class EchoService(EchoEvents events) : Echo.EchoBase
{
    private static int _made;

    private readonly int _number = Interlocked.Increment(ref _made);

    public override async Task<EchoMessage> Unary(EchoMessage request, ServerCallContext context)
    {
        switch (request.Order)
        {
            case "fail":
                throw new RpcException(
                    new Status((StatusCode)request.Number, request.Text),
                    new Metadata { { "why", "asked" }, { "raw-bin", [0, 1, 2, 255] } });
            case "crash":
                throw new InvalidOperationException("secret of the inside");
            case "status":
                context.Status = new Status((StatusCode)request.Number, request.Text);
                return new EchoMessage();
            case "wait":
                await WaitAsync(context);
                throw new InvalidOperationException("not reached");
            case "stubborn":
                events.Set("started");
                await events.Of("release");
                return new EchoMessage { Text = "late" };
            case "large":
                return new EchoMessage { Data = Google.Protobuf.ByteString.CopyFrom(new byte[request.Number]) };
            case "headers":
                await context.WriteResponseHeadersAsync(new Metadata { { "answer", "42" }, { "bytes-bin", [9, 0, 9] } });
                context.ResponseTrailers.Add("after", "all");
                context.ResponseTrailers.Add("bytes-bin", [7, 0, 7]);
                return new EchoMessage { Text = request.Text };
            case "context":
                return new EchoMessage { Text = Describe(context), Number = _number };
            default:
                return request;
        }
    }

    public override async Task<EchoMessage> Join(IAsyncStreamReader<EchoMessage> requestStream, ServerCallContext context)
    {
        var texts = new List<string>();
        await foreach (EchoMessage message in requestStream.ReadAllAsync())
        {
            if (message.Order == "fail")
            {
                throw new RpcException(new Status(StatusCode.FailedPrecondition, "stop it"));
            }

            if (message.Order == "enough")
            {
                break;
            }

            texts.Add(message.Text);
        }

        return new EchoMessage { Text = string.Join(',', texts), Number = texts.Count };
    }

    public override async Task Repeat(EchoMessage request, IServerStreamWriter<EchoMessage> responseStream, ServerCallContext context)
    {
        int sent = 0;
        context.GetHttpContext().Response.OnCompleted(() =>
        {
            events.Set("response over");
            return Task.CompletedTask;
        });
        try
        {
            for (; sent < request.Number; sent++)
            {
                await responseStream.WriteAsync(new EchoMessage { Text = request.Text, Data = request.Data, Number = sent });
                events.Set($"sent {sent + 1}");
            }

            if (request.Order == "wait")
            {
                await WaitAsync(context);
            }
        }
        finally
        {
            events.Set("repeat ended", sent.ToString(CultureInfo.InvariantCulture));
        }

        context.ResponseTrailers.Add("count", sent.ToString(CultureInfo.InvariantCulture));
    }

    public override async Task Chat(
        IAsyncStreamReader<EchoMessage> requestStream, IServerStreamWriter<EchoMessage> responseStream, ServerCallContext context)
    {
        using CancellationTokenRegistration registration = context.CancellationToken.Register(() => events.Set("cancelled"));
        try
        {
            while (await requestStream.MoveNext())
            {
                EchoMessage message = requestStream.Current;
                if (message.Order == "end")
                {
                    return;
                }

                if (message.Order == "fail")
                {
                    throw new RpcException(new Status(StatusCode.Aborted, "as asked"));
                }

                await responseStream.WriteAsync(message);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or InvalidOperationException)
        {
            // The reading may hear of it before the token does, and with it this call and its registration end.
            events.Set("cancelled");
            throw;
        }

        // Half-closed: the client ends its stream, and still gets something.
        await responseStream.WriteAsync(new EchoMessage { Text = "bye" });
    }

    private async Task WaitAsync(ServerCallContext context)
    {
        events.Set("started", context.Deadline.ToString("O"));
        try
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, context.CancellationToken);
        }
        finally
        {
            events.Set("cancelled");
        }
    }

    private static string Describe(ServerCallContext context)
    {
        var lines = new List<string>
        {
            $"method={context.Method}",
            $"host={context.Host}",
            $"peer={context.Peer}",
            $"http={context.GetHttpContext().Request.Protocol}",
            $"deadline={context.Deadline:O}",
            $"authenticated={context.AuthContext.IsPeerAuthenticated}",
        };
        context.UserState["seen"] = true;
        lines.Add($"state={context.UserState["seen"]}");
        foreach (Metadata.Entry entry in context.RequestHeaders.Where(entry => entry.Key.StartsWith("x-", StringComparison.Ordinal)))
        {
            lines.Add($"{entry.Key}={(entry.IsBinary ? Convert.ToHexString(entry.ValueBytes) : entry.Value)}");
        }

        return string.Join('\n', lines);
    }
}
