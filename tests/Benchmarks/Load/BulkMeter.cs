using System.Diagnostics;

namespace Aggregator.Benchmarks.Load;

/// <summary>Counts a receiver's bytes, those within the window apart. One thread.</summary>
internal sealed class BulkMeter(TimeSpan warmUp, TimeSpan window)
{
    private long _first;
    private long _windowStart;

    internal long TotalBytes { get; private set; }

    internal long WindowBytes { get; private set; }

    internal TimeSpan WindowTime { get; private set; }

    internal bool IsOver { get; private set; }

    internal void Add(int bytes)
    {
        long now = Stopwatch.GetTimestamp();
        if (_first == 0)
        {
            _first = now;
        }

        TotalBytes += bytes;
        if (_windowStart == 0)
        {
            // The bytes that end the warm-up are its own.
            _windowStart = Stopwatch.GetElapsedTime(_first, now) >= warmUp ? now : 0;
            return;
        }

        if (!IsOver)
        {
            WindowBytes += bytes;
            WindowTime = Stopwatch.GetElapsedTime(_windowStart, now);
            IsOver = WindowTime >= window;
        }
    }
}
