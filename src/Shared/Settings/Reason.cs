using System.Net.Sockets;

namespace Aggregator.Settings;

/// <summary>Why something failed, short enough for the middle of a line: .NET's messages repeat paths and end with a full stop.</summary>
internal static class Reason
{
    internal static string Of(Exception exception) => exception switch
    {
        UnauthorizedAccessException => "permission denied",
        FileNotFoundException or DirectoryNotFoundException => "no such file or directory",
        SocketException s => s.SocketErrorCode switch
        {
            SocketError.ConnectionRefused => "connection refused",
            SocketError.TimedOut => "no answer",
            SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain => "the name is not known",
            SocketError.HostUnreachable => "no route to the host",
            SocketError.NetworkUnreachable => "the network is unreachable",
            SocketError.ConnectionReset => "connection reset",
            SocketError.AddressAlreadyInUse => "the address is in use",
            SocketError.AddressNotAvailable => "this host does not have the address",
            _ => OneLine(s.Message),
        },
        IOException io => OneLine(WithoutPath(io.Message)),
        _ => OneLine(exception.Message),
    };

    /// <summary>.NET ends them with " : '/the/path'", which may be a temporary file's that nobody knows.</summary>
    private static string WithoutPath(string message) => message.IndexOf(" : '", StringComparison.Ordinal) is var at and > 0 ? message[..at] : message;

    private static string OneLine(string text) => text.ReplaceLineEndings(" ").TrimEnd('.', ' ');
}
