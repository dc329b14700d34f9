using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Aggregator.Interop;

namespace Aggregator.WireGuard;

/// <summary>
/// A device of wireguard-go, a program of its own that we start in the foreground and talk to over its UAPI socket. It makes the interface,
/// and the interface goes with it. It has our namespace and no more privileges than we.
/// </summary>
internal sealed class UserSpaceWireGuard : IWireGuardDevice
{
    internal const string Program = "wireguard-go";

    /// <summary>Where every user-space WireGuard has its sockets.</summary>
    private const string SocketDirectory = "/var/run/wireguard";

    /// <summary>From its start to its socket; it takes some 20 ms on an idle machine.</summary>
    private static readonly TimeSpan StartTime = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);

    /// <summary>An answer comes at once or never.</summary>
    private static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(5);

    /// <summary>A device with the most clients that we allow tells less than 100 KB.</summary>
    private const int MaxAnswerBytes = 1 << 20;

    /// <summary>Of what it says, for the reason; it says little before it ends.</summary>
    private const int MaxComplaint = 2000;

    private readonly Process _process;
    private readonly TimeProvider _time;
    private readonly Task<string> _complaint;
    private volatile bool _isEnding;

    private UserSpaceWireGuard(string name, Process process, TimeProvider time)
    {
        Name = name;
        _process = process;
        _time = time;
        _complaint = ReadAsync(process.StandardError);
        Ended = WatchAsync();
    }

    public string Name { get; }

    public string Backend => Program;

    public Task<string> Ended { get; }

    /// <summary>For whoever watches from outside (tests kill it).</summary>
    internal int ProcessId => _process.Id;

    /// <summary>Starts the program and waits for its socket; the interface is there then, down and without addresses.</summary>
    /// <returns>The device; or why there is none, with the next step.</returns>
    internal static async Task<(UserSpaceWireGuard? Device, string? Problem)> StartAsync(string name, TimeProvider time, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(Program, ["--foreground", name])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        start.Environment["LOG_LEVEL"] = "error";
        var process = new Process { StartInfo = start };
        try
        {
            process.Start();
        }
        catch (Win32Exception e)
        {
            process.Dispose();
            return (null, e.NativeErrorCode == Libc.ENOENT
                ? $"this kernel has no WireGuard and the program {Program} is not installed: `apt install wireguard-go`, or a kernel with CONFIG_WIREGUARD"
                : $"{Program} cannot be started: {e.Message}");
        }

        process.StandardInput.Close();
        process.StandardOutput.Close();
        var device = new UserSpaceWireGuard(name, process, time);
        long began = time.GetTimestamp();
        try
        {
            while (true)
            {
                if (device.Ended.IsCompleted)
                {
                    string reason = await device.Ended;
                    await device.DisposeAsync();
                    return (null, reason);
                }

                if (await TryConnectAsync(name, cancellationToken) is { } socket)
                {
                    socket.Dispose();
                    return (device, null);
                }

                if (time.GetElapsedTime(began) > StartTime)
                {
                    await device.DisposeAsync();
                    return (null, $"{Program} does not open its socket in {SocketDirectory}");
                }

                await Task.Delay(Look, time, cancellationToken);
            }
        }
        catch
        {
            await device.DisposeAsync();
            throw;
        }
    }

    public async Task ConfigureAsync(WireGuardChange change, CancellationToken cancellationToken)
    {
        string answer = await AskAsync(UapiText.Set(change), cancellationToken);
        if (UapiText.Errno(answer) is not 0 and var errno)
        {
            throw new IOException(errno is { } number
                ? $"{Program} refuses its configuration (errno {number.ToString(CultureInfo.InvariantCulture)}{(number == Libc.EADDRINUSE ? ": the port is in use" : "")})"
                : $"{Program} gave no answer");
        }
    }

    public async Task<IReadOnlyList<WireGuardPeerState>> PeersAsync(CancellationToken cancellationToken)
    {
        string answer = await AskAsync(UapiText.Get, cancellationToken);
        return UapiText.Errno(answer) == 0 && UapiText.Peers(answer) is { } peers ? peers : throw new IOException($"{Program}'s answer makes no sense");
    }

    /// <summary>Ends the program, which takes the interface with it.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isEnding)
        {
            return;
        }

        _isEnding = true;
        if (!_process.HasExited)
        {
            _ = Libc.kill(_process.Id, Libc.SIGTERM);
            using var patience = new CancellationTokenSource(AnswerTime, _time);
            try
            {
                await _process.WaitForExitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                _process.Kill();
            }
        }

        await Ended;
        _process.Dispose();
        File.Delete(SocketPath(Name));
    }

    /// <summary>Waits until a program that lost its interface has gone, and takes its socket away: one that another daemon left.</summary>
    internal static async Task ForgetAsync(string name, TimeProvider time, CancellationToken cancellationToken)
    {
        long began = time.GetTimestamp();
        while (await TryConnectAsync(name, cancellationToken) is { } socket)
        {
            socket.Dispose();
            if (time.GetElapsedTime(began) > AnswerTime)
            {
                return;
            }

            await Task.Delay(Look, time, cancellationToken);
        }

        if (Directory.Exists(SocketDirectory))
        {
            File.Delete(SocketPath(name));
        }
    }

    private static string SocketPath(string name) => Path.Combine(SocketDirectory, $"{name}.sock");

    private static async Task<Socket?> TryConnectAsync(string name, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(SocketPath(name)), cancellationToken);
            return socket;
        }
        catch (SocketException)
        {
            // Not there yet, or left by one that was killed.
            socket.Dispose();
            return null;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task<string> AskAsync(string question, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(AnswerTime, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            using var socket = await TryConnectAsync(Name, either.Token) ?? throw new IOException($"{Program} does not run");
            using var stream = new NetworkStream(socket);
            await stream.WriteAsync(Encoding.ASCII.GetBytes(question), either.Token);
            byte[] buffer = new byte[4096];
            int length = 0;
            while (true)
            {
                int count = await stream.ReadAsync(buffer.AsMemory(length), either.Token);
                length += count;
                if (count == 0 || buffer.AsSpan(0, length).EndsWith("\n\n"u8))
                {
                    return Encoding.ASCII.GetString(buffer, 0, length);
                }

                if (length == buffer.Length)
                {
                    Array.Resize(ref buffer, length < MaxAnswerBytes ? length * 2 : throw new IOException($"{Program}'s answer has no end"));
                }
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new IOException($"{Program} does not answer");
        }
    }

    private async Task<string> WatchAsync()
    {
        await _process.WaitForExitAsync(CancellationToken.None);
        string said = await _complaint;
        return string.Create(CultureInfo.InvariantCulture, $"{Program} ended with status {_process.ExitCode}{(said.Length > 0 ? $": {said}" : "")}");
    }

    /// <summary>Its last line, of a bounded text: the first ones advise against itself.</summary>
    private static async Task<string> ReadAsync(StreamReader reader)
    {
        var kept = new StringBuilder();
        char[] buffer = new char[512];
        int count;
        while ((count = await reader.ReadAsync(buffer)) > 0)
        {
            kept.Append(buffer, 0, count);
            if (kept.Length > MaxComplaint)
            {
                kept.Remove(0, kept.Length - MaxComplaint);
            }
        }

        string last = kept.ToString().TrimEnd().Split('\n')[^1].Trim();
        return last.StartsWith('└') ? "" : last;
    }
}
