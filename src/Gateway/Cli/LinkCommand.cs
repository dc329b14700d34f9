using System.CommandLine;
using Aggregator.Cli;
using Aggregator.Gateway.Configuration;
using Aggregator.Protocol.V1;

namespace Aggregator.Gateway.Cli;

/// <summary>`link`: a link's role, now and until it is changed again.</summary>
internal static class LinkCommand
{
    internal static Command Create()
    {
        var name = new Argument<string>("NAME") { Description = "The link's name or interface, as `status` shows it" };
        var role = new Argument<string>("ROLE") { Description = "active: carries traffic; backup: only while no active link lives; off: not used" };
        role.AcceptOnlyFromAmong("active", "backup", "off");
        var config = Options.Config(GatewayConfigFile.DefaultPath);
        var command = new ExampleCommand(
            "link",
            "Changes a link's role now. It stays so, over restarts too, until changed again.",
            $"{RootCommandFactory.Name} link lte backup")
        {
            name, role, config,
        };
        command.SetAction(async (parsed, cancel) =>
        {
            string path = parsed.GetRequiredValue(config);
            using var local = await LocalClient.ConnectAsync(GatewaySettings.Load(path).Api, GatewaySettings.Command("run", path), cancel);
            var request = new SetLinkRoleRequest { Link = parsed.GetRequiredValue(name), Role = parsed.GetRequiredValue(role) };
            await LocalCall.RunAsync(
                options => new GatewayLocal.GatewayLocalClient(local.Channel).SetLinkRoleAsync(request, options).ResponseAsync, cancel);
            await parsed.InvocationConfiguration.Output.WriteLineAsync($"{request.Link} is {request.Role}");
            return ExitCode.Done;
        });
        return command;
    }
}
