using Aggregator.Protocol.V1;
using Grpc.Core;

namespace Aggregator.Vps.Apply;

/// <summary>Hears from `tune` what is to be put back at the daemon's end.</summary>
internal sealed class TuneLocalService(HostSettings settings) : VpsTuneLocal.VpsTuneLocalBase
{
    public override async Task<RebaseReply> Rebase(RebaseRequest request, ServerCallContext context)
    {
        await settings.RebaseAsync(request.Originals, context.CancellationToken);
        return new RebaseReply();
    }
}
