using System.Buffers.Binary;
using System.Security.Cryptography;
using Aggregator.Identity;

namespace Aggregator.Vps.Speed;

/// <summary>The tests that run, at most one for each gateway, and the connections that belong to none.</summary>
internal sealed class SpeedRuns
{
    /// <summary>Connections that only look at MPTCP, for each gateway.</summary>
    internal const int MaxLooks = 8;

    private readonly Lock _lock = new();
    private readonly Dictionary<UInt128, SpeedRun> _runs = [];
    private readonly Dictionary<KeyPin, int> _looks = [];

    /// <summary>Null: this gateway has one already.</summary>
    internal SpeedRun? TryBegin(KeyPin pin, CancellationToken ended)
    {
        // Random and long: whoever has a flow through a gateway could guess a short one.
        var run = new SpeedRun(pin, BinaryPrimitives.ReadUInt128BigEndian(RandomNumberGenerator.GetBytes(16)), ended);
        lock (_lock)
        {
            if (_runs.Values.Any(r => r.Pin == pin))
            {
                return null;
            }

            _runs.Add(run.Id, run);
            return run;
        }
    }

    internal void End(SpeedRun run)
    {
        lock (_lock)
        {
            _runs.Remove(run.Id);
        }
    }

    /// <param name="pin">Whose connection asks; null: it came as a flow, and the id alone decides.</param>
    internal SpeedRun? Find(UInt128 id, KeyPin? pin)
    {
        lock (_lock)
        {
            return _runs.TryGetValue(id, out var run) && (pin is null || run.Pin == pin) ? run : null;
        }
    }

    internal bool TryEnterLook(KeyPin pin)
    {
        lock (_lock)
        {
            int looks = _looks.GetValueOrDefault(pin);
            if (looks >= MaxLooks)
            {
                return false;
            }

            _looks[pin] = looks + 1;
            return true;
        }
    }

    internal void LeaveLook(KeyPin pin)
    {
        lock (_lock)
        {
            if (_looks.TryGetValue(pin, out int looks) && looks > 1)
            {
                _looks[pin] = looks - 1;
            }
            else
            {
                _looks.Remove(pin);
            }
        }
    }
}
