namespace Aggregator.Relay;

/// <summary>Where in the stream of TLS records (RFC 8446 section 5.1: type, version, 2 bytes of length, body) a reader is.</summary>
internal struct TlsRecordTracker
{
    private const int HeaderBytes = 5;

    private int _header;
    private int _left;
    private byte _high;

    /// <summary>The reader goes on by <paramref name="bytes"/>.</summary>
    internal void Advance(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[Step(bytes)..];
        }
    }

    /// <summary>Whether the record that the reader is in, or the next one, ends within <paramref name="bytes"/>.</summary>
    internal readonly bool EndsWithin(ReadOnlySpan<byte> bytes)
    {
        var ahead = this;
        while (!bytes.IsEmpty)
        {
            bytes = bytes[ahead.Step(bytes)..];
            if (ahead is { _header: 0, _left: 0 })
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>One byte of a header, or as much of a body as is there.</summary>
    private int Step(ReadOnlySpan<byte> bytes)
    {
        if (_left > 0)
        {
            int taken = Math.Min(_left, bytes.Length);
            _left -= taken;
            return taken;
        }

        _header++;
        if (_header == HeaderBytes - 1)
        {
            _high = bytes[0];
        }
        else if (_header == HeaderBytes)
        {
            _left = (_high << 8) | bytes[0];
            _header = 0;
        }

        return 1;
    }
}
