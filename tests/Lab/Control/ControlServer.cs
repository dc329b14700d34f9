using System.Net.Sockets;
using System.Text.Json;
using Aggregator.Lab.Cli;
using Aggregator.Lab.Topology;

namespace Aggregator.Lab.Control;

/// <summary>
/// Lets other processes see and change a living lab, over a Unix socket beside its record (root only). One request a connection: a line of JSON, at most
/// <see cref="LongestLine"/> characters; one line of JSON comes back.
/// </summary>
internal sealed class ControlServer : IAsyncDisposable
{
    internal const int LongestLine = 64 * 1024;

    private static readonly TimeSpan SlowestClient = TimeSpan.FromSeconds(5);

    private readonly NetworkLab _lab;
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly CancellationTokenSource _end = new();
    private readonly Task _serving;

    internal ControlServer(NetworkLab lab)
    {
        _lab = lab;
        _listener.Bind(new UnixDomainSocketEndPoint(lab.Record.ControlSocket));
        File.SetUnixFileMode(lab.Record.ControlSocket, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _listener.Listen();
        _serving = ServeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _serving;
        _listener.Dispose();
        _end.Dispose();
    }

    private async Task ServeAsync()
    {
        while (true)
        {
            Socket client;
            try
            {
                client = await _listener.AcceptAsync(_end.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            // One after the other: changes to a lab have an order.
            try
            {
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(_end.Token);
                limit.CancelAfter(SlowestClient);
                await using var stream = new NetworkStream(client, ownsSocket: true);
                string? request = await ControlLine.ReadAsync(stream, limit.Token);
                await ControlLine.WriteAsync(stream, await AnswerAsync(request), limit.Token);
            }
            catch (Exception e) when (e is IOException or OperationCanceledException)
            {
                // The client went, or said nothing: its loss alone.
            }
        }
    }

    private async Task<string> AnswerAsync(string? line)
    {
        ControlAnswer answer;
        try
        {
            var request = line is null ? null : JsonSerializer.Deserialize(line, ControlJson.Default.ControlRequest);
            if (request is { Wan: { } name, Changes: { } changes })
            {
                var wan = _lab.Wans[name];
                foreach (string change in changes)
                {
                    await WanText.ApplyAsync(wan, change);
                }
            }

            answer = request is null
                ? new ControlAnswer("the request is not understood", null, null)
                : new ControlAnswer(null, LabDescription.Of(_lab), [.. _lab.Wans.Select(WanState.Of)]);
        }
        catch (Exception e) when (e is JsonException or FormatException or ArgumentException or InvalidOperationException or KeyNotFoundException or IOException)
        {
            answer = new ControlAnswer(e.Message, null, null);
        }

        return JsonSerializer.Serialize(answer, ControlJson.Default.ControlAnswer);
    }
}
