using System.Net.Sockets;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Lab;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>A lab with both daemons, a web site on its internet host and names that the VPS resolves.</summary>
internal sealed class Scene : IAsyncDisposable
{
    private readonly List<IAsyncDisposable> _parts = [];
    private readonly string _directory = Directory.CreateTempSubdirectory("aggregator-scene-").FullName;
    private AggregatorUnderTest? _product;

    private Scene(NetworkLab lab)
    {
        Lab = lab;
        _parts.Add(lab);
    }

    internal NetworkLab Lab { get; }

    internal AggregatorUnderTest Product => _product ?? throw new InvalidOperationException("there is no product yet");

    internal Curl Curl => new(Lab.Client, _directory);

    /// <summary>Slow enough that the lines are the limit, not the processors of a busy machine.</summary>
    internal static WanSpec[] TwoWans { get; } =
    [
        new("fibre") { DownMbps = 20, UpMbps = 20, DelayMs = 5 },
        new("lte") { DownMbps = 10, UpMbps = 10, DelayMs = 15 },
    ];

    /// <summary>Everything runs and is connected.</summary>
    internal static async Task<Scene> StartAsync(ProductSettings? settings = null, WanSpec[]? wans = null)
    {
        Scene scene = await PrepareAsync(settings, wans);
        try
        {
            await scene.Product.StartVpsAsync();
            await scene.Product.PairAsync();
            scene.Product.StartGateway();
            await scene.Product.WaitForConnectedAsync();
            return scene;
        }
        catch
        {
            await scene.DisposeAsync();
            throw;
        }
    }

    /// <summary>The lab and the site are there; neither daemon has ever run.</summary>
    internal static async Task<Scene> PrepareAsync(ProductSettings? settings = null, WanSpec[]? wans = null)
    {
        var scene = new Scene(await LabTest.CreateAsync(new LabSpec { Wans = wans ?? TwoWans }));
        try
        {
            scene._parts.Add(Names.Start(scene.Lab.Vps));
            scene._parts.Add(await Site.StartAsync(scene.Lab.Internet));
            scene._parts.Add(scene._product = await AggregatorUnderTest.PrepareAsync(scene.Lab, settings));
            return scene;
        }
        catch
        {
            await scene.DisposeAsync();
            throw;
        }
    }

    /// <summary>A server of our own on the internet host.</summary>
    internal TargetServer Serve(int port, Func<Socket, Task> serve)
    {
        var server = new TargetServer(Lab.Internet, port, serve);
        _parts.Add(server);
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        for (int i = _parts.Count - 1; i >= 0; i--)
        {
            await _parts[i].DisposeAsync();
        }

        Directory.Delete(_directory, recursive: true);
    }
}
