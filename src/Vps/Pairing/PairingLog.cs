using System.Net;
using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Pairing;

internal static partial class PairingLog
{
    [LoggerMessage(3601, LogLevel.Information, "gateway {Name} is paired (key {Pin}, from {Address})")]
    internal static partial void Paired(this ILogger logger, string name, string pin, IPAddress address);

    [LoggerMessage(3602, LogLevel.Warning, "a wrong, used or expired pairing code from {Address}")]
    internal static partial void WrongCode(this ILogger logger, IPAddress address);

    /// <summary>Debug: the five before it were warnings, and these come as fast as somebody can knock.</summary>
    [LoggerMessage(3603, LogLevel.Debug, "too many wrong pairing codes from {Address}: no further one is looked at for a minute")]
    internal static partial void TooManyTries(this ILogger logger, IPAddress address);

    [LoggerMessage(3604, LogLevel.Error, "pairing failed: {Problem}")]
    internal static partial void StateFailed(this ILogger logger, string problem);
}
