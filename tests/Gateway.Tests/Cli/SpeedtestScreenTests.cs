using Aggregator.Gateway.Cli;
using Aggregator.Gateway.Speed;
using Aggregator.Protocol.V1;
using Shouldly;
using Spectre.Console.Rendering;
using Xunit;

namespace Aggregator.Gateway.Tests.Cli;

/// <summary>What people see of a test, at its start, under way and with half of its figures missing.</summary>
public sealed class SpeedtestScreenTests
{
    [Fact]
    public void A_test_under_way_has_a_bar_and_a_sparkline_for_each_link()
    {
        var screen = new SpeedtestScreen();
        _ = Text(screen.Draw());
        screen.Take(new SpeedProgress { Phase = "checking", Links = { "fibre", "[lte]" } });
        foreach (double rate in new[] { 10.0, 50, 100 })
        {
            screen.Take(new SpeedProgress { Link = "fibre", Phase = "down", Mbps = rate, RttMs = 12, DoneRatio = 0.25 });
        }

        string text = Text(screen.Draw());
        text.ShouldContain("fibre");
        text.ShouldContain("[lte]");
        text.ShouldContain("100 Mbit/s");
        text.ShouldContain("▁▅█");
        text.ShouldContain("12 ms");
        screen.Take(new SpeedProgress { Phase = "bonded-down", Mbps = 120, DoneRatio = 0.8 });
        Text(screen.Draw()).ShouldContain("together");
    }

    [Theory]
    [InlineData(50)]
    [InlineData(60)]
    [InlineData(80)]
    [InlineData(109)]
    [InlineData(200)]
    public void No_line_is_longer_than_the_terminal(int width)
    {
        var screen = new SpeedtestScreen();
        screen.Take(new SpeedProgress { Phase = "checking", Links = { "fibre", "a-name-of-thirty-two-characters-x" } });
        for (int i = 0; i < 300; i++)
        {
            screen.Take(new SpeedProgress { Link = "a-name-of-thirty-two-characters-x", Phase = "loaded-down", Mbps = 1234.5 - i, RttMs = 1234, DoneRatio = 0.99 });
        }

        string[] lines = Text(screen.Draw(width), width).TrimEnd('\n').Split('\n');
        lines.Max(l => l.TrimEnd().Length).ShouldBeLessThanOrEqualTo(width);
        lines.Length.ShouldBe(3, "one a link, and the whole");
        lines[1].ShouldContain("936 Mbit/s");
        lines[1].ShouldContain("━━━");
        lines[1].ShouldContain("▇▇");

        var result = new SpeedResult
        {
            Links = { new SpeedLink { Name = "fibre", DownMbps = 193.02, UpMbps = 19.28, RttIdleMs = 10.4, RttLoadedDownMs = 110, Mptcp = "stripped", MptcpWhere = "synack" } },
            Bonded = new SpeedBonded { Carrier = "trunk", DownMbps = 90, Subflows = { new SpeedSubflow { Link = "fibre", Local = "10.0.0.1:40000", Remote = "192.0.2.1:7443", State = "established", ShareDown = 1, RttMs = 12, Cwnd = 40 } } },
            Verdict = "The lines are the limit: together they carry 255 of 270 Mbit/s down (94 %), 29 of 30 Mbit/s up (97 %).",
        };
        string table = Text(SpeedtestTable.Draw(result, width), width);
        table.Split('\n').Max(l => l.Length).ShouldBeLessThanOrEqualTo(width);
        foreach (string figure in (string[])["193", "19.3", "110", "stripped", "192.0.2.1:7443", "established"])
        {
            table.ShouldContain(figure);
        }
    }

    [Fact]
    public void Results_are_drawn_with_whatever_is_known()
    {
        var result = new SpeedResult
        {
            Links = { new SpeedLink { Name = "fibre", DownMbps = 96.5, Mptcp = "v1" }, new SpeedLink { Name = "[lte]", Mptcp = "unknown", Error = "it is [gone]" } },
            Bonded = new SpeedBonded { Carrier = "trunk", DownMbps = 90, SumDownMbps = 96.5, EfficiencyDown = 0.93, Subflows = { new SpeedSubflow { Local = "10.0.0.1", Remote = "192.0.2.1:7443" } } },
            Verdict = "The lines are the limit.",
        };
        string text = Text(SpeedtestTable.Draw(result));
        text.ShouldContain("96.5");
        text.ShouldContain("it is [gone]");
        text.ShouldContain("90.0 (93 %)");
        text.ShouldContain("The lines are the limit.");
        Text(SpeedtestTable.Draw(new SpeedResult())).ShouldNotBeNull();
        Text(SpeedtestTable.Draw(new SpeedHistoryRead([], null))).ShouldContain("no test was kept");
        Text(SpeedtestTable.Draw(new SpeedHistoryRead(
            [new SpeedHistoryEntry("2026-01-02T03:04:05Z", [new SpeedHistoryLink("fibre", 10, null, null, null, null)], null, null)], null))).ShouldContain("10.0");
    }

    private static string Text(IRenderable drawing, int width = 200)
    {
        using var writer = new StringWriter();
        Spectre.Console.IAnsiConsole console = Screens.On(writer);
        console.Profile.Width = width;
        console.Write(drawing);
        return writer.ToString();
    }
}
