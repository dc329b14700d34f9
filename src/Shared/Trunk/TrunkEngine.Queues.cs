namespace Aggregator.Trunk;

/// <content>Streams with something to send: the small and new ones before bulk.</content>
internal sealed partial class TrunkEngine
{
    /// <summary>What a stream sends before it counts as bulk, and what it gets back a second: pages and commands, not downloads.</summary>
    private const double QuickBytes = 64 * 1024;

    private readonly List<EngineStream> _quick = [];
    private readonly List<EngineStream> _bulk = [];
    private int _nextBulk;
    private int _nextQuick;

    /// <summary>Moves a stream between the small and the large ones as it goes, and out when nothing waits.</summary>
    private void Account(EngineStream stream, long bytes, long nowUs)
    {
        Refill(stream, nowUs);
        bool wasQuick = stream.QuickTokens > 0;
        stream.QuickTokens -= bytes;
        bool isQuick = !IsBulk(stream);
        if (stream.Waiting.IsEmpty)
        {
            Unqueue(stream);
        }
        else if (wasQuick && !isQuick && _quick.Remove(stream))
        {
            _bulk.Add(stream);
        }
    }

    private static void Refill(EngineStream stream, long nowUs)
    {
        stream.QuickTokens = Math.Min(QuickBytes, stream.QuickTokens + (QuickBytes * (nowUs - stream.QuickTokensAtUs) / 1e6));
        stream.QuickTokensAtUs = nowUs;
    }

    private void Enqueue(EngineStream stream, long nowUs)
    {
        if (!stream.IsInSendQueue && !stream.Waiting.IsEmpty)
        {
            Refill(stream, nowUs);
            stream.IsInSendQueue = true;
            (IsBulk(stream) ? _bulk : _quick).Add(stream);
        }
    }

    private static bool IsBulk(EngineStream stream) => stream.QuickTokens <= 0 && stream.FlowClass != FlowClass.Redundant;

    private void Unqueue(EngineStream stream)
    {
        if (stream.IsInSendQueue)
        {
            stream.IsInSendQueue = false;
            _ = _quick.Remove(stream) || _bulk.Remove(stream);
        }
    }
}
