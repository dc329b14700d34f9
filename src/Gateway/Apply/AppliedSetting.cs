namespace Aggregator.Gateway.Apply;

/// <summary>A setting of the host that differs from before because of the gateway; `down` puts <paramref name="Before"/> back.</summary>
internal sealed record AppliedSetting(string Name, string Value, string Before);
