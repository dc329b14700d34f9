using System.CommandLine;
using System.Text;
using Aggregator.Cli;
using Aggregator.Identity;
using Aggregator.Settings;
using Aggregator.Vps.Configuration;

namespace Aggregator.Vps.Cli;

/// <summary>`init`: a commented configuration and the identity key.</summary>
internal static class InitCommand
{
    /// <summary>The file holds no secret.</summary>
    private const UnixFileMode FileMode = AtomicFile.OwnerOnly | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    internal static Command Create()
    {
        var defaults = new VpsConfig();
        var hosts = new Option<string[]>("--public")
        {
            Description = "A name or address under which gateways reach this host; again for further ones, best first",
            HelpName = "HOST",
            Required = true,
        };
        var port = Options.Strict("--port", "PORT", "The one TCP port that everything uses", Values.Port);
        port.DefaultValueFactory = _ => (ushort)defaults.Listen.Port;
        var config = Options.Config(VpsConfigFile.DefaultPath);
        var state = Options.Strict("--state", "DIR", "Where keys and pairings are kept", Values.AbsolutePath);
        state.DefaultValueFactory = _ => defaults.State;
        var api = Options.Strict("--api", "PATH", "The daemon's Unix socket", Values.UnixSocketPath);
        api.DefaultValueFactory = _ => defaults.Api;
        var force = new Option<bool>("--force") { Description = "Replace a configuration that is there (the key is kept)" };
        hosts.Validators.Add(result =>
        {
            foreach (var token in result.Tokens)
            {
                if (Values.Host(token.Value).Problem is { } problem)
                {
                    result.AddError($"--public: {problem}");
                }
            }
        });

        var command = new ExampleCommand(
            "init",
            "Writes a configuration with comments and makes the identity key.",
            $"{RootCommandFactory.Name} init --public vps.example.net")
        {
            hosts, port, config, state, api, force,
        };
        command.SetAction(parsed => Run(
            parsed.GetRequiredValue(config),
            Text([.. parsed.GetRequiredValue(hosts).Select(h => Values.Host(h).Value!)], parsed.GetValue(port), parsed.GetRequiredValue(state), parsed.GetRequiredValue(api)),
            parsed.GetValue(force),
            parsed.InvocationConfiguration.Output));
        return command;
    }

    private static int Run(string path, string text, bool force, TextWriter output)
    {
        if (!force && File.Exists(path))
        {
            throw new CliException($"{path} is there already; edit it, or replace it with `--force`");
        }

        // Read back before it is written: what we write is what `run` will take.
        var bytes = Encoding.UTF8.GetBytes(text);
        var loaded = VpsConfigFile.Parse(path, bytes);
        if (!loaded.Succeeded)
        {
            throw new CliException(loaded.FirstError!);
        }

        using var key = IdentityKey.LoadOrCreate(loaded.Config.State);
        MakeDirectoryOf(path);
        if (force)
        {
            AtomicFile.Write(path, bytes, FileMode);
        }
        else if (!AtomicFile.TryCreate(path, bytes, FileMode))
        {
            throw new CliException($"{path} is there already; edit it, or replace it with `--force`");
        }

        output.WriteLine($"wrote {path}; the key is in {loaded.Config.State} (pin {key.Pin})");
        output.WriteLine($"next: `{VpsSettings.Command("run", path)}`, then `{VpsSettings.Command("pair", path)}` and give its line to the gateway");
        return ExitCode.Done;
    }

    private static void MakeDirectoryOf(string path)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StateException(path, $"its directory cannot be made ({Reason.Of(e)}); run this as root or name another file with `--config`", e);
        }
    }

    private static string Text(string[] hosts, ushort port, string state, string api) => $"""
        # aggregator-vps; after a change: `systemctl reload aggregator-vps` or SIGHUP

        # The one TCP port for everything, IPv4 and IPv6. Open it in the firewall.
        listen: "[::]:{port}"

        # Names or addresses of this host for gateways, best first. They are put into pairing lines.
        public: [{string.Join(", ", hosts.Select(Quoted))}]

        # Private ranges that clients of gateways may reach through this host all the same. Default: none.
        #egress:
        #  allow: [10.50.0.0/24]

        # Whether gateways may send data without cipher (`cipher: none` there): refuse or allow.
        #plain: refuse

        # The identity key and the pairings. Keep a backup of identity.pem: gateways know this host by it.
        state: {Quoted(state)}

        # The daemon's own Unix socket, for `aggregator-vps status` and others.
        api: {Quoted(api)}

        """;

    /// <summary>Double-quoted YAML, where backslash and quote are the characters to escape; the values have no control characters.</summary>
    private static string Quoted(string text) => $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
}
