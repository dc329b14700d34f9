using Aggregator.Lab.Topology;
using Xunit;

namespace Aggregator.Network.Tests.Lab;

/// <summary>Labs for tests.</summary>
internal static class LabTest
{
    internal static Task<NetworkLab> CreateAsync(params WanSpec[] wans) => CreateAsync(new LabSpec { Wans = wans, ClientLan = false });

    internal static async Task<NetworkLab> CreateAsync(LabSpec spec)
    {
        Skip.IfNot(Environment.IsPrivilegedProcess, "needs root for network namespaces");
        return await NetworkLab.CreateAsync(spec);
    }

    /// <summary>Waits for what the kernel or a thread does in its own time.</summary>
    internal static async Task UntilAsync(Func<bool> holds, string what, TimeSpan? timeout = null)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (!holds())
        {
            if (TimeProvider.System.GetElapsedTime(start) > (timeout ?? TimeSpan.FromSeconds(5)))
            {
                throw new TimeoutException($"not within the time: {what}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10));
        }
    }
}
