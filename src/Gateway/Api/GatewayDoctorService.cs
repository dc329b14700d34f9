using Aggregator.Gateway.Doctor;
using Aggregator.Protocol.V1;
using Grpc.Core;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using GrpcStatus = Grpc.Core.Status;

namespace Aggregator.Gateway.Api;

/// <summary>`doctor` in the daemon, told to the command line as it goes on (doctor.proto).</summary>
internal sealed class GatewayDoctorService(DoctorDesk desk, IHostApplicationLifetime lifetime, ILogger<GatewayDoctorService> log)
    : GatewayDoctor.GatewayDoctorBase
{
    public override async Task Run(DoctorRequest request, IServerStreamWriter<DoctorEvent> responseStream, ServerCallContext context)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        await responseStream.WriteAsync(new DoctorEvent { Plan = DoctorDesk.Plan }, ending.Token);
        try
        {
            var report = await desk.TryRunAsync(
                    request.ConfigPath.Length > 0 ? request.ConfigPath : null,
                    check => responseStream.WriteAsync(new DoctorEvent { Done = check }, ending.Token),
                    ending.Token)
                ?? throw new RpcException(new GrpcStatus(StatusCode.FailedPrecondition, "a doctor is at work already; wait for its end"));
            log.DoctorDone(report.Checks.Count(c => c.Result == "fail"), report.Checks.Count(c => c.Result == "warn"));
            await responseStream.WriteAsync(new DoctorEvent { Report = report }, ending.Token);
        }
        catch (IOException e)
        {
            throw new RpcException(new GrpcStatus(StatusCode.Unavailable, e.Message));
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            throw new RpcException(new GrpcStatus(StatusCode.Unavailable, "the daemon is ending"));
        }
    }
}
