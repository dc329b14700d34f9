using System.Collections.Immutable;
using System.Net;
using Aggregator.Settings;

namespace Aggregator.Vps.Configuration;

/// <summary>vps.yaml to <see cref="VpsConfig"/>.</summary>
internal static class VpsConfigFile
{
    internal const string DefaultPath = "/etc/aggregator/vps.yaml";

    internal static Loaded<VpsConfig> Load(string path) => Read(path, YamlFile.Load(path));

    internal static Loaded<VpsConfig> Parse(string path, ReadOnlySpan<byte> content) => Read(path, YamlFile.Parse(path, content));

    private static Loaded<VpsConfig> Read(string path, (YamlMap? Root, SettingError? Error) file)
    {
        if (file.Root is not { } root)
        {
            return new Loaded<VpsConfig>([file.Error!]);
        }

        var errors = new List<SettingError>();
        var reader = new MapReader(path, root, "", errors);
        var defaults = new VpsConfig();
        var config = new VpsConfig
        {
            Listen = reader.Value("listen", Values.EndPoint) ?? defaults.Listen,
            Public = reader.List("public", "[vps.example.net]", Values.Host) ?? [],
            EgressAllow = ReadEgress(reader),
            AllowPlain = reader.Value("plain", text => Values.OneOf(text, "refuse", "allow")) is "allow",
            State = reader.Value("state", Values.AbsolutePath) ?? defaults.State,
            Api = reader.Value("api", Values.UnixSocketPath) ?? defaults.Api,
        };
        reader.Finish();
        if (config.Public.Distinct(StringComparer.OrdinalIgnoreCase).Count() != config.Public.Length)
        {
            reader.Report("public", "names a host twice; remove one");
        }

        return errors.Count == 0 ? new Loaded<VpsConfig>(config) : new Loaded<VpsConfig>(errors);
    }

    private static ImmutableArray<IPNetwork> ReadEgress(MapReader root)
    {
        if (root.Map("egress", "{allow: [10.50.0.0/24]}") is not { } reader)
        {
            return [];
        }

        var allow = reader.List("allow", "[10.50.0.0/24]", Values.Network) ?? [];
        reader.Finish();
        return allow;
    }
}
