using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using Aggregator.Flows;
using Aggregator.Identity;

namespace Aggregator.Vps.Sessions;

/// <summary>What authenticates data connections without cipher: a random id and key for each control session, gone with it.</summary>
internal sealed class PlainSessions
{
    private readonly ConcurrentDictionary<UInt128, PlainSession> _sessions = new();

    internal PlainSession Create(KeyPin pin)
    {
        var session = new PlainSession(
            pin, RandomNumberGenerator.GetBytes(PlainPreface.SessionIdBytes), RandomNumberGenerator.GetBytes(PlainPreface.KeyBytes));
        _sessions[BinaryPrimitives.ReadUInt128BigEndian(session.Id)] = session;
        return session;
    }

    internal void Remove(PlainSession session) => _sessions.TryRemove(BinaryPrimitives.ReadUInt128BigEndian(session.Id), out _);

    /// <summary>The key behind a preface; null for everything that is not proven and new, without saying which.</summary>
    internal KeyPin? Accept(ReadOnlySpan<byte> preface) =>
        PlainPreface.TryRead(preface, out var id, out ulong counter)
        && _sessions.TryGetValue(BinaryPrimitives.ReadUInt128BigEndian(id), out var session)
        && PlainPreface.Verify(preface, session.Key)
        && session.Window.TryAccept(counter)
            ? session.Pin
            : null;
}

/// <param name="Pin">Whose it is.</param>
/// <param name="Id">As in Welcome.session_id.</param>
/// <param name="Key">As in Welcome.plain_key.</param>
internal sealed record PlainSession(KeyPin Pin, byte[] Id, byte[] Key)
{
    internal ReplayWindow Window { get; } = new();
}
