using System.Net.Sockets;
using Aggregator.Interop;
using Aggregator.Mptcp;
using Aggregator.Speed;

namespace Aggregator.Gateway.Speed;

/// <summary>
/// Finds out, path by path, whether MPTCP works and where it is taken away: a connection of its own over each link, bytes each way, and both ends asked
/// what they see (a box that strips one direction only is seen by one of them). A path that connections can begin on must also be one that they can be
/// joined over: the connections that began on the other links show that by the state of the subflow from this one.
/// </summary>
internal sealed class PathVerifier(SpeedDialer dialer, TimeProvider time)
{
    /// <summary>Joins begin when the connection has carried its first bytes, and take one and a half round trips; a lost SYN costs a second.</summary>
    private static readonly TimeSpan JoinTime = TimeSpan.FromSeconds(2.5);

    private static readonly TimeSpan JoinPoll = TimeSpan.FromMilliseconds(50);

    private static readonly TimeSpan LookTime = TimeSpan.FromSeconds(3);

    /// <summary>The counters are the whole VPS's: somebody else's connection may fall in between once, hardly each time.</summary>
    private const int CounterTries = 2;

    /// <summary>Told of what was found; null: nobody else wants to know.</summary>
    internal Action<IReadOnlyList<SpeedPath>, IReadOnlyList<PathVerdict>>? Told { get; init; }

    /// <param name="joinable">Of the paths, those from which the kernel joins connections (their links are up and not off).</param>
    /// <returns>One for each path, in their order. Never throws for what a path does.</returns>
    internal async Task<IReadOnlyList<PathVerdict>> VerifyAsync(IReadOnlyList<SpeedPath> paths, Func<SpeedPath, bool> joinable, CancellationToken cancellationToken)
    {
        Opened[] opened = await Task.WhenAll(paths.Select(p => OpenAsync(p, cancellationToken)));
        try
        {
            await AskForJoinsAsync(paths, opened, cancellationToken);
            bool[] joins = await JoinsAsync(opened, joinable, cancellationToken);
            var verdicts = new List<PathVerdict>();
            for (int i = 0; i < opened.Length; i++)
            {
                bool others = opened.Any(o => MayBeJoinedBy(o, opened[i]));
                verdicts.Add(opened[i].Verdict
                    ?? (opened[i].AtConnect == MptcpVerdict.Mptcp
                        ? others && joinable(paths[i]) && !joins[i]
                            ? Stripped(opened[i], "join", "connections that began elsewhere cannot be joined over it: the options of MP_JOIN are taken away, or its SYNs are dropped")
                            : Found(opened[i], PathMptcp.V1, null, "MPTCP works, both ends say")
                        : await HandshakeAsync(opened[i], cancellationToken)));
            }

            Told?.Invoke(paths, verdicts);
            return verdicts;
        }
        finally
        {
            foreach (Opened one in opened)
            {
                if (one.Stream is { } stream)
                {
                    await stream.DisposeAsync();
                }
            }
        }
    }

    /// <summary>A connection of IPv4 has no subflows of IPv6 (mptcp_pm_addr_families_match), and ours of IPv6 have none of IPv4.</summary>
    private static bool MayBeJoinedBy(Opened connection, Opened path) =>
        connection != path && connection.IsMptcp && connection.Path.Vps.AddressFamily == path.Path.Vps.AddressFamily;

    private static PathVerdict Found(Opened opened, PathMptcp mptcp, string? where, string text) => new(opened.Path.Link, mptcp, where, text, opened.PublicAddress);

    private static PathVerdict Stripped(Opened opened, string? where, string text) => Found(opened, PathMptcp.Stripped, where, text);

    /// <summary>The connection, what it was, and the verdict as far as it alone decides.</summary>
    private async Task<Opened> OpenAsync(SpeedPath path, CancellationToken cancellationToken)
    {
        var opened = new Opened(path);
        try
        {
            opened.Stream = await dialer.DialAsync(path, mptcp: true, cancellationToken);
            opened.AtConnect = opened.Stream.AtConnect;
            SpeedLook look = await LookAsync(opened, cancellationToken);
            // Again: what each end saw of the other's answer shows in the next one.
            look = await AskAsync(opened.Stream, cancellationToken);
            opened.Look = look;
            MptcpVerdict now = MptcpCheck.VerdictOf(opened.Stream.Socket!);
            opened.Verdict = !look.Enabled
                ? Found(opened, PathMptcp.Unsupported, null, "the VPS's kernel has no MPTCP, or it is switched off there (net.mptcp.enabled)")
                : opened.AtConnect != MptcpVerdict.Mptcp
                    ? null
                    : look.Verdict != MptcpVerdict.Mptcp || now != MptcpVerdict.Mptcp
                        ? Stripped(opened, "data", "the handshake has the options, and the packets behind it have not")
                        : null;
        }
        catch (LibcException e) when (e.Errno is Libc.EPROTONOSUPPORT or Libc.ENOPROTOOPT)
        {
            opened.Verdict = Found(opened, PathMptcp.Unsupported, null, "this host's kernel has no MPTCP, or it is switched off (net.mptcp.enabled)");
        }
        catch (IOException e)
        {
            opened.Verdict = Found(opened, PathMptcp.Unknown, null, e.Message);
        }

        return opened;
    }

