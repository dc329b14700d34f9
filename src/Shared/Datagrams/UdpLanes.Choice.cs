namespace Aggregator.Datagrams;

/// <content>Which lanes a packet takes, and what is told of them and when.</content>
internal sealed partial class UdpLanes
{
    /// <summary>A lane that carried packets so lately is watched closely, a session so lately used less so.</summary>
    private const long ActiveUs = 3_000_000;

    /// <summary>How often a lane is reported on: while it carries, while others do, and while nothing is sent (a probe a second, 4 MB a day and direction).</summary>
    private const long CarryingReportUs = 50_000;
    private const long ReadyReportUs = 250_000;
    private const long IdleReportUs = 1_000_000;

    /// <summary>The other end's report is there by then: its clock's steps, and where little depends on it one that is lost.</summary>
    private const long CarryingExpectedUs = 60_000;
    private const long ReadyExpectedUs = 550_000;
    private const long IdleExpectedUs = 2_600_000;

    /// <summary>How often <see cref="Tick"/> wants to be called.</summary>
    internal static readonly TimeSpan ActivePeriod = TimeSpan.FromMilliseconds(10);
    internal static readonly TimeSpan IdlePeriod = TimeSpan.FromMilliseconds(250);

    /// <summary>Raised, under the lock, when packets come or go after a pause: <see cref="Tick"/> is wanted more often.</summary>
    internal event Action? Activated;

    /// <summary>Whether <see cref="ActivePeriod"/> is wanted.</summary>
    internal bool IsActive
    {
        get
        {
            lock (_gate)
            {
                return NowUs - _packetUs < ActiveUs;
            }
        }
    }

    /// <summary>Sends the reports that are due, and gives up what was waited for in vain.</summary>
    internal void Tick()
    {
        lock (_gate)
        {
            long nowUs = NowUs;
            for (int i = 0; i < MaxLanes && !_isDisposed; i++)
            {
                if (_lanes[i] is { Outlet: not null } lane && (lane.UnreportedBulk > 0 || nowUs - lane.LastReportUs >= ReportEvery(lane, nowUs)))
                {
                    SendReport(lane, lane.ProbeBytes(nowUs), nowUs);
                }
            }

            if (!_isDisposed)
            {
                SendBulk(nowUs);
            }

        }

        Receiver.Tick(NowUs);
    }

    /// <param name="probeBytes">The whole datagram's, filled up with zeros; 0: as short as it is.</param>
    private void SendReport(UdpLane lane, int probeBytes, long nowUs)
    {
        lane.LastReportUs = nowUs;
        lane.UnreportedBulk = 0;
        lane.Report(lane.IsBackup, nowUs).Write(_plain.AsSpan(UdpHeader.Bytes));
        int body = Math.Max(UdpReport.Bytes, probeBytes - UdpCipher.OverheadBytes - UdpHeader.Bytes);
        _plain.AsSpan(UdpHeader.Bytes + UdpReport.Bytes, body - UdpReport.Bytes).Clear();
        Send(lane, UdpDatagramType.Report, body, nowUs);
        if (probeBytes > 0)
        {
            lane.NoteProbe(probeBytes, nowUs);
        }
    }

    private long ReportEvery(UdpLane lane, long nowUs) =>
        nowUs - lane.LastPacketUs < ActiveUs ? CarryingReportUs : nowUs - _packetUs < ActiveUs ? ReadyReportUs : IdleReportUs;

    private long Expected(UdpLane lane, long nowUs) =>
        nowUs - lane.LastPacketUs < ActiveUs ? CarryingExpectedUs : nowUs - _packetUs < ActiveUs ? ReadyExpectedUs : IdleExpectedUs;

    private void Activate(long nowUs)
    {
        if (nowUs - _packetUs >= ActiveUs)
        {
            foreach (var lane in _lanes)
            {
                if (lane is not null && lane.IsWell(nowUs, IdleExpectedUs))
                {
                    lane.Quicken(nowUs);
                }
            }

            Activated?.Invoke();
        }

        _packetUs = nowUs;
    }

