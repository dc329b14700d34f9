using Aggregator.Gateway.Links;
using Aggregator.Gateway.Tests.Roles;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Links;

public sealed class LinkMemoryFileTests : IDisposable
{
    private readonly string _state = Directory.CreateTempSubdirectory("aggregator-links-").FullName;
    private readonly WallClock _time = new(new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero));

    /// <summary>In its place a write fails, as on a full disk.</summary>
    private string Obstacle => Path.Combine(_state, "links.json");

    public void Dispose() => Directory.Delete(_state, recursive: true);

    [Fact]
    public void What_could_not_be_written_is_told_and_tried_again_when_there_is_room()
    {
        Directory.CreateDirectory(Path.Combine(Obstacle, "full"));
        var file = new LinkMemoryFile(_state, _time, NullLogger.Instance);
        LinkMemory memory = LinkMemory.Empty with { Roles = LinkMemory.Empty.Roles.Add("lte", "backup") };
        file.Keep(memory);
        file.Problem.ShouldNotBeNull().ShouldContain("links.json");

        Directory.Delete(Obstacle, recursive: true);
        file.Keep(memory);
        File.Exists(Obstacle).ShouldBeFalse("not at each probe's answer");
        file.Problem.ShouldNotBeNull();
        _time.Advance(TimeSpan.FromSeconds(11));
        file.Keep(memory);
        file.Problem.ShouldBeNull();
        new LinkMemoryFile(_state, _time, NullLogger.Instance).Load().SameAs(memory).ShouldBeTrue();
    }

    [Fact]
    public void Another_change_is_tried_at_once()
    {
        Directory.CreateDirectory(Path.Combine(Obstacle, "full"));
        var file = new LinkMemoryFile(_state, _time, NullLogger.Instance);
        LinkMemory memory = LinkMemory.Empty with { Roles = LinkMemory.Empty.Roles.Add("lte", "backup") };
        file.Keep(memory);
        Directory.Delete(Obstacle, recursive: true);
        file.Keep(memory with { Roles = memory.Roles.SetItem("lte", "off") });
        file.Problem.ShouldBeNull();
        LinkMemory.Load(_state, out _).Roles["lte"].ShouldBe("off");
    }
}
