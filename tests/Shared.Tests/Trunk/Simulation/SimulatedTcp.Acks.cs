namespace Aggregator.Shared.Tests.Trunk.Simulation;

/// <content>What comes back: the rate and round trip that it shows, losses, and the timer for when nothing comes.</content>
internal sealed partial class SimulatedTcp
{
    private void Acknowledge(Segment segment, int sends)
    {
        _heardAt = simulator.Now;
        if (IsDead || !_inFlight.Remove(segment.Start))
        {
            return;
        }

        double now = simulator.Now;
        if (segment.IsLost)
        {
            _lost.Remove(segment.Start);
        }
        else
        {
            _inFlightBytes -= segment.Bytes.Length;
        }

        _delivered += segment.Bytes.Length;
        _deliveredAt = now;
        _backoff = 0;
        if (sends == segment.Sends)
        {
            double rtt = now - segment.SentAt;
            _srtt = _srtt == 0 ? rtt : _srtt + ((rtt - _srtt) / 8);
            if (rtt <= _minRtt || now - _minRttAt > MinRttWindowUs)
            {
                _minRtt = rtt;
                _minRttAt = now;
            }

            _rto = Math.Max(200_000, _srtt * 1.5);
            double interval = Math.Max(now - segment.DeliveredTimeAtSend, _minRtt * 0.5);
            double rate = (_delivered - segment.DeliveredAtSend) / interval;

            // MPTCP never tells that it was short of bytes: each sample counts.
            _deliveryRate = rate;
            _rates.Enqueue((now, rate, _round));
            while (_rates.Count > 0 && _rates.Peek().Round < _round - 10)
            {
                _rates.Dequeue();
            }

            _rate = rate > _rate ? rate : _rate;
        }

        if (segment.DeliveredAtSend >= _roundEnd)
        {
            _round++;
            _roundEnd = _delivered;
            _rate = _rates.Count > 0 ? _rates.Max(r => r.Rate) : _rate;
            if (_isStartup)
            {
                if (_rate > _fullRate * 1.25)
                {
                    _fullRate = _rate;
                    _fullRounds = 0;
                }
                else if (++_fullRounds >= 3)
                {
                    _isStartup = false;
                    _isDrain = true;
                }
            }
        }

        if (_isDrain && _inFlightBytes <= _rate * _minRtt)
        {
            _isDrain = false;
            _phase = 2;
            _phaseAt = now;
        }

        if (!_isStartup && !_isDrain && now - _phaseAt > _minRtt)
        {
            _phase = (_phase + 1) % Gains.Length;
            _phaseAt = now;
        }

        DetectLosses(segment);
        Arm();
        TrySend();
    }

    /// <summary>RACK (RFC 8985): lost is what was sent well before something that has arrived.</summary>
    private void DetectLosses(Segment arrived)
    {
        _highestSacked = Math.Max(_highestSacked, arrived.Start);
        List<Segment>? lost = null;
        foreach (var (start, segment) in _inFlight)
        {
            if (start > _highestSacked)
            {
                break;
            }

            if (!segment.IsLost && segment.SentAt + 3000 < arrived.SentAt)
            {
                (lost ??= []).Add(segment);
            }
        }

        foreach (var segment in lost ?? [])
        {
            Lose(segment);
        }
    }

    private void Lose(Segment segment)
    {
        if (!segment.IsLost)
        {
            segment.IsLost = true;
            _inFlightBytes -= segment.Bytes.Length;
            _lost.Add(segment.Start, segment);
        }
    }

    private void Arm()
    {
        long version = ++_timerVersion;
        if (_inFlight.Count > 0)
        {
            simulator.At(simulator.Now + (_rto * Math.Pow(2, Math.Min(_backoff, 6))), () =>
            {
                if (version == _timerVersion && !IsDead && _inFlight.Count > 0)
                {
                    // Everything on the wire is taken for lost and goes again, the first at once.
                    _backoff++;
                    foreach (var segment in _inFlight.Values)
                    {
                        Lose(segment);
                    }

                    _nextSendAt = simulator.Now;
                    TrySend();
                    Arm();
                }
            });
        }
    }
}
