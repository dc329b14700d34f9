using System.Diagnostics;
using Aggregator.Cli;
using Aggregator.Lab.Product;
using Aggregator.Protocol.V1;

namespace Aggregator.Network.Tests.Speed;

/// <summary>A test run through the daemon's socket, with what it was doing when.</summary>
internal sealed class PhaseLog
{
    private readonly List<(long At, string What)> _begun = [];

    /// <summary>Over the last fifth of a second, as they were told meanwhile, by what was being done.</summary>
    private readonly Dictionary<string, List<double>> _rates = [];


    internal async Task<SpeedResult> RunAsync(AggregatorUnderTest product, SpeedRequest request)
    {
        using LocalClient local = await LocalClient.ConnectAsync(product.GatewayApi, "run", CancellationToken.None);
        using var call = new GatewaySpeed.GatewaySpeedClient(local.Channel).Run(request);
        while (await call.ResponseStream.MoveNext(CancellationToken.None))
        {
            if (call.ResponseStream.Current.Result is { } result)
            {
                return result;
            }

            SpeedProgress step = call.ResponseStream.Current.Progress;
            string what = step.Link.Length == 0 ? step.Phase : $"{step.Link} {step.Phase}";
            lock (_begun)
            {
                if (step.HasMbps)
                {
                    (_rates.TryGetValue(what, out List<double>? rates) ? rates : _rates[what] = []).Add(step.Mbps);
                }

                if (_begun.Count == 0 || _begun[^1].What != what)
                {
                    _begun.Add((Stopwatch.GetTimestamp(), what));
                }
            }
        }

        throw new IOException("no result");
    }

    /// <summary>What was being done between two moments.</summary>
    internal string Between(long from, long to)
    {
        lock (_begun)
        {
            return string.Join(", ", _begun.Where((p, i) => p.At <= to && (i + 1 == _begun.Count || _begun[i + 1].At >= from)).Select(p => p.What).Distinct());
        }
    }

    public override string ToString() => string.Join('\n', _rates.Select(r => $"  {r.Key}: {string.Join(' ', r.Value.Select(v => v.ToString("0", System.Globalization.CultureInfo.InvariantCulture)))}"));
}
