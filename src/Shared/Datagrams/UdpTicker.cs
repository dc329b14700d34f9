namespace Aggregator.Datagrams;

/// <summary>Calls <see cref="UdpLanes.Tick"/>: a hundred times a second while packets move, four times otherwise.</summary>
internal sealed class UdpTicker : IAsyncDisposable
{
    private readonly UdpLanes _lanes;
    private readonly PeriodicTimer _timer;
    private readonly Task _loop;

    /// <param name="tick">Called each time beside it; false ends it.</param>
    internal UdpTicker(UdpLanes lanes, TimeProvider time, Func<bool> tick)
    {
        _lanes = lanes;
        _timer = new PeriodicTimer(UdpLanes.IdlePeriod, time);
        _lanes.Activated += Quicken;
        _loop = RunAsync(tick);
    }

    public async ValueTask DisposeAsync()
    {
        _lanes.Activated -= Quicken;
        _timer.Dispose();
        await _loop;
    }

    private void Quicken()
    {
        try
        {
            _timer.Period = UdpLanes.ActivePeriod;
        }
        catch (ObjectDisposedException)
        {
            // A packet came in the moment of the end.
        }
    }

    private async Task RunAsync(Func<bool> tick)
    {
        while (await _timer.WaitForNextTickAsync())
        {
            if (!tick())
            {
                return;
            }

            _lanes.Tick();
            if (_timer.Period != UdpLanes.IdlePeriod && !_lanes.IsActive)
            {
                _timer.Period = UdpLanes.IdlePeriod;
            }
        }
    }
}
