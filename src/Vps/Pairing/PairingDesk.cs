using System.Net;
using Aggregator.Identity;
using Aggregator.Settings;
using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Pairing;

internal enum PairingOutcome
{
    Paired,

    /// <summary>Wrong, used or expired; nobody is told which.</summary>
    Refused,

    TooManyTries,

    /// <summary>The state could not be read or written; the log says why.</summary>
    Failed,
}

/// <summary>Decides about one try to pair; without gRPC.</summary>
internal sealed class PairingDesk(
    PairingCodes codes, PairedGateways gateways, PairingRateLimit limit, KeyPin ownPin, TimeProvider time, ILogger<PairingDesk> log)
{
    /// <summary>For a gateway whose own name is not one.</summary>
    private const string DefaultName = "gateway";

    /// <param name="proof">As received.</param>
    /// <param name="wantedName">As received.</param>
    /// <param name="peer">The key that the peer proved to have.</param>
    /// <param name="address">Where the peer is.</param>
    /// <returns>The gateway when it is now paired.</returns>
    internal (PairingOutcome Outcome, PairedGateway? Gateway) Pair(ReadOnlySpan<byte> proof, string wantedName, KeyPin peer, IPAddress address)
    {
        if (!limit.TryBegin(address))
        {
            log.TooManyTries(address);
            return (PairingOutcome.TooManyTries, null);
        }

        try
        {
            if (codes.TryRedeem(proof, ownPin, peer) is not { } redeemed)
            {
                log.WrongCode(address);
                return (PairingOutcome.Refused, null);
            }

            limit.Forgive(address);
            string name = redeemed.GatewayName ?? (Values.Name(wantedName).Problem is null ? wantedName : DefaultName);
            var gateway = gateways.Add(name, peer, time.GetUtcNow());
            log.Paired(gateway.Name, gateway.Pin.ToString(), address);
            return (PairingOutcome.Paired, gateway);
        }
        catch (StateException e)
        {
            log.StateFailed(e.Message);
            return (PairingOutcome.Failed, null);
        }
    }
}