    /// <summary>
    /// The client saw no option in the SYN/ACK. Whether the VPS had seen one in the SYN is told by its counters: with it, our third packet
    /// without one counts as a fallback there.
    /// </summary>
    private async Task<PathVerdict> HandshakeAsync(Opened opened, CancellationToken cancellationToken)
    {
        const string InSyn = "the VPS does not see them in the SYN: taken away, or SYNs with them are dropped";
        const string InSynAck = "the VPS sees them in the SYN, and they are gone from its SYN/ACK";
        ulong least = ulong.MaxValue;
        try
        {
            ulong? before = opened.Look.CapableFallbacks;
            for (int i = 0; i < CounterTries && before is not null && least > 0; i++)
            {
                var again = new Opened(opened.Path) { Stream = await dialer.DialAsync(opened.Path, mptcp: true, cancellationToken) };
                await using (again.Stream)
                {
                    // Before this dial and not after the last one: others count there as well.
                    before = i == 0 ? opened.Look.CapableFallbacks : before;
                    ulong? after = (await LookAsync(again, cancellationToken)).CapableFallbacks;
                    least = Math.Min(least, after - before ?? 0);
                    before = after;
                }
            }

            return before is null
                ? Stripped(opened, null, "the handshake comes back without the options")
                : least > 0 ? Stripped(opened, "synack", InSynAck) : Stripped(opened, "syn", InSyn);
        }
        catch (IOException)
        {
            return Stripped(opened, null, "the handshake comes back without the options");
        }
    }

    private static async Task AskForJoinsAsync(IReadOnlyList<SpeedPath> paths, Opened[] opened, CancellationToken cancellationToken)
    {
        using SubflowJoiner joiner = await SubflowJoiner.OpenAsync(cancellationToken);
        foreach (Opened one in opened)
        {
            if (one.IsMptcp)
            {
                await joiner.JoinAsync(one.Stream!.Socket!, one.Path, paths, cancellationToken);
            }
        }
    }

    /// <summary>For each path, whether a connection that began on another one got an established subflow from it.</summary>
    private async Task<bool[]> JoinsAsync(Opened[] opened, Func<SpeedPath, bool> joinable, CancellationToken cancellationToken)
    {
        var joined = new bool[opened.Length];
        var subflows = new MptcpSubflow[MptcpSampler.MostSubflows];
        long began = time.GetTimestamp();
        while (true)
        {
            bool waiting = false;
            for (int i = 0; i < opened.Length; i++)
            {
                bool expected = opened[i].Verdict is null && opened[i].IsMptcp && joinable(opened[i].Path) && opened.Any(o => MayBeJoinedBy(o, opened[i]));
                joined[i] |= expected && opened.Any(o => MayBeJoinedBy(o, opened[i]) && HasSubflow(o.Stream!.Socket!, opened[i].Path, subflows));
                waiting |= expected && !joined[i];
            }

            if (!waiting || time.GetElapsedTime(began) > JoinTime)
            {
                return joined;
            }

            await Task.Delay(JoinPoll, time, cancellationToken);
        }
    }

    private static bool HasSubflow(Socket socket, SpeedPath path, MptcpSubflow[] subflows)
    {
        if (MptcpSampler.TryRead(socket, subflows, out var sample) != 0)
        {
            return false;
        }

        for (int i = 0; i < sample.Count; i++)
        {
            // In the middle of its handshake it counts as a subflow already; a SYN that is dropped leaves it there.
            if (subflows[i].Local.Has(path.Source) && subflows[i].Tcp.State == TcpState.Established)
            {
                return true;
            }
        }

        return false;
    }

    private async Task<SpeedLook> LookAsync(Opened opened, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(LookTime, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            SpeedAnswer answer = await opened.Stream!.OpenAsync(new SpeedHeader(SpeedKind.Look, SpeedLoad.Best, 0, UInt128.Zero, SpeedProtocol.LongestStream), either.Token);
            opened.PublicAddress = answer.From?.Address.ToString();
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new IOException("the VPS did not answer on it in time");
        }

        return await AskAsync(opened.Stream, cancellationToken);
    }

    private async Task<SpeedLook> AskAsync(SpeedStream stream, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(LookTime, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            return await stream.LookAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new IOException("the VPS did not answer on it in time");
        }
    }

    private sealed class Opened(SpeedPath path)
    {
        internal SpeedPath Path { get; } = path;

        internal SpeedStream? Stream { get; set; }

        internal MptcpVerdict AtConnect { get; set; }

        internal SpeedLook Look { get; set; }

        internal string? PublicAddress { get; set; }

        /// <summary>Null: not decided by its own connection.</summary>
        internal PathVerdict? Verdict { get; set; }

        internal bool IsMptcp => Stream?.Socket is { } socket && AtConnect == MptcpVerdict.Mptcp && Verdict is null && MptcpCheck.VerdictOf(socket) == MptcpVerdict.Mptcp;
    }
}
