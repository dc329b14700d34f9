using System.Collections.Immutable;
using System.Net;
using System.Text;
using Aggregator.Datagrams;
using Aggregator.Settings;

namespace Aggregator.Gateway.Configuration;

/// <summary>gateway.yaml to <see cref="GatewayConfig"/>. An interface that does not exist is no error here: it may come later.</summary>
internal static class GatewayConfigFile
{
    internal const string DefaultPath = "/etc/aggregator/gateway.yaml";

    private const string WanExample = "{interface: wan1, name: fibre}";
    private const string UserExample = "{name: me, password: secret}";

    /// <summary>RFC 1929 section 2: one byte counts each of the two.</summary>
    private const int MaxCredentialBytes = 255;

    internal static Loaded<GatewayConfig> Load(string path) => Read(path, YamlFile.Load(path));

    internal static Loaded<GatewayConfig> Parse(string path, ReadOnlySpan<byte> content) => Read(path, YamlFile.Parse(path, content));

    private static Loaded<GatewayConfig> Read(string path, (YamlMap? Root, SettingError? Error) file)
    {
        if (file.Root is not { } root)
        {
            return new Loaded<GatewayConfig>([file.Error!]);
        }

        var errors = new List<SettingError>();
        var reader = new MapReader(path, root, "", errors);
        var defaults = new GatewayConfig();
        var config = new GatewayConfig
        {
            Lan = reader.List("lan", "[lan0]", Values.InterfaceName) ?? [],
            Wans = reader.Maps("wans", WanExample, ReadWan),
            Ingress = ReadIngress(reader),
            Carrier = reader.Value("carrier", text => Values.OneOf(text, GatewayConfig.TrunkCarrier, GatewayConfig.MptcpCarrier)) ?? defaults.Carrier,
            PathsByKernel = reader.Value("paths", text => Values.OneOf(text, "auto", "kernel")) == "kernel",
            Encrypt = reader.Value("cipher", text => Values.OneOf(text, "tls", "none")) is null or "tls",
            Dashboard = reader.Value("dashboard", Values.EndPoint),
            Probe = ProbeConfigReader.Read(reader),
            Direct = ReadDirect(reader),
            Dns = DnsConfigReader.Read(reader),
            Redundant = RedundantFlowsReader.Read(reader),
            RealTime = reader.Value("realtime", text => Values.OneOf(text, "best", "spread", "duplicate", "off")) is { } realTime
                ? RealTimePolicies.TryParse(realTime)
                : defaults.RealTime,
            Clients = ClientsConfigReader.Read(reader),
            Hooks = reader.Value("hooks", Values.AbsolutePath),
            State = reader.Value("state", Values.AbsolutePath) ?? defaults.State,
            Api = reader.Value("api", Values.UnixSocketPath) ?? defaults.Api,
        };
        reader.Finish();
        CheckInterfaces(config, root, reader);
        CheckPorts(config, reader);
        return errors.Count == 0 ? new Loaded<GatewayConfig>(config) : new Loaded<GatewayConfig>(errors);
    }

    private static DirectConfig ReadDirect(MapReader root)
    {
        bool fallback = root.Value("fallback", text => Values.OneOf(text, "direct", "block")) == "direct";
        if (root.Map("direct", "{sticky: 10m}") is not { } reader)
        {
            return new DirectConfig { IsFallback = fallback };
        }

        var direct = new DirectConfig
        {
            IsFallback = fallback,
            Always = reader.Flag("always") ?? false,
            To = reader.List("to", "[203.0.113.0/24]", Values.Network) ?? [],
            Sticky = reader.ValueOf("sticky", Durations.Parse),
        };
        reader.Finish();
        return direct;
    }

    private static WanConfig? ReadWan(MapReader reader)
    {
        string? name = reader.Value("name", Values.Name);
        var role = reader.ValueOf("role", ReadRole) ?? LinkRole.Active;
        var gateway = reader.Value("gateway", Values.Address);
        var limits = LinkLimitsReader.Read(reader);
        if (!reader.Has("interface"))
        {
            reader.Value("interface", Values.InterfaceName);
            reader.Report("interface", $"is missing; a WAN is written as `{WanExample}`");
            return null;
        }

        string? device = reader.Value("interface", Values.InterfaceName);
        return device is null ? null : new WanConfig(device, name ?? device, role, gateway) { Limits = limits };
    }

    internal static Parsed<LinkRole> ReadRole(string text) => Values.OneOf(text, "active", "backup", "off") switch
    {
        { Problem: { } problem } => Parsed<LinkRole>.Not(problem),
        { Value: "active" } => Parsed<LinkRole>.Of(LinkRole.Active),
        { Value: "backup" } => Parsed<LinkRole>.Of(LinkRole.Backup),
        _ => Parsed<LinkRole>.Of(LinkRole.Off),
    };

