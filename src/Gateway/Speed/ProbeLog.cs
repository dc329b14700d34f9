namespace Aggregator.Gateway.Speed;

/// <summary>Probes and their round trips, in the order in which they left. Written by a sender and a receiver, read by anybody.</summary>
internal sealed class ProbeLog
{
    private readonly Lock _lock = new();
    private readonly List<Probe> _probes = [];

    /// <param name="SentS">On the test's clock.</param>
    /// <param name="RttMs">Null: not answered yet, or never.</param>
    /// <param name="Spoilt">Its way had a retransmission in it, so its round trip is no measurement (as Karn's algorithm has it, RFC 6298 section 3).</param>
    internal readonly record struct Probe(double SentS, double? RttMs, bool Spoilt);

    internal double? LatestMs { get; private set; }

    internal int Sent
    {
        get
        {
            lock (_lock)
            {
                return _probes.Count;
            }
        }
    }

    /// <returns>The probe's number.</returns>
    internal int Send(double sentS)
    {
        lock (_lock)
        {
            _probes.Add(new Probe(sentS, null, false));
            return _probes.Count - 1;
        }
    }

    internal void Answer(int number, double nowS, bool spoilt = false)
    {
        lock (_lock)
        {
            if (number >= 0 && number < _probes.Count && _probes[number] is { RttMs: null } probe)
            {
                double rtt = (nowS - probe.SentS) * 1000;
                _probes[number] = probe with { RttMs = rtt, Spoilt = spoilt };
                LatestMs = spoilt ? LatestMs : rtt;
            }
        }
    }

    /// <summary>The round trips of probes sent in that time, as far as they are good.</summary>
    internal List<double> Between(double fromS, double toS)
    {
        lock (_lock)
        {
            return [.. _probes.Where(p => p.SentS >= fromS && p.SentS <= toS && p is { RttMs: not null, Spoilt: false }).Select(p => p.RttMs!.Value)];
        }
    }

    /// <summary>Of the probes sent in that time, the part that was never answered; null: none was answered, so nobody there answers such.</summary>
    internal double? LossBetween(double fromS, double toS)
    {
        lock (_lock)
        {
            Probe[] sent = [.. _probes.Where(p => p.SentS >= fromS && p.SentS <= toS)];
            int answered = sent.Count(p => p.RttMs is not null);
            return answered == 0 ? null : 1 - ((double)answered / sent.Length);
        }
    }
}
