using System.Net;
using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Diagnosis;

/// <summary>Event ids 3900 to 3949.</summary>
internal static partial class DiagnosisLog
{
    [LoggerMessage(EventId = 3901, Level = LogLevel.Information, Message = "{Name} diagnoses its lines: UDP {Address} ports {First} and {Second} answer it for {Seconds} s")]
    internal static partial void EchoOpened(this ILogger logger, string name, IPAddress address, int first, int second, double seconds);

    [LoggerMessage(EventId = 3902, Level = LogLevel.Information, Message = "The UDP ports {First} and {Second} are closed again; {Answers} answers")]
    internal static partial void EchoClosed(this ILogger logger, int first, int second, int answers);
}
