using Aggregator.Gateway.Speed;
using Aggregator.Protocol.V1;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Speed;

public sealed class SpeedHistoryTests : IDisposable
{
    private readonly string _state = Directory.CreateTempSubdirectory("aggregator-history-").FullName;

    private string FilePath => Path.Combine(_state, SpeedHistory.FileName);

    public void Dispose() => Directory.Delete(_state, recursive: true);

    private static SpeedResult Result(double down) => new()
    {
        Started = "2026-01-02T03:04:05+00:00",
        Links = { new SpeedLink { Name = "fibre", DownMbps = down }, new SpeedLink { Name = "lte", Error = "gone" } },
        Bonded = new SpeedBonded { DownMbps = down },
    };

    [Fact]
    public void Tests_are_kept_and_the_oldest_forgotten()
    {
        SpeedHistory.Read(_state).Entries.ShouldBeEmpty();
        for (int i = 0; i < SpeedHistory.MaxEntries + 5; i++)
        {
            SpeedHistory.Add(_state, Result(i)).ShouldBeNull();
        }

        var read = SpeedHistory.Read(_state);
        read.Problem.ShouldBeNull();
        read.Entries.Count.ShouldBe(SpeedHistory.MaxEntries);
        read.Entries[^1].Links.ShouldBe([
            new SpeedHistoryLink("fibre", SpeedHistory.MaxEntries + 4, null, null, null, null),
            new SpeedHistoryLink("lte", null, null, null, null, "gone")]);
        read.Entries[0].BondedDownMbps.ShouldBe(5);
        File.GetUnixFileMode(FilePath).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("[null]")]
    [InlineData("[{}]")]
    [InlineData("""[{"Started":"yesterday","Links":[]}]""")]
    [InlineData("""[{"Started":"2026-01-02T03:04:05Z","Links":[null]}]""")]
    public void A_damaged_file_is_said_put_aside_and_begun_anew(string content)
    {
        File.WriteAllText(FilePath, content);
        SpeedHistory.Read(_state).Problem.ShouldNotBeNull().ShouldContain("damaged");
        SpeedHistory.Add(_state, Result(1)).ShouldNotBeNull();
        File.ReadAllText(FilePath + ".damaged").ShouldBe(content);
        var read = SpeedHistory.Read(_state);
        read.Problem.ShouldBeNull();
        read.Entries.ShouldHaveSingleItem().Links[0].DownMbps.ShouldBe(1);
    }

    [Fact]
    public void Any_bytes_are_read_or_refused() =>
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes => { _ = SpeedHistory.Parse(bytes); }).QuickCheckThrowOnFailure();
}