    private void NotePacket(UdpLane lane, long nowUs)
    {
        if (nowUs - lane.LastPacketUs >= ActiveUs && lane.IsWell(nowUs, Expected(lane, nowUs)))
        {
            lane.Quicken(nowUs);
        }

        lane.LastPacketUs = nowUs;
    }

    /// <returns>How many of <see cref="_chosen"/>; 0: none is well.</returns>
    private int Choose(long nowUs)
    {
        if (!TryPick(nowUs, out var quickest))
        {
            return 0;
        }

        switch (Policy)
        {
            case RealTimePolicy.Spread:
                _chosen[0] = NextTurn(nowUs, quickest!.IsBackup);
                return 1;
            case RealTimePolicy.Duplicate:
                return ChooseCopies(quickest!, nowUs);
            default:
                Stay(quickest!, nowUs);
                _chosen[0] = _best!;
                if (_best!.IsInDoubt(nowUs, Expected(_best, nowUs)) && SecondTo(1, nowUs) is { } second)
                {
                    _chosen[1] = second;
                    return 2;
                }

                return 1;
        }
    }

    /// <summary>The quickest lane that is well; a backup only where nothing else is.</summary>
    private bool TryPick(long nowUs, out UdpLane? quickest)
    {
        quickest = null;
        foreach (var lane in _lanes)
        {
            if (lane is not null && lane.IsWell(nowUs, Expected(lane, nowUs))
                && (quickest is null || (lane.IsBackup != quickest.IsBackup ? quickest.IsBackup : lane.ScoreUs < quickest.ScoreUs)))
            {
                quickest = lane;
            }
        }

        return quickest is not null;
    }

    private void Stay(UdpLane quickest, long nowUs)
    {
        bool stays = _best is { } best && best.IsWell(nowUs, Expected(best, nowUs)) && best.IsBackup == quickest.IsBackup
            && best.ScoreUs <= (1.25 * quickest.ScoreUs) + StayUs;
        _best = stays ? _best : quickest;
    }

    private int ChooseCopies(UdpLane quickest, long nowUs)
    {
        _best = quickest;
        _chosen[0] = quickest;
        int count = 1;
        double loss = Doubtful(quickest, nowUs);
        while (count < MaxCopies && (count < 2 || loss > LossWanted) && SecondTo(count, nowUs) is { } next)
        {
            _chosen[count++] = next;
            loss *= Doubtful(next, nowUs);
        }

        return count;
    }

    /// <summary>Less than a thousandth is never sure, and a lane that does not answer in time may lose all.</summary>
    private double Doubtful(UdpLane lane, long nowUs) => lane.IsInDoubt(nowUs, Expected(lane, nowUs)) ? 1 : Math.Max(0.001, lane.LossOut);

    /// <summary>The quickest that is well and not among the first <paramref name="count"/> of <see cref="_chosen"/>.</summary>
    private UdpLane? SecondTo(int count, long nowUs)
    {
        UdpLane? second = null;
        foreach (var lane in _lanes)
        {
            if (lane is not null && lane.IsWell(nowUs, Expected(lane, nowUs)) && !_chosen.AsSpan(0, count).Contains(lane)
                && lane.IsBackup == _chosen[0].IsBackup && (second is null || lane.ScoreUs < second.ScoreUs))
            {
                second = lane;
            }
        }

        return second;
    }

    /// <summary>Smooth weighted round robin: each lane's turn comes as often as its weight says, and as evenly.</summary>
    private UdpLane NextTurn(long nowUs, bool isBackup)
    {
        UdpLane? next = null;
        double total = 0;
        foreach (var lane in _lanes)
        {
            if (lane is not null && lane.IsBackup == isBackup && lane.IsWell(nowUs, Expected(lane, nowUs)))
            {
                total += lane.Weight;
                lane.Turn += lane.Weight;
                next = next is null || lane.Turn > next.Turn ? lane : next;
            }
        }

        next!.Turn -= total;
        return next;
    }
}
