using System.Diagnostics;
using Xunit;

namespace Aggregator.Shared.Tests.Rpc;

/// <summary>Debian's grpcio: the echo stubs for Python, made once in a directory that goes away again.</summary>
public sealed class Foreign : IAsyncLifetime
{
    /// <summary>Debian's own interpreter: only it sees Debian's modules.</summary>
    private const string Python = "/usr/bin/python3";

    public string Stubs { get; } = Directory.CreateTempSubdirectory("grpc-stubs-").FullName;

    public async Task InitializeAsync()
    {
        if (!File.Exists(Python) || await RunAsync("-c", "import grpc, grpc_tools.protoc, google.protobuf") is { ExitCode: not 0 })
        {
            throw new InvalidOperationException(
                "The gRPC tests need a foreign implementation: apt-get install python3 python3-grpcio python3-grpc-tools");
        }

        string proto = Path.Combine(AppContext.BaseDirectory, "Grpc");
        (int exit, string output) = await RunAsync(
            "-m", "grpc_tools.protoc", $"-I{proto}", $"--python_out={Stubs}", $"--grpc_python_out={Stubs}", "echo.proto");
        if (exit != 0)
        {
            throw new InvalidOperationException($"grpc_tools.protoc failed: {output}");
        }
    }

    public Task DisposeAsync()
    {
        Directory.Delete(Stubs, recursive: true);
        return Task.CompletedTask;
    }

    /// <summary>Starts one of the scripts beside this file, its standard streams in our hands.</summary>
    internal static Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo(Python)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.Combine(AppContext.BaseDirectory, "Grpc"),
        };
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
        start.Environment["PYTHONIOENCODING"] = "utf-8";
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        return Process.Start(start) ?? throw new InvalidOperationException($"{Python} did not start.");
    }

    private static async Task<(int ExitCode, string Output)> RunAsync(params string[] arguments)
    {
        using Process process = Start(arguments);
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output + errors);
    }
}
