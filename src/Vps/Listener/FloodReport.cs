using System.Net;
using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Listener;

/// <summary>One line a minute about connections that were turned away unheard, however many they are.</summary>
internal sealed class FloodReport(TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private long _last;
    private int _count;
    private bool _told;

    internal void Count(IPAddress address)
    {
        int count;
        lock (_lock)
        {
            _count++;
            if (_told && time.GetElapsedTime(_last) < Period)
            {
                return;
            }

            (count, _count) = (_count, 0);
            _last = time.GetTimestamp();
            _told = true;
        }

        logger.Flooded(count, address);
    }
}
