using System.CommandLine;
using Aggregator.Cli;
using Aggregator.Identity;
using Aggregator.Settings;
using Aggregator.Vps.Configuration;
using Aggregator.Vps.Pairing;
using QRCoder;

namespace Aggregator.Vps.Cli;

/// <summary>`pair`: a one-time code as the line that the gateway's `pair` takes. Works with and without a running daemon.</summary>
internal static class PairCommand
{
    private static readonly TimeSpan DefaultLifetime = TimeSpan.FromHours(1);

    private const string WhiteOnBlack = "\e[97;40m";
    private const string Reset = "\e[0m";

    internal static Command Create()
    {
        var name = Options.Strict("--name", "NAME", "What to call the gateway; default: what it calls itself", Values.Name);
        var expires = Options.Strict("--expires", "TIME", "How long the code works, such as 30m or 7d; default: 1h", Durations.Parse);
        var qr = new Option<bool>("--qr") { Description = "Also draw it as a QR code (on standard error)" };
        var config = Options.Config(VpsConfigFile.DefaultPath);
        var command = new ExampleCommand(
            "pair",
            "Prints one line with a code that works once. Give it to `aggregator-gateway pair`.",
            $"{RootCommandFactory.Name} pair --name home",
            $"{RootCommandFactory.Name} pair --expires 10m --qr")
        {
            name, expires, qr, config,
        };
        command.SetAction(parsed =>
        {
            var line = MakeLine(parsed.GetRequiredValue(config), parsed.GetValue(name), parsed.GetValue(expires) is { Ticks: > 0 } lifetime ? lifetime : DefaultLifetime, TimeProvider.System);
            if (parsed.GetValue(qr))
            {
                parsed.InvocationConfiguration.Error.Write(Draw(line));
            }

            parsed.InvocationConfiguration.Output.WriteLine(line);
            return ExitCode.Done;
        });
        return command;
    }

    private static PairingUri MakeLine(string configPath, string? name, TimeSpan lifetime, TimeProvider time)
    {
        var config = VpsSettings.Load(configPath);
        if (config.Public.IsEmpty)
        {
            throw new CliException($"{configPath}: key `public` names no host, so gateways cannot know where this one is; add `public: [NAME-OR-ADDRESS]`");
        }

        using var key = IdentityKey.LoadOrCreate(config.State);
        string code = new PairingCodes(config.State, time).Create(name, lifetime);
        return new PairingUri(config.Public, (ushort)config.Listen.Port, key.Pin, code);
    }

    /// <summary>Two rows of squares a line. Drawn is what is light, as terminals are mostly dark; with colours it is right on all.</summary>
    private static string Draw(PairingUri line)
    {
        using var generator = new QRCodeGenerator();
        using var data = generator.CreateQrCode(line.ToString(), QRCodeGenerator.ECCLevel.L);
        using var code = new AsciiQRCode(data);
        string[] rows = code.GetGraphicSmall().Split('\n');
        return string.Concat(rows.Select(r => Terminal.ErrorUsesColour ? $"{WhiteOnBlack}{r}{Reset}\n" : $"{r}\n"));
    }
}
