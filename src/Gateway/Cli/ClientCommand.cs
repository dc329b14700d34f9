using System.CommandLine;
using System.Globalization;
using Aggregator.Cli;
using Aggregator.Gateway.Configuration;
using Aggregator.Protocol.V1;
using Aggregator.Settings;
using QRCoder;

namespace Aggregator.Gateway.Cli;

/// <summary>`client`: phones and PCs that come in over WireGuard.</summary>
internal static class ClientCommand
{
    private const string WhiteOnBlack = "\e[97;40m";
    private const string Reset = "\e[0m";

    internal static Command Create() => new("client", "Roaming clients: phones and PCs that reach this gateway over WireGuard from anywhere and are carried like the LAN's.")
    {
        CreateAdd(), CreateList(), CreateRemove(),
    };

    private static ExampleCommand CreateAdd()
    {
        var name = Options.StrictArgument("NAME", "What to call it", Values.Name);
        var endPoint = Options.Strict("--endpoint", "HOST:PORT", "Where the client finds this gateway; default: `endpoint` under `clients`, or the address of a WAN", ClientsConfigReader.EndPoint);
        var noQr = new Option<bool>("--no-qr") { Description = "Do not draw the QR code (on standard error)" };
        var config = Options.Config(GatewayConfigFile.DefaultPath);
        var command = new ExampleCommand(
            "add",
            "Adds a client and prints its WireGuard configuration, once: its private key is not kept. The QR code is for WireGuard's app on a phone.",
            $"{RootCommandFactory.Name} client add phone",
            $"{RootCommandFactory.Name} client add laptop --endpoint home.example.net:51820 > laptop.conf")
        {
            name, endPoint, noQr, config,
        };
        command.SetAction(async (parsed, cancel) =>
        {
            var request = new AddClientRequest { Name = parsed.GetRequiredValue(name) };
            if (parsed.GetValue(endPoint) is { } at)
            {
                request.Endpoint = at;
            }

            using var local = await ConnectAsync(parsed.GetRequiredValue(config), cancel);
            var reply = await LocalCall.RunAsync(options => new GatewayClients.GatewayClientsClient(local.Channel).AddClientAsync(request, options).ResponseAsync, cancel);
            var error = parsed.InvocationConfiguration.Error;
            if (!parsed.GetValue(noQr))
            {
                await error.WriteAsync(Draw(reply.Configuration));
            }

            foreach (string note in reply.Notes)
            {
                await error.WriteLineAsync($"note: {note}");
            }

            await parsed.InvocationConfiguration.Output.WriteAsync(reply.Configuration);
            return ExitCode.Done;
        });
        return command;
    }

    private static ExampleCommand CreateList()
    {
        var json = Options.Json();
        var config = Options.Config(GatewayConfigFile.DefaultPath);
        var command = new ExampleCommand("list", "Shows the clients, where they are and what they moved.", $"{RootCommandFactory.Name} client list --json") { json, config };
        command.SetAction(async (parsed, cancel) =>
        {
            using var local = await ConnectAsync(parsed.GetRequiredValue(config), cancel);
            var reply = await LocalCall.RunAsync(
                options => new GatewayClients.GatewayClientsClient(local.Channel).ListClientsAsync(new ListClientsRequest(), options).ResponseAsync, cancel);
            await parsed.InvocationConfiguration.Output.WriteLineAsync(
                parsed.GetValue(json) ? JsonOutput.Format(reply)
                : reply.Clients.Count == 0 ? $"no clients; `{RootCommandFactory.Name} client add NAME` adds one"
                : string.Join('\n', reply.Clients.Select(Text)));
            return ExitCode.Done;
        });
        return command;
    }

    private static ExampleCommand CreateRemove()
    {
        var name = new Argument<string>("NAME") { Description = "As `client list` shows it" };
        var config = Options.Config(GatewayConfigFile.DefaultPath);
        var command = new ExampleCommand("remove", "Removes a client; what it has open ends at once.", $"{RootCommandFactory.Name} client remove phone") { name, config };
        command.SetAction(async (parsed, cancel) =>
        {
            var request = new RemoveClientRequest { Name = parsed.GetRequiredValue(name) };
            using var local = await ConnectAsync(parsed.GetRequiredValue(config), cancel);
            await LocalCall.RunAsync(options => new GatewayClients.GatewayClientsClient(local.Channel).RemoveClientAsync(request, options).ResponseAsync, cancel);
            await parsed.InvocationConfiguration.Output.WriteLineAsync($"{request.Name} is removed");
            return ExitCode.Done;
        });
        return command;
    }

    private static Task<LocalClient> ConnectAsync(string path, CancellationToken cancellationToken) =>
        LocalClient.ConnectAsync(GatewaySettings.Load(path).Api, GatewaySettings.Command("run", path), cancellationToken);

    private static string Text(RoamingClient client)
    {
        string seen = client.HasLastHandshakeS ? string.Create(CultureInfo.InvariantCulture, $"seen {client.LastHandshakeS:0} s ago at {client.Endpoint}") : "not seen";
        string moved = client.HasRxBytes ? string.Create(CultureInfo.InvariantCulture, $", {client.RxBytes} bytes from it, {client.TxBytes} to it") : "";
        return $"{client.Name,-16} {string.Join(", ", client.Addresses)}  {seen}{moved}";
    }

    /// <summary>Two rows of squares a line. Drawn is what is light, as terminals are mostly dark; with colours it is right on all.</summary>
    private static string Draw(string configuration)
    {
        using var generator = new QRCodeGenerator();
        using var data = generator.CreateQrCode(configuration, QRCodeGenerator.ECCLevel.L);
        using var code = new AsciiQRCode(data);
        string[] rows = code.GetGraphicSmall().Split('\n');
        return string.Concat(rows.Select(r => Terminal.ErrorUsesColour ? $"{WhiteOnBlack}{r}{Reset}\n" : $"{r}\n"));
    }
}
