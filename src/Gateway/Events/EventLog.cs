using System.Text.Json;
using System.Text.Json.Serialization;
using System.Threading.Channels;
using Aggregator.Settings;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Events;

/// <summary>
/// The latest <see cref="Capacity"/> events, in memory and in the state directory, and a stream of them. Thread-safe; adding never waits for
/// the disk or for a reader.
/// </summary>
internal sealed class EventLog : IAsyncDisposable
{
    internal const int Capacity = 1000;

    /// <summary>Longer ones are cut: a reason may come from a portal's answer or a program's output.</summary>
    internal const int MaxReasonLength = 300;

    private const string FileName = "events.jsonl";

    /// <summary>At most that many lines beyond <see cref="Capacity"/> stand in the file before it is written anew.</summary>
    private const int Slack = 1000;

    /// <summary>A line as we write it is far shorter; what is longer is damage.</summary>
    private const int MaxFileBytes = (Capacity + Slack) * 1024;

    private readonly Lock _lock = new();
    private readonly Queue<EventRecord> _kept = new();
    private readonly List<Channel<EventRecord>> _readers = [];
    private readonly Channel<EventRecord> _toDisk = Channel.CreateBounded<EventRecord>(new BoundedChannelOptions(Capacity) { FullMode = BoundedChannelFullMode.DropOldest });
    private readonly string _path;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Task _writing;
    private long _number;
    private int _lines;

    internal EventLog(string stateDirectory, TimeProvider time, ILogger logger)
    {
        _path = Path.Combine(stateDirectory, FileName);
        _time = time;
        _logger = logger;
        Load();
        _writing = Task.Run(WriteAsync);
    }

    internal void Add(string action, string? link = null, string? interfaceName = null, string? reason = null)
    {
        lock (_lock)
        {
            var record = new EventRecord(++_number, _time.GetUtcNow(), action, link, interfaceName, reason is { Length: > MaxReasonLength } ? reason[..MaxReasonLength] + "…" : reason);
            _kept.Enqueue(record);
            if (_kept.Count > Capacity)
            {
                _kept.Dequeue();
            }

            _toDisk.Writer.TryWrite(record);
            foreach (var reader in _readers)
            {
                reader.Writer.TryWrite(record);
            }
        }
    }

    /// <summary>Oldest first.</summary>
    internal EventRecord[] Latest(int atMost = Capacity)
    {
        lock (_lock)
        {
            return [.. _kept.TakeLast(atMost)];
        }
    }

    /// <summary>Those after <paramref name="after"/> that are kept, then each as it happens. A reader that falls behind by more than <see cref="Capacity"/> misses the oldest.</summary>
    internal async IAsyncEnumerable<EventRecord> FollowAsync(
        long after, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var channel = Channel.CreateBounded<EventRecord>(new BoundedChannelOptions(Capacity) { FullMode = BoundedChannelFullMode.DropOldest });
        lock (_lock)
        {
            foreach (var record in _kept.Where(r => r.Number > after))
            {
                channel.Writer.TryWrite(record);
            }

            _readers.Add(channel);
        }

        try
        {
            await foreach (var record in channel.Reader.ReadAllAsync(cancellationToken))
            {
                yield return record;
            }
        }
        finally
        {
            lock (_lock)
            {
                _readers.Remove(channel);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        _toDisk.Writer.TryComplete();
        await _writing;
    }

    private void Load()
    {
        try
        {
            if (!File.Exists(_path))
            {
                return;
            }

            if (new FileInfo(_path).Length > MaxFileBytes)
            {
                throw new JsonException("larger than such a file can be");
            }

            foreach (string line in File.ReadLines(_path))
            {
                _lines++;
                // A power cut may have left half a line.
                if (TryRead(line) is { } record && record.Number > _number)
                {
                    _number = record.Number;
                    _kept.Enqueue(record);
                    if (_kept.Count > Capacity)
                    {
                        _kept.Dequeue();
                    }
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            _logger.LogUnreadable(_path, e.Message);
            // Written anew with the first event.
            _lines = Capacity + Slack;
        }
    }

    private static EventRecord? TryRead(string line)
    {
        try
        {
            return JsonSerializer.Deserialize(line, EventJson.Default.EventRecord) is { Number: > 0, Action.Length: > 0 } record ? record : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private async Task WriteAsync()
    {
        bool failed = false;
        while (await _toDisk.Reader.WaitToReadAsync())
        {
            var lines = new List<byte>();
            while (_toDisk.Reader.TryRead(out var record))
            {
                lines.AddRange(Line(record));
                _lines++;
            }

            try
            {
                StateDirectory.Ensure(Path.GetDirectoryName(_path)!);
                if (_lines > Capacity + Slack)
                {
                    AtomicFile.Write(_path, Latest().SelectMany(Line).ToArray());
                    _lines = Capacity;
                }
                else
                {
                    using var file = new FileStream(_path, new FileStreamOptions { Mode = FileMode.Append, Access = FileAccess.Write, UnixCreateMode = AtomicFile.OwnerOnly });
                    file.Write([.. lines]);
                }

                failed = false;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Told once; the events are in memory all the same.
                if (!failed)
                {
                    _logger.LogNotWritten(_path, e.Message);
                }

                failed = true;
            }
        }
    }

    private static byte[] Line(EventRecord record) => [.. JsonSerializer.SerializeToUtf8Bytes(record, EventJson.Default.EventRecord), (byte)'\n'];
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(EventRecord))]
internal sealed partial class EventJson : JsonSerializerContext;
