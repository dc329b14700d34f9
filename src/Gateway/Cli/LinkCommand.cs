using System.CommandLine;
using Aggregator.Cli;
using Aggregator.Gateway.Configuration;
using Aggregator.Protocol.V1;
using Aggregator.Settings;

namespace Aggregator.Gateway.Cli;

/// <summary>`link`: a link's role and bounds, now and until they are changed again.</summary>
internal static class LinkCommand
{
    internal static Command Create()
    {
        var name = new Argument<string>("NAME") { Description = "The link's name or interface, as `status` shows it" };
        var role = new Argument<string?>("ROLE")
        {
            Description = "active: carries traffic; backup: only while no active link lives; off: not used",
            Arity = ArgumentArity.ZeroOrOne,
        };
        role.AcceptOnlyFromAmong("active", "backup", "off");
        (Option<string?> Option, string Key)[] settings =
        [
            (Setting("--weight", "N", "Its part of new direct connections, in proportion to the others', 1 to 1000"), "weight"),
            (Setting("--cost", "N", "Of the active links only the cheapest carry, the others are backups; any whole number"), "cost"),
            (Setting("--backup-when", "gone|full", "A backup carries when the active links are `gone`, or also when they are `full`"), "backup-when"),
            (Setting("--quota", "50GB", "Bytes in a period, such as 50GB; `none` takes it away"), "quota"),
            (Setting("--quota-period", "monthly|daily", "monthly or daily"), "quota-period"),
            (Setting("--billing-day", "DAY", "On which a month begins, 1 to 31"), "billing-day"),
            (Setting("--quota-count", "both|down|up", "What the provider counts: both, down or up"), "quota-count"),
            (Setting("--quota-then", "off|backup", "What it is used as when the quota is used up: off or backup"), "quota-then"),
            (Setting("--cap-down", "20Mbit", "The most that is received, such as 20Mbit; `none` takes it away"), "cap-down"),
            (Setting("--cap-up", "5Mbit", "The most that is sent, such as 5Mbit; `none` takes it away"), "cap-up"),
        ];
        var used = Setting("--quota-used", "12.3GB", "The provider's own count of the period under way, such as 12.3GB, or 0");
        var reset = new Option<bool>("--reset") { Description = "First back to what the configuration says of everything but the role" };
        var config = Options.Config(GatewayConfigFile.DefaultPath);
        var command = new ExampleCommand(
            "link",
            "Changes a link's role or bounds now. It stays so, over restarts too, until changed again.",
            $"{RootCommandFactory.Name} link lte backup --quota 50GB --billing-day 12")
        {
            name, role, used, reset, config,
        };
        foreach (var (option, _) in settings)
        {
            command.Options.Add(option);
        }

        command.SetAction(async (parsed, cancel) =>
        {
            var request = new SetLinkRequest { Link = parsed.GetRequiredValue(name), Reset = parsed.GetValue(reset) };
            foreach (var (option, key) in settings)
            {
                if (parsed.GetValue(option) is { } text)
                {
                    request.Settings[key] = text;
                }
            }

            if (parsed.GetValue(role) is { } wanted)
            {
                request.Role = wanted;
            }

            if (parsed.GetValue(used) is { } count)
            {
                var bytes = count == "0" ? Parsed<long>.Of(0) : Quantities.Bytes(count);
                request.QuotaUsedBytes = bytes.Problem is { } problem ? throw new CliException($"--quota-used {problem}", ExitCode.WrongUsage) : (ulong)bytes.Value;
            }

            if (!request.HasRole && !request.Reset && !request.HasQuotaUsedBytes && request.Settings.Count == 0)
            {
                throw new CliException($"give a role (active, backup, off) or what to change; see `{RootCommandFactory.Name} link --help`", ExitCode.WrongUsage);
            }

            string path = parsed.GetRequiredValue(config);
            using var local = await LocalClient.ConnectAsync(GatewaySettings.Load(path).Api, GatewaySettings.Command("run", path), cancel);
            await LocalCall.RunAsync(
                options => new GatewayRoles.GatewayRolesClient(local.Channel).SetLinkAsync(request, options).ResponseAsync, cancel);
            string[] done =
            [
                .. request.HasRole ? [request.Role] : Array.Empty<string>(),
                .. request.Reset ? ["as the configuration says"] : Array.Empty<string>(),
                .. request.Settings.Select(s => $"{s.Key} {s.Value}"),
                .. request.HasQuotaUsedBytes ? [$"quota used {parsed.GetValue(used)}"] : Array.Empty<string>(),
            ];
            await parsed.InvocationConfiguration.Output.WriteLineAsync($"{request.Link} is {string.Join(", ", done)}");
            return ExitCode.Done;
        });
        return command;
    }

    private static Option<string?> Setting(string name, string value, string description) => new(name) { HelpName = value, Description = description };
}
