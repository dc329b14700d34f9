using Aggregator.Health;
using Aggregator.Protocol.V1;
using Aggregator.Relay;
using Grpc.Core;

namespace Aggregator.Vps.Health;

/// <summary>The report for the command line, over the Unix socket.</summary>
internal sealed class HealthLocalService(HealthMonitor monitor, ClockBoard clocks, RelayBudget budget) : VpsHealthLocal.VpsHealthLocalBase
{
    public override async Task<VpsHealth> GetHealth(HealthRequest request, ServerCallContext context)
    {
        var report = HealthReport.Of((await monitor.CurrentAsync(context.CancellationToken)).Picture with { Clocks = clocks.All });
        report.Process.RelayBytes = (ulong)budget.InUseBytes;
        report.Process.RelayLimitBytes = (ulong)budget.LimitBytes;
        return report;
    }
}
