using System.Net;
using System.Net.Sockets;
using Aggregator.Mptcp;

namespace Aggregator.Gateway.Carriers;

/// <summary>One connection whose subflows <see cref="ConnectionPaths"/> sees to.</summary>
/// <param name="Own">Where its first subflow begins.</param>
internal sealed record KeptConnection(Socket Socket, IPEndPoint Own, IPEndPoint Remote, uint Token)
{
    /// <summary>RFC 8684 section 3.2: a byte; 0 is the first subflow's address.</summary>
    private const int MostIds = byte.MaxValue;

    /// <summary>A join that is answered is answered within this.</summary>
    private static readonly TimeSpan JoinTime = TimeSpan.FromSeconds(2);

    /// <summary>A path whose joins come to nothing (a box drops them) is asked again after twice as long each time, up to this.</summary>
    private static readonly TimeSpan MostPatience = TimeSpan.FromMinutes(5);

    private readonly List<Asked> _asked = [];

    /// <summary>False: it goes on as plain TCP, or has ended.</summary>
    internal static bool TryOf(Socket socket, out KeptConnection? kept)
    {
        kept = MptcpInfo.TryRead(socket, out MptcpInfo info) == 0 && !info.FellBack
            && socket is { LocalEndPoint: IPEndPoint own, RemoteEndPoint: IPEndPoint remote }
            ? new KeptConnection(socket, own, remote, info.Token)
            : null;
        return kept is not null;
    }

    /// <summary>What was asked for from this address; a new entry with a free id where nothing was. Null: there is no free id.</summary>
    internal Asked? For(IPAddress local)
    {
        foreach (Asked known in _asked)
        {
            if (known.Local.Equals(local))
            {
                return known;
            }
        }

        // The kernel takes an id for one address only, and an address for one id, as long as the connection lives.
        for (int id = 1; id <= MostIds; id++)
        {
            if (_asked.TrueForAll(a => a.Id != id))
            {
                var fresh = new Asked(local, (byte)id);
                _asked.Add(fresh);
                return fresh;
            }
        }

        return null;
    }

    /// <summary>Null: nothing was asked for from there.</summary>
    internal Asked? Forget(IPAddress local)
    {
        Asked? known = _asked.Find(a => a.Local.Equals(local));
        if (known is not null)
        {
            _asked.Remove(known);
        }

        return known;
    }

    /// <summary>A subflow from one address, as it was asked for.</summary>
    internal sealed class Asked(IPAddress local, byte id)
    {
        private TimeSpan _patience;
        private long _at;

        internal IPAddress Local { get; } = local;

        internal byte Id { get; } = id;

        /// <summary>As it was last told to be.</summary>
        internal bool Backup { get; set; }

        /// <summary>It was seen to work.</summary>
        internal bool Worked { get; private set; }

        internal bool IsDue(TimeProvider time) => _patience == TimeSpan.Zero || time.GetElapsedTime(_at) >= _patience;

        internal void Begin(bool backup, TimeProvider time)
        {
            (Backup, _at, Worked) = (backup, time.GetTimestamp(), false);
            _patience = _patience == TimeSpan.Zero ? JoinTime : _patience * 2 < MostPatience ? _patience * 2 : MostPatience;
        }

        /// <summary>It is there. One that has held for a while is asked for at once when it is lost.</summary>
        internal void Found(TimeProvider time)
        {
            Worked = true;
            if (_patience > TimeSpan.Zero && time.GetElapsedTime(_at) >= _patience)
            {
                _patience = TimeSpan.Zero;
            }
        }
    }
}