    private static IngressConfig ReadIngress(MapReader root)
    {
        if (root.Map("ingress", "{socks: 192.168.77.1:1080}") is not { } reader)
        {
            return new IngressConfig();
        }

        IPEndPoint? socks;
        ImmutableArray<ProxyUser>? users;
        if (reader.IsMap("socks") && reader.Map("socks", "") is { } longForm)
        {
            socks = longForm.Value("listen", Values.EndPoint);
            users = longForm.Maps("users", UserExample, ReadUser);
            if (!longForm.Has("listen"))
            {
                longForm.Report("listen", "is missing; say where SOCKS5 listens, such as 192.168.77.1:1080");
            }

            longForm.Finish();
            if (reader.Has("users"))
            {
                reader.Report("users", "is there twice (also under `socks`); remove one");
            }

            reader.Maps("users", UserExample, ReadUser);
        }
        else
        {
            socks = reader.Value("socks", Values.EndPoint);
            users = reader.Maps("users", UserExample, ReadUser);
            if (reader.Has("users") && !reader.Has("socks"))
            {
                reader.Report("users", "are those of SOCKS5, but there is no `socks`; add it or remove the users");
            }
        }

        if (users is { } all && all.Select(u => u.Name).Distinct().Count() != all.Length)
        {
            reader.Report(reader.Has("users") ? "users" : "socks", "two users have the same name; rename one");
        }

        bool transparent = reader.FlagOr("transparent", "tunnel", out bool wholeIp) ?? false;
        var ingress = new IngressConfig
        {
            Transparent = transparent,
            WholeIp = wholeIp,
            Socks = socks,
            SocksUsers = users ?? [],
            Http = reader.Value("http", Values.EndPoint),
        };
        reader.Finish();
        return ingress;
    }

    private static ProxyUser? ReadUser(MapReader reader)
    {
        string? name = reader.Value("name", Credential);
        string? password = reader.Value("password", Credential);
        foreach (string key in (string[])["name", "password"])
        {
            if (!reader.Has(key))
            {
                reader.Report(key, $"is missing; a user is written as `{UserExample}`");
            }
        }

        return name is null || password is null ? null : new ProxyUser(name, password);
    }

    // The text may be a password: it is not repeated.
    private static Parsed<string> Credential(string text) => Encoding.UTF8.GetByteCount(text) is > 0 and <= MaxCredentialBytes
        ? Parsed<string>.Of(text)
        : Parsed<string>.Not($"must have 1 to {MaxCredentialBytes} bytes (a limit of SOCKS5)");

    private static void CheckInterfaces(GatewayConfig config, YamlMap root, MapReader reader)
    {
        if (config.Lan.GroupBy(l => l).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            reader.Report("lan", $"names {twice.Key} twice; remove one");
        }

        if (config.Clients is not null && !config.Ingress.Transparent && reader.Has("clients"))
        {
            reader.Report("clients", "needs `ingress: {transparent: true}`: their traffic is taken as the LAN's is");
        }

        if (config.Ingress.Transparent && config.Lan.IsEmpty && config.Clients is null && !reader.Has("lan") && !reader.Has("clients"))
        {
            reader.Report("ingress.transparent", "needs `lan`: the interfaces whose clients are carried, such as `lan: [lan0]`");
        }

        if (config.Wans is not { } wans)
        {
            return;
        }

        if (wans.IsEmpty)
        {
            reader.Report("wans", "names no WAN; leave the key out to use every interface with a default route");
        }

        var nodes = ((YamlList)root.Entries.First(e => e.Key == "wans").Value).Items;
        for (int i = 0; i < wans.Length; i++)
        {
            var wan = wans[i];
            var item = (YamlMap)nodes[i];
            if (config.Lan.Contains(wan.Interface))
            {
                Report(item, i, "interface", $"{wan.Interface} is also in `lan`; an interface is one or the other");
            }

            if (wans.Take(i).Any(w => w.Interface == wan.Interface))
            {
                Report(item, i, "interface", $"{wan.Interface} is there twice; remove one");
            }
            else if (wans.Take(i).Any(w => w.Name == wan.Name))
            {
                Report(item, i, "name", $"two WANs are called {wan.Name}; rename one");
            }
        }

        void Report(YamlMap item, int index, string key, string problem) =>
            reader.ReportAt(item.Entries.FirstOrDefault(e => e.Key == key)?.Line ?? item.Line, $"wans[{index}].{key}", problem);
    }

    private static void CheckPorts(GatewayConfig config, MapReader reader)
    {
        var taken = new Dictionary<IPEndPoint, string>();
        foreach (var (key, endPoint) in ((string, IPEndPoint?)[])[("ingress.socks", config.Ingress.Socks), ("ingress.http", config.Ingress.Http), ("dashboard", config.Dashboard)])
        {
            if (endPoint is not null && !taken.TryAdd(endPoint, key))
            {
                reader.Report(key, $"{endPoint} is that of `{taken[endPoint]}` too; give one of them another port");
            }
        }
    }
}
