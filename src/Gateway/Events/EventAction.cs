namespace Aggregator.Gateway.Events;

/// <summary>What can happen: the values of a hook's ACTION. Names never change.</summary>
internal static class EventAction
{
    internal const string Up = "up";
    internal const string Degraded = "degraded";
    internal const string Down = "down";

    /// <summary>The link's interface has come.</summary>
    internal const string Added = "added";

    /// <summary>The link's interface has gone.</summary>
    internal const string Removed = "removed";

    internal const string Role = "role";
    internal const string Address = "address";
    internal const string Gateway = "gateway";
    internal const string Portal = "portal";
    internal const string PortalGone = "portal-gone";
    internal const string PortalLogin = "portal-login";
    internal const string QuotaWarning = "quota-warning";
    internal const string QuotaExceeded = "quota-exceeded";
    internal const string QuotaBegun = "quota-begun";
    internal const string VpsConnected = "vps-connected";
    internal const string VpsLost = "vps-lost";
    internal const string DirectOn = "direct-on";
    internal const string DirectOff = "direct-off";

    /// <summary>The roaming clients' interface is there.</summary>
    internal const string ClientsOn = "clients-on";

    /// <summary>It could not be made, or is gone; it is made again.</summary>
    internal const string ClientsOff = "clients-off";

    /// <summary>A hook ended otherwise than with 0, or was killed after its time. No hook is told of it.</summary>
    internal const string HookFailed = "hook-failed";
}
