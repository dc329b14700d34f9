using System.CommandLine;
using System.Globalization;
using System.Text;
using Aggregator.Cli;
using Aggregator.Gateway.Apply;
using Aggregator.Gateway.Configuration;
using Aggregator.Interop;
using Aggregator.Protocol.V1;

namespace Aggregator.Gateway.Cli;

/// <summary>`use`: becomes a program whose packets leave by one link.</summary>
internal static class UseCommand
{
    internal const string Name = "use";

    private static readonly string[] OwnOptions = ["--config", "--api"];

    internal static Command Create()
    {
        var link = new Argument<string>("LINK") { Description = "The link's name or interface, as `status` shows it" };
        var program = new Argument<string[]>("COMMAND") { Description = "The program with its arguments", Arity = ArgumentArity.OneOrMore };
        var api = new Option<string?>("--api") { Description = "The daemon's socket, in place of the configuration's", Hidden = true };
        var config = Options.Config(GatewayConfigFile.DefaultPath);
        var command = new ExampleCommand(
            Name,
            "Runs a program over one link: whatever it sends leaves by that link, with that link's address, or not at all. Needs root. LINK, INTERFACE, ADDRESS and GATEWAY are in its environment; the exit status is the program's.",
            $"sudo {RootCommandFactory.Name} use lte curl -sS https://example.net/")
        {
            link, program, api, config,
        };
        command.SetAction(async (parsed, cancel) =>
        {
            string path = parsed.GetRequiredValue(config);
            using var local = await LocalClient.ConnectAsync(parsed.GetValue(api) ?? GatewaySettings.Load(path).Api, GatewaySettings.Command("run", path), cancel);
            var request = new LinkScopeRequest { Link = parsed.GetRequiredValue(link) };
            var scope = await LocalCall.RunAsync(
                options => new GatewayRoles.GatewayRolesClient(local.Channel).GetLinkScopeAsync(request, options).ResponseAsync, cancel);
            if (scope.HasReason)
            {
                await parsed.InvocationConfiguration.Error.WriteLineAsync($"{RootCommandFactory.Name}: {scope.Name} is not up ({scope.Reason}); trying all the same");
            }

            try
            {
                LinkScopes.Enter(scope.Mark);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CliException($"programs cannot be tied to a link: {e.Message}; run this as root, on a kernel with cgroup version 2 and BPF", inner: e);
            }

            return Become(parsed.GetRequiredValue(program), scope);
        });
        return command;
    }

    /// <summary>
    /// What follows the link is the program's, options too: so it is told to the parser. A `--config FILE` at the very end is ours all the same where
    /// there is no other configuration to take (scripts put it behind every command).
    /// </summary>
    internal static IReadOnlyList<string> Separate(IReadOnlyList<string> arguments)
    {
        if (arguments.Count == 0 || arguments[0] != Name)
        {
            return arguments;
        }

        if (arguments is [.., "--config", var file] && arguments.Count(a => a == "--config") == 1
            && !File.Exists(GatewayConfigFile.DefaultPath) && File.Exists(file))
        {
            return Separate([Name, "--config", file, .. arguments.Skip(1).SkipLast(2)]);
        }

        for (int i = 1; i < arguments.Count; i++)
        {
            if (arguments[i] == "--")
            {
                break;
            }

            if (OwnOptions.Contains(arguments[i]))
            {
                i++;
            }
            else if (!arguments[i].StartsWith('-'))
            {
                // No program's name begins with a dash: an option of ours right behind the link is ours.
                int program = i + 1;
                while (program < arguments.Count && OwnOptions.Contains(arguments[program]))
                {
                    program += 2;
                }

                return program >= arguments.Count || arguments[program] == "--" ? arguments : [.. arguments.Take(program), "--", .. arguments.Skip(program)];
            }
        }

        return arguments;
    }

    private static unsafe int Become(string[] program, LinkScope scope)
    {
        var environment = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (System.Collections.DictionaryEntry entry in Environment.GetEnvironmentVariables())
        {
            environment[(string)entry.Key] = (string?)entry.Value ?? "";
        }

        environment["LINK"] = scope.Name;
        environment["INTERFACE"] = scope.Interface;
        environment["ADDRESS"] = scope.HasAddress ? scope.Address : "";
        environment["GATEWAY"] = scope.HasGateway ? scope.Gateway : "";
        environment["MARK"] = scope.Mark.ToString(CultureInfo.InvariantCulture);

        // The runtime ignores it, and what is ignored stays so in the new program.
        _ = Libc.signal(Libc.SIGPIPE, Libc.SIG_DFL);
        using var arguments = new NativeStrings(program);
        using var variables = new NativeStrings(environment.Select(e => $"{e.Key}={e.Value}"));
        _ = Libc.execvpe(program[0], arguments.Pointer, variables.Pointer);
        throw new CliException($"{program[0]}: {Libc.Error("exec").Message}");
    }

    /// <summary>A null-terminated array of C strings.</summary>
    private sealed unsafe class NativeStrings : IDisposable
    {
        private readonly nint[] _strings;
        private readonly byte** _array;

        internal NativeStrings(IEnumerable<string> texts)
        {
            _strings = [.. texts.Select(Copy)];
            _array = (byte**)System.Runtime.InteropServices.NativeMemory.AllocZeroed((nuint)_strings.Length + 1, (nuint)sizeof(byte*));
            for (int i = 0; i < _strings.Length; i++)
            {
                _array[i] = (byte*)_strings[i];
            }
        }

        internal byte** Pointer => _array;

        public void Dispose()
        {
            foreach (nint text in _strings)
            {
                System.Runtime.InteropServices.NativeMemory.Free((void*)text);
            }

            System.Runtime.InteropServices.NativeMemory.Free(_array);
        }

        private static nint Copy(string text)
        {
            int length = Encoding.UTF8.GetByteCount(text);
            byte* copy = (byte*)System.Runtime.InteropServices.NativeMemory.AllocZeroed((nuint)length + 1);
            Encoding.UTF8.GetBytes(text, new Span<byte>(copy, length));
            return (nint)copy;
        }
    }
}
