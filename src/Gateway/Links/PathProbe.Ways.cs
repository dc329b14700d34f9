using System.Net.Sockets;
using Aggregator.Gateway.Configuration;
using Aggregator.Settings;

namespace Aggregator.Gateway.Links;

/// <content>The ways of asking: echoes and connections to the VPS, and while it is silent others. They only tell the loop what they heard.</content>
internal sealed partial class PathProbe
{
    private static readonly TimeSpan LeastConnectTime = TimeSpan.FromMilliseconds(400);

    private static readonly TimeSpan OthersPause = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan OthersPatience = TimeSpan.FromSeconds(2);

    private async Task ReceiveAsync(EchoSocket echo, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                _happenings.Writer.TryWrite(new Happening.Echoed(await echo.ReceiveAsync(cancellationToken)));
            }
        }
        catch (SocketException e)
        {
            _happenings.Writer.TryWrite(new Happening.EchoFailed(echo, Reason.Of(e)));
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // Closed.
        }
    }

    private async Task CloseEchoAsync()
    {
        if (_receivingEnd is not null)
        {
            await _receivingEnd.CancelAsync();
            await EndedAsync(_receiving);
            _receivingEnd.Dispose();
            _receivingEnd = null;
        }

        _echo?.Dispose();
        _echo = null;
    }

    private async Task ConnectAsync(int number, TimeSpan after, CancellationToken cancellationToken)
    {
        // Long enough for one answer, short enough that a SYN lost in an outage is not what the return waits for.
        TimeSpan twice = 2 * _tracker.AnswerTime;
        using var limit = new CancellationTokenSource(after + (twice > LeastConnectTime ? twice : LeastConnectTime), _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            // Also so that a failure at once does not come back into the caller.
            await Task.Delay(after, _time, both.Token).ConfigureAwait(ConfigureAwaitOptions.ForceYielding | ConfigureAwaitOptions.ContinueOnCapturedContext);
            if (_answered >= number)
            {
                return;
            }

            using var socket = new Socket(_path.Target.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            WanSocket.Bind(socket, _path.Interface, _path.Source);
            // Gone without a trace: no TIME_WAIT for a probe.
            socket.LingerState = new LingerOption(enable: true, seconds: 0);
            long departure = _time.GetTimestamp();
            try
            {
                await socket.ConnectAsync(_path.Target, both.Token);
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
            {
                // Its host answered.
            }

            _happenings.Writer.TryWrite(new Happening.Connected(number, Since(departure)));
        }
        catch (SocketException e)
        {
            _happenings.Writer.TryWrite(new Happening.ConnectFailed(Reason.Of(e)));
        }
        catch (OperationCanceledException)
        {
            // No answer in time, or the end.
        }
    }

    /// <summary>While the VPS does not answer: does anybody?</summary>
    private void BeginAskingOthers(CancellationToken cancellationToken)
    {
        if (!_tracker.IsDown)
        {
            _others = default;
            return;
        }

        if (_asking.IsCompleted && _time.GetTimestamp() >= _nextOthers)
        {
            _nextOthers = _time.GetTimestamp() + (long)(OthersPause.TotalSeconds * _time.TimestampFrequency);
            _asking = AskOthersAsync(cancellationToken);
        }
    }

    private async Task AskOthersAsync(CancellationToken cancellationToken)
    {
        await Task.Yield();
        foreach (var target in _config.Targets.Where(t => t.Address.AddressFamily == _path.Source.AddressFamily))
        {
            if (await TargetProbe.AskAsync(target, _path.Interface, _path.Source, OthersPatience, _time, cancellationToken) is null)
            {
                _happenings.Writer.TryWrite(new Happening.Others(target.ToString(), null));
                return;
            }
        }

        bool? nextHop = null;
        if (_path.NextHop is { } hop)
        {
            var echo = new ProbeTarget(ProbeKind.Icmp, hop, 0, "");
            nextHop = await TargetProbe.AskAsync(echo, _path.Interface, _path.Source, OthersPatience, _time, cancellationToken) is null;
        }

        _happenings.Writer.TryWrite(new Happening.Others(null, nextHop));
    }
}
