using System.Net;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Events;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Policy;
using Aggregator.Netlink;
using Aggregator.Protocol.V1;
using Aggregator.WireGuard;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Clients;

/// <summary>
/// Keeps the roaming clients' interface up for as long as the daemon runs: makes it, tells it who may come, and makes it again, with growing
/// pauses, when its program ends. What comes in is the LAN's as far as the rest of the gateway is concerned.
/// </summary>
internal sealed class ClientServer : IAsyncDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(60);

    /// <summary>One that ran so long was well: the next pause is the first again.</summary>
    private static readonly TimeSpan Well = TimeSpan.FromMinutes(1);

    private readonly ClientsConfig _config;
    private readonly ClientBook _book;
    private readonly Func<LinkSnapshot> _links;
    private readonly EventLog _events;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();

    /// <summary>Held while the device is made or configured, so that a client added meanwhile is not lost.</summary>
    private readonly SemaphoreSlim _gate = new(1, 1);
    private volatile IWireGuardDevice? _device;
    private volatile string? _reason = "it is being made";
    private volatile int _restarts;
    private Task _loop = Task.CompletedTask;
    private bool _isStopped;

    internal ClientServer(ClientsConfig config, ClientBook book, Func<LinkSnapshot> links, EventLog events, TimeProvider time, ILogger logger)
    {
        _config = config;
        _book = book;
        _links = links;
        _events = events;
        _time = time;
        _logger = logger;
    }

    internal void Start() => _loop = RunAsync(_stop.Token);

    /// <summary>Adds a client, at once if the interface is there.</summary>
    /// <returns>Its configuration with notes; or what is wrong.</returns>
    internal async Task<(AddClientReply? Reply, string? Problem)> AddAsync(string name, string? endPoint, CancellationToken cancellationToken)
    {
        var notes = new List<string>();
        string? at = endPoint ?? _config.EndPoint ?? OwnEndPoint(notes);
        if (at is null)
        {
            return (null, "no WAN has an address at this moment, so the client could not be told where this gateway is; give --endpoint HOST:PORT");
        }

        await _gate.WaitAsync(cancellationToken);
        try
        {
            var (client, key, problem) = _book.Add(name);
            if (client is null)
            {
                return (null, problem);
            }

            if (_device is { } device)
            {
                await device.ConfigureAsync(new WireGuardChange(null, null, false, [ClientBook.Peer(client)]), cancellationToken);
            }
            else
            {
                notes.Add($"it cannot come in yet: {_reason}");
            }

            if (_config.Dns.IsEmpty)
            {
                notes.Add("it keeps its own name servers; `dns`, or `dns` under `clients`, gives it others");
            }

            var reply = new AddClientReply { Configuration = ClientText.Of(client, key!, _book.PublicKey, at, _config.Dns) };
            reply.Notes.AddRange(notes);
            return (reply, null);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <returns>False: no such client.</returns>
    internal async Task<bool> RemoveAsync(string name, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            if (_book.Remove(name) is not { } client)
            {
                return false;
            }

            if (_device is { } device)
            {
                await device.ConfigureAsync(new WireGuardChange(null, null, false, [ClientBook.Peer(client) with { Remove = true }]), cancellationToken);
            }

            return true;
        }
        finally
        {
            _gate.Release();
        }
    }

    internal async Task<ListClientsReply> ListAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<WireGuardPeerState>? peers = null;
        if (_device is { } device)
        {
            try
            {
                peers = await device.PeersAsync(cancellationToken);
            }
            catch (IOException)
            {
                // It is ending; the loop tells why.
            }
        }

        var reply = new ListClientsReply();
        reply.Clients.AddRange(_book.Clients.Select(c => Of(c, peers?.FirstOrDefault(p => p.PublicKey.ToBase64() == c.PublicKey))));
        return reply;
    }

    internal ClientsStatus Status()
    {
        var device = _device;
        var status = new ClientsStatus
        {
            State = device is null ? "waiting" : "on",
            Interface = HostController.ClientsInterfaceName,
            Listen = _config.Listen,
            Restarts = (uint)_restarts,
            Clients = (uint)_book.Clients.Length,
        };
        status.Networks.Add(_book.Networks.V4.ToString());
        status.Networks.Add(_book.Networks.V6.ToString());
        if (device is not null)
        {
            status.Backend = device.Backend;
        }
        else if (_reason is { } reason)
        {
            status.Reason = reason;
        }

        return status;
    }

    /// <summary>Ends with the interface taken away. Before the host is put back, which would take it away under our hands.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isStopped)
        {
            return;
        }

        _isStopped = true;
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
        _gate.Dispose();
    }

    private async Task RunAsync(CancellationToken stop)
    {
        var pause = FirstPause;
        try
        {
            while (true)
            {
                long began = _time.GetTimestamp();
                string reason = await RunOnceAsync(stop);
                pause = _time.GetElapsedTime(began) > Well ? FirstPause : pause;
                if (_reason != reason)
                {
                    _events.Add(EventAction.ClientsOff, reason: reason);
                    _logger.ClientsOff(reason, pause.TotalSeconds);
                }

                _reason = reason;
                await Task.Delay(pause, _time, stop);
                pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The daemon ends.
        }
        catch (Exception e)
        {
            _logger.ClientsFault(e);
            _reason = e.Message;
        }
    }

    /// <returns>Why there is no interface any more, or none at all.</returns>
    private async Task<string> RunOnceAsync(CancellationToken stop)
    {
        var networks = _book.Networks;
        IWireGuardDevice? device = null;
        try
        {
            await _gate.WaitAsync(stop);
            try
            {
                (device, string? problem) = await HostController.OpenClientsAsync(
                    [(networks.Gateway, networks.V4.PrefixLength), (networks.Gateway6, networks.V6.PrefixLength)], _time, stop);
                if (device is null)
                {
                    return problem!;
                }

                await device.ConfigureAsync(
                    new WireGuardChange(_book.PrivateKey, _config.Listen, ReplacePeers: true, [.. _book.Clients.Select(ClientBook.Peer)]), stop);
                _device = device;
            }
            finally
            {
                _gate.Release();
            }

            _reason = null;
            _events.Add(EventAction.ClientsOn, reason: $"{device.Name} ({device.Backend}), UDP port {_config.Listen}");
            _logger.ClientsOn(device.Name, device.Backend, _config.Listen);
            string ended = await device.Ended.WaitAsync(stop);
            _restarts++;
            return ended;
        }
        catch (IOException e)
        {
            return e.Message;
        }
        finally
        {
            _device = null;
            if (device is not null)
            {
                await device.DisposeAsync();
            }
        }
    }

    /// <summary>A public address of a WAN, or the first there is: then the router has to lead the port here.</summary>
    private string? OwnEndPoint(List<string> notes)
    {
        var ways = _links().Links.Where(l => l.Usable).OrderBy(l => l.Role)
            .SelectMany(l => l.Addresses.Where(a => !a.Address.IsIPv6LinkLocal).Select(a => (Link: l, a.Address))).ToArray();
        if (ways.Length == 0)
        {
            return null;
        }

        var (link, address) = ways.FirstOrDefault(w => IsPublic(w.Address), ways[0]);
        notes.Add(IsPublic(address)
            ? $"the endpoint is the address of {link.Name}; if it changes, give `endpoint` a name that follows it"
            : $"the endpoint is the private address of {link.Name}: outside it is reached only if the router leads UDP port {_config.Listen} here; then add the client with --endpoint HOST:PORT");
        return new IPEndPoint(address, _config.Listen).ToString();
    }

    private static bool IsPublic(IPAddress address)
    {
        IPNetwork[] others =
        [
            IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("172.16.0.0/12"), IPNetwork.Parse("192.168.0.0/16"), IPNetwork.Parse("100.64.0.0/10"),
            IPNetwork.Parse("169.254.0.0/16"), IPNetwork.Parse("fc00::/7"),
        ];
        return !others.Any(n => n.BaseAddress.AddressFamily == address.AddressFamily && n.Contains(address));
    }

    private RoamingClient Of(ClientRecord client, WireGuardPeerState? peer)
    {
        var message = new RoamingClient { Name = client.Name, PublicKey = client.PublicKey, Added = client.Added.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture) };
        message.Addresses.Add(client.Address);
        message.Addresses.Add(client.Address6);
        if (peer is null)
        {
            return message;
        }

        if (peer.EndPoint is { } endPoint)
        {
            message.Endpoint = endPoint.ToString();
        }

        if (peer.LastHandshake is { } last)
        {
            message.LastHandshakeS = Math.Max(0, (_time.GetUtcNow() - last).TotalSeconds);
        }

        message.RxBytes = peer.RxBytes;
        message.TxBytes = peer.TxBytes;
        return message;
    }
}
