using System.Net.Sockets;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Policy;
using Aggregator.Gateway.Roles;
using Aggregator.Protocol.V1;
using Aggregator.Settings;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using GrpcStatus = Grpc.Core.Status;

namespace Aggregator.Gateway.Api;

/// <summary>`link NAME …` and what `use` needs to know.</summary>
internal sealed class GatewayRolesService(HostController host, LimitsBook limits, QuotaMeter quotas, RoleKeeper keeper, ILogger<GatewayRolesService> log)
    : GatewayRoles.GatewayRolesBase
{
    public override Task<SetLinkReply> SetLink(SetLinkRequest request, ServerCallContext context)
    {
        var link = Find(request.Link);
        LinkRole? role = null;
        if (request.HasRole)
        {
            role = request.Role switch
            {
                "active" => LinkRole.Active,
                "backup" => LinkRole.Backup,
                "off" => LinkRole.Off,
                _ => throw Wrong($"`{request.Role}` is no role: give active, backup or off"),
            };
        }

        if (request.Reset || request.Settings.Count > 0)
        {
            try
            {
                if (limits.Set(link.Name, request.Reset, [.. request.Settings]) is { } problem)
                {
                    throw Wrong(problem);
                }
            }
            catch (StateException e)
            {
                throw NotKept($"nothing is changed: {e.Message}");
            }

            log.SettingsChanged(link.Name, (request.Reset ? "reset " : "") + string.Join(' ', request.Settings.Select(s => $"{s.Key}={s.Value}")));
        }

        if (request.HasQuotaUsedBytes)
        {
            if (limits.Of(link.Name).Quota is not { } quota)
            {
                throw Wrong($"{link.Name} has no quota");
            }

            quotas.SetUsed(link.Name, quota, (long)Math.Min(request.QuotaUsedBytes, long.MaxValue));
        }

        if (role is { } wanted)
        {
            host.TrySetRole(link.Name, wanted);
        }

        keeper.Wake();
        if (role is not null && host.Links.MemoryProblem is { } unkept)
        {
            throw NotKept($"{link.Name} is {request.Role} now, but not after a restart: {unkept}");
        }

        return Task.FromResult(new SetLinkReply());
    }

    public override Task<LinkScope> GetLinkScope(LinkScopeRequest request, ServerCallContext context)
    {
        var link = Find(request.Link);
        var scope = new LinkScope { Name = link.Name, Interface = link.Interface, Mark = HostNumbers.DirectMarkOf(link.Slot) };
        if ((link.Address(AddressFamily.InterNetwork) ?? link.Address(AddressFamily.InterNetworkV6)) is { } address)
        {
            scope.Address = address.ToString();
        }

        if ((link.V4 ?? link.V6)?.Gateway is { } gateway)
        {
            scope.Gateway = gateway.ToString();
        }

        if (!host.Snapshot.LeadsOut(link) && link.Role != LinkRole.Off)
        {
            scope.Reason = link.Reason ?? "it has no way out";
        }

        return Task.FromResult(scope);
    }

    private static RpcException Wrong(string problem) => new(new GrpcStatus(StatusCode.InvalidArgument, problem));

    private static RpcException NotKept(string problem) => new(new GrpcStatus(StatusCode.FailedPrecondition, problem));

    private Link Find(string name)
    {
        if (host.Snapshot.Find(name) is { } link)
        {
            return link;
        }

        string known = host.Snapshot.Links.IsEmpty ? "there are no links" : "links: " + string.Join(", ", host.Snapshot.Links.Select(l => l.Name));
        throw new RpcException(new GrpcStatus(StatusCode.NotFound, $"no link is called `{name}` ({known})"));
    }
}
