using System.Net.Sockets;
using System.Text.Json;
using Aggregator.Lab.Ownership;

namespace Aggregator.Lab.Control;

/// <summary>Speaks to the owner of a lab.</summary>
internal static class ControlClient
{
    private static readonly TimeSpan LongestAnswer = TimeSpan.FromSeconds(15);

    /// <param name="id">The lab's id or the beginning of it; empty when there is only one.</param>
    /// <exception cref="IOException">There is no such lab, its owner does not answer, or it refuses; the message tells which.</exception>
    internal static async Task<ControlAnswer> AskAsync(string id, ControlRequest request)
    {
        var record = Find(id);
        using var limit = new CancellationTokenSource(LongestAnswer);
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(record.ControlSocket), limit.Token);
            await using var stream = new NetworkStream(socket);
            await ControlLine.WriteAsync(stream, JsonSerializer.Serialize(request, ControlJson.Default.ControlRequest), limit.Token);
            string line = await ControlLine.ReadAsync(stream, limit.Token) ?? throw new IOException($"lab {record.Id}: its owner hung up");
            var answer = JsonSerializer.Deserialize(line, ControlJson.Default.ControlAnswer)!;
            return answer.Error is null ? answer : throw new IOException(answer.Error);
        }
        catch (SocketException e)
        {
            throw new IOException($"lab {record.Id}: its owner (process {record.Owner.Id}) has no control socket: {e.Message}");
        }
        catch (OperationCanceledException)
        {
            throw new IOException($"lab {record.Id}: its owner (process {record.Owner.Id}) does not answer");
        }
    }

    private static LabRecord Find(string id)
    {
        var found = LabRecord.All().Where(r => r.Owner.IsAlive && r.Id.StartsWith(id, StringComparison.Ordinal)).ToList();
        return found.Count == 1
            ? found[0]
            : throw new IOException(found.Count == 0 ? $"there is no lab '{id}': see `netlab list`" : $"'{id}' fits several labs: see `netlab list`");
    }
}
