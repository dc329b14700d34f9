using System.CommandLine;
using System.Globalization;
using Aggregator.Cli;
using Aggregator.Protocol.V1;
using Aggregator.Vps.Configuration;
using Grpc.Core;
using Spectre.Console;

namespace Aggregator.Vps.Cli;

/// <summary>`status`: what the daemon of this host has open.</summary>
internal static class StatusCommand
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    internal static Command Create()
    {
        var json = Options.Json();
        var config = Options.Config(VpsConfigFile.DefaultPath);
        var command = new Command("status", "Shows the gateways' sessions, their flows and the settings that the daemon changed.")
        {
            json, config,
        };
        command.SetAction((parsed, cancel) => RunAsync(
            parsed.GetRequiredValue(config), parsed.GetValue(json), parsed.InvocationConfiguration.Output, cancel));
        return command;
    }

    private static async Task<int> RunAsync(string configPath, bool json, TextWriter output, CancellationToken cancellationToken)
    {
        var config = VpsSettings.Load(configPath);
        using var local = await LocalClient.ConnectAsync(config.Api, VpsSettings.Command("run", configPath), cancellationToken);
        VpsStatus status;
        try
        {
            status = await new VpsLocal.VpsLocalClient(local.Channel).GetStatusAsync(
                new StatusRequest(),
                new CallOptions(deadline: TimeProvider.System.GetUtcNow().UtcDateTime + Timeout, cancellationToken: cancellationToken));
        }
        catch (RpcException e)
        {
            throw new CliException($"the daemon on {config.Api} does not answer ({e.Status.StatusCode}: {e.Status.Detail}); look at its log", inner: e);
        }

        if (json)
        {
            await output.WriteLineAsync(JsonOutput.Format(status));
        }
        else
        {
            Print(status, output);
        }

        return ExitCode.Done;
    }

    private static void Print(VpsStatus status, TextWriter output)
    {
        output.WriteLine($"aggregator-vps {status.Version}, up {Age(status.UptimeS)}, listening on {status.Listen}");
        output.WriteLine($"pin {status.Pin}");
        output.WriteLine($"flows: {status.Flows.Active} active, {status.Flows.Total} in all, {status.Flows.Failed} failed");
        output.WriteLine();
        if (status.Gateways.Count == 0)
        {
            output.WriteLine($"no gateway is paired; `{RootCommandFactory.Name} pair` prints the line for one");
        }
        else
        {
            output.Write(Draw(Gateways(status)));
            foreach (var gateway in status.Gateways.Where(g => g.Trunk is { Lanes.Count: > 0 }))
            {
                output.WriteLine();
                output.Write(Draw(Lanes(gateway)));
            }
        }

        if (status.HostSettings.Count > 0)
        {
            output.WriteLine();
            output.WriteLine("settings changed on this host (put back on stop):");
            foreach (var setting in status.HostSettings)
            {
                output.WriteLine($"  {setting.Name} = {setting.Value}  (was {setting.Before})");
            }
        }

        foreach (var warning in status.Warnings)
        {
            output.WriteLine($"warning: {warning.Text}");
        }
    }

    private static Table Gateways(VpsStatus status)
    {
        var table = new Table { Border = TableBorder.None };
        foreach (string column in (string[])["GATEWAY", "STATE", "FROM", "VERSION", "CONNECTIONS", "FLOWS", "RECEIVED", "SENT"])
        {
            table.AddColumn(new TableColumn(column) { NoWrap = true, Padding = new Padding(0, 0, 2, 0) });
        }

        foreach (var g in status.Gateways)
        {
            string[] cells =
            [
                g.Name,
                g.Connected ? "connected " + Age(g.ConnectedS) : "not connected",
                g.HasAddress ? g.Address : "-",
                g.HasVersion ? g.Version : "-",
                g.Connections.ToString(CultureInfo.InvariantCulture),
                g.FlowsActive.ToString(CultureInfo.InvariantCulture),
                Bytes(g.RxBytes),
                Bytes(g.TxBytes),
            ];
            table.AddRow([.. cells.Select(Markup.Escape)]);
        }

        return table;
    }

    private static Table Lanes(GatewaySession gateway)
    {
        var table = new Table { Border = TableBorder.None };
        foreach (string column in (string[])["LANE OF " + gateway.Name.ToUpperInvariant(), "STATE", "MPTCP", "FROM", "RTT", "RATE", "RECEIVES", "SENDS", "SHARE", "IN FLIGHT", "RESENT"])
        {
            table.AddColumn(new TableColumn(Markup.Escape(column)) { NoWrap = true, Padding = new Padding(0, 0, 2, 0) });
        }

        foreach (var lane in gateway.Trunk.Lanes)
        {
            string[] cells =
            [
                lane.Link,
                lane.State,
                lane.HasMptcp ? lane.Mptcp : "-",
                lane.HasRemote ? lane.Remote : "-",
                lane.HasRttMs ? lane.RttMs.ToString("0.#", CultureInfo.InvariantCulture) + " ms" : "-",
                lane.HasRateMbps ? lane.RateMbps.ToString("0.#", CultureInfo.InvariantCulture) + " Mbit/s" : "-",
                lane.ReceivedMbps.ToString("0.#", CultureInfo.InvariantCulture) + " Mbit/s",
                lane.SentMbps.ToString("0.#", CultureInfo.InvariantCulture) + " Mbit/s",
                lane.HasShare ? lane.Share.ToString("P0", CultureInfo.InvariantCulture) : "-",
                Bytes(lane.InFlightBytes),
                Bytes(lane.ResentBytes),
            ];
            table.AddRow([.. cells.Select(Markup.Escape)]);
        }

        return table;
    }

    private static string Draw(Table table)
    {
        using var text = new StringWriter(CultureInfo.InvariantCulture);
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors, Out = new AnsiConsoleOutput(text) });
        // Lines are as long as their content: whoever pipes this has no width.
        console.Profile.Width = 400;
        console.Write(table);
        return string.Join('\n', text.ToString().Split('\n').Select(l => l.TrimEnd())).TrimEnd() + "\n";
    }

    private static string Age(double seconds)
    {
        var age = TimeSpan.FromSeconds(seconds);
        return age.TotalDays >= 1 ? $"{(int)age.TotalDays} d {age.Hours} h"
            : age.TotalHours >= 1 ? $"{(int)age.TotalHours} h {age.Minutes} min"
            : age.TotalMinutes >= 1 ? $"{(int)age.TotalMinutes} min"
            : $"{(int)age.TotalSeconds} s";
    }

    private static string Bytes(ulong bytes)
    {
        string[] units = ["B", "KB", "MB", "GB", "TB", "PB"];
        double value = bytes;
        int unit = 0;
        while (value >= 1000 && unit < units.Length - 1)
        {
            value /= 1000;
            unit++;
        }

        return value.ToString(unit == 0 || value >= 100 ? "0" : "0.0", CultureInfo.InvariantCulture) + " " + units[unit];
    }
}
