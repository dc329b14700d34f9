namespace Aggregator.Trunk;

/// <summary>Takes a lane's bytes apart as they come, in pieces of any size. Holds a header and one control body at most; data is passed on at once.</summary>
internal sealed class FrameParser
{
    private readonly byte[] _held = new byte[TrunkFrame.HeaderBytes + TrunkFrame.MaxControlBytes];
    private int _heldBytes;
    private bool _inBody;
    private TrunkFrame _frame;
    private int _bodyDone;

    /// <summary>Whether the bytes so far end with a whole frame: a lane may end here only.</summary>
    internal bool IsBetweenFrames => _heldBytes == 0 && !_inBody;

    /// <exception cref="TrunkProtocolException">What came is no frame, or the sink says that it may not come.</exception>
    internal void Parse(ReadOnlySpan<byte> bytes, IFrameSink sink)
    {
        int read = bytes.Length;
        while (true)
        {
            if (!_inBody)
            {
                if (!TryHold(ref bytes, TrunkFrame.HeaderBytes))
                {
                    return;
                }

                _frame = TrunkFrame.Read(_held);
                _heldBytes = 0;
                _bodyDone = 0;
                _inBody = true;
            }

            bool known = _frame.Type is not (> TrunkFrameType.Pong);
            if (_frame.Type == TrunkFrameType.Data || !known)
            {
                int count = Math.Min(bytes.Length, _frame.Length - _bodyDone);
                if (known && count > 0)
                {
                    sink.OnData(_frame, _frame.Value + _bodyDone, bytes[..count]);
                }
                else if (_frame.Type == TrunkFrameType.Datagram && count > 0)
                {
                    sink.OnDatagram(_frame, _bodyDone, read - bytes.Length, bytes[..count]);
                }

                _bodyDone += count;
                bytes = bytes[count..];
                if (_bodyDone < _frame.Length)
                {
                    return;
                }

                if (known)
                {
                    sink.OnDataEnd(_frame);
                }
            }
            else
            {
                if (!TryHold(ref bytes, _frame.Length))
                {
                    return;
                }

                sink.OnControl(_frame, _held.AsSpan(0, _frame.Length));
                _heldBytes = 0;
            }

            _inBody = false;
        }
    }

    private bool TryHold(ref ReadOnlySpan<byte> bytes, int wanted)
    {
        int count = Math.Min(bytes.Length, wanted - _heldBytes);
        bytes[..count].CopyTo(_held.AsSpan(_heldBytes));
        _heldBytes += count;
        bytes = bytes[count..];
        return _heldBytes == wanted;
    }
}

/// <summary>What a parser found, in order.</summary>
internal interface IFrameSink
{
    /// <summary>A piece of a data frame's payload.</summary>
    void OnData(in TrunkFrame frame, long offset, ReadOnlySpan<byte> bytes);

    /// <summary>A piece of a datagram's packet.</summary>
    /// <param name="offset">Of the piece in the packet.</param>
    /// <param name="at">Of the piece in what is being parsed.</param>
    void OnDatagram(in TrunkFrame frame, int offset, int at, ReadOnlySpan<byte> piece);

    /// <summary>The data frame is complete.</summary>
    void OnDataEnd(in TrunkFrame frame);

    /// <summary>Any other frame of a known type.</summary>
    void OnControl(in TrunkFrame frame, ReadOnlySpan<byte> body);
}
