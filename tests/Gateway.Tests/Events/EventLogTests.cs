using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Events;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Tests.Roles;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Events;

public sealed class EventLogTests
{
    [Fact]
    public async Task Events_are_bounded_and_go_on_counting_over_restarts()
    {
        string state = Directory.CreateTempSubdirectory("aggregator-events-").FullName;
        try
        {
            var clock = new WallClock(DateTimeOffset.UnixEpoch);
            await using (var log = new EventLog(state, clock, NullLogger.Instance))
            {
                for (int i = 0; i < (3 * EventLog.Capacity) + 5; i++)
                {
                    log.Add("up", "lte", "wan2", new string('x', 10_000));
                    if (i % 100 == 0)
                    {
                        // The writer takes what is there; none of this may be lost for want of its turn.
                        await Task.Yield();
                    }
                }

                log.Latest().Length.ShouldBe(EventLog.Capacity);
                log.Latest(1)[0].Reason!.Length.ShouldBe(EventLog.MaxReasonLength + 1);
            }

            string path = Path.Combine(state, "events.jsonl");
            File.ReadAllLines(path).Length.ShouldBeLessThanOrEqualTo(2 * EventLog.Capacity);
            await File.AppendAllTextAsync(path, "{\"number\":5");
            await using (var again = new EventLog(state, clock, NullLogger.Instance))
            {
                again.Latest(1)[0].Number.ShouldBe((3 * EventLog.Capacity) + 5);
                again.Add("down");
                again.Latest(1)[0].Number.ShouldBe((3 * EventLog.Capacity) + 6);
                var seen = new List<string>();
                await foreach (var record in again.FollowAsync((3 * EventLog.Capacity) + 4, CancellationToken.None))
                {
                    seen.Add(record.Action);
                    if (seen.Count == 2)
                    {
                        again.Add("portal");
                    }

                    if (seen.Count == 3)
                    {
                        break;
                    }
                }

                seen.ShouldBe(["up", "down", "portal"]);
            }
        }
        finally
        {
            Directory.Delete(state, recursive: true);
        }
    }

    [Fact]
    public void Each_change_of_a_link_is_one_event()
    {
        var told = new List<string>();
        var events = new LinkEvents((action, link, _, reason) => told.Add($"{action} {link} {reason}".Trim()));
        var link = new Link { Name = "lte", Interface = "wan2", Role = LinkRole.Active, AskedRole = LinkRole.Active, Slot = 1 };
        LinkSnapshot[] steps =
        [
            new() { Links = [link with { Reason = "there is no such interface" }] },
            new() { Links = [link with { Index = 4, State = LinkState.Up, Checking = true }] },
            new() { Links = [link with { Index = 4, State = LinkState.Up }] },
            new() { Links = [link with { Index = 4, State = LinkState.Up, RttMs = 5 }] },
            new() { Links = [link with { Index = 4, State = LinkState.Down, Reason = "no answer" }] },
            new() { Links = [link with { Index = 4, State = LinkState.Down, Reason = "no answer", Role = LinkRole.Off, RoleReason = "its quota" }] },
            new() { Links = [] },
        ];
        for (int i = 0; i < steps.Length; i++)
        {
            events.Take(i == 0 ? LinkSnapshot.Empty : steps[i - 1], steps[i]);
        }

        told.ShouldBe(
        [
            "down lte there is no such interface", "added lte", "up lte", "down lte no answer", "role lte active → off: its quota", "removed lte it is no link any more",
        ]);
    }
}
