using System.Diagnostics;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Gateway.Tests.Simulation;

/// <summary>Days of faults in seconds; see <see cref="SimulatedDay"/>.</summary>
public sealed class SimulatedDayTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(1, 24)]
    [InlineData(2, 6)]
    [InlineData(3, 6)]
    public async Task The_host_is_what_is_wanted_after_every_step_of_a_day_of_faults(int seed, int hours)
    {
        // What is remembered of links is written thousands of times in such a day: a disk would take most of the test's time.
        string shared = Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();
        string state = Directory.CreateDirectory(Path.Combine(shared, $"aggregator-day-{Guid.NewGuid():N}")).FullName;
        try
        {
            long began = Stopwatch.GetTimestamp();
            var day = new SimulatedDay(seed, state);
            int foreign = day.Foreign;
            day.Run(TimeSpan.FromHours(hours));
            await day.EndAsync(foreign);
            output.WriteLine(
                $"{hours} h: {day.Faults} faults, {day.Probes} probes, {day.Decisions} decisions, {day.Operations} operations in {Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s");
            day.Faults.ShouldBeGreaterThan(hours * 100);
        }
        finally
        {
            Directory.Delete(state, recursive: true);
        }
    }
}
