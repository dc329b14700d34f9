using System.Collections.Immutable;
using System.Net;
using System.Text.Json;
using Aggregator.Gateway.Configuration;
using Aggregator.Settings;
using Aggregator.WireGuard;

namespace Aggregator.Gateway.Clients;

/// <summary>Who may come, and our key, in the state directory (0600). One caller at a time changes it; readers see whole lists.</summary>
internal sealed class ClientBook
{
    /// <summary>A household and its guests; their configuration goes over in one piece.</summary>
    internal const int MaxClients = 250;

    private const string FileName = "clients.json";

    /// <summary>A client takes some 250 bytes.</summary>
    private const int MaxFileBytes = 256 * 1024;

    private readonly string _state;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private ImmutableArray<ClientRecord> _clients;

    private ClientBook(string state, WireGuardKey key, ImmutableArray<ClientRecord> clients, ClientsConfig config, TimeProvider time)
    {
        _state = state;
        _time = time;
        PrivateKey = key;
        PublicKey = key.PublicKey();
        Networks = new ClientNetworks(config, PublicKey);
        _clients = clients;
    }

    internal WireGuardKey PrivateKey { get; }

    internal WireGuardKey PublicKey { get; }

    internal ClientNetworks Networks { get; }

    internal ImmutableArray<ClientRecord> Clients
    {
        get
        {
            lock (_lock)
            {
                return _clients;
            }
        }
    }

    /// <summary>Reads the file, or makes it with a new key.</summary>
    /// <exception cref="StateException">It is damaged, open to others, or cannot be written. A key is not made anew over one that cannot be read: clients know it.</exception>
    internal static ClientBook Open(string state, ClientsConfig config, TimeProvider time)
    {
        string path = Path.Combine(state, FileName);
        if (PrivateFile.TryRead(path, MaxFileBytes) is { } content)
        {
            return TryRead(content) is var (key, clients)
                ? new ClientBook(state, key, clients, config, time)
                : throw new StateException(path, "is damaged; put back a copy, or remove it and add every client anew");
        }

        var book = new ClientBook(state, WireGuardKey.Generate(), [], config, time);
        book.Save([]);
        return book;
    }

    /// <summary>A client's peer: what it may send from is its own address and nothing else.</summary>
    internal static WireGuardPeer Peer(ClientRecord client) => new(
        WireGuardKey.TryParse(client.PublicKey)!,
        [new IPNetwork(IPAddress.Parse(client.Address), 32), new IPNetwork(IPAddress.Parse(client.Address6), 128)]);

    /// <summary>Adds a client with the first free addresses.</summary>
    /// <returns>The client and its private key, which is kept nowhere; or what is wrong.</returns>
    /// <exception cref="StateException">It could not be kept.</exception>
    internal (ClientRecord? Client, WireGuardKey? PrivateKey, string? Problem) Add(string name)
    {
        if (Values.Name(name).Problem is { } problem)
        {
            return (null, null, problem);
        }

        lock (_lock)
        {
            if (_clients.Any(c => c.Name == name))
            {
                return (null, null, $"there is a client {name} already; `client remove {name}` first if its device is to have a new key");
            }

            var taken = _clients.Select(c => c.Address).ToHashSet();
            int number = Enumerable.Range(2, Math.Max(0, Networks.Last - 1)).FirstOrDefault(n => !taken.Contains(Networks.Client(n).ToString()));
            if (number == 0)
            {
                return (null, null, $"every address of {Networks.V4} is taken ({_clients.Length} clients); remove one, or give `clients` a larger `network`");
            }

            var key = WireGuardKey.Generate();
            var client = new ClientRecord(
                name, key.PublicKey().ToBase64(), Networks.Client(number).ToString(), Networks.Client6(number).ToString(), _time.GetUtcNow());
            Save(_clients.Add(client));
            return (client, key, null);
        }
    }

    /// <returns>Who was removed; null: no such client.</returns>
    /// <exception cref="StateException">It could not be kept.</exception>
    internal ClientRecord? Remove(string name)
    {
        lock (_lock)
        {
            if (_clients.FirstOrDefault(c => c.Name == name) is not { } client)
            {
                return null;
            }

            Save(_clients.Remove(client));
            return client;
        }
    }

    internal static (WireGuardKey Key, ImmutableArray<ClientRecord> Clients)? TryRead(ReadOnlySpan<byte> content)
    {
        try
        {
            return JsonSerializer.Deserialize(content, ClientsJson.Default.ClientsFile) is { Clients.IsDefault: false } file
                && WireGuardKey.TryParse(file.PrivateKey) is { } key
                && file.Clients.Length <= MaxClients
                && file.Clients.All(IsGood)
                && file.Clients.Select(c => c.Name).Distinct().Count() == file.Clients.Length
                ? (key, file.Clients)
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static bool IsGood(ClientRecord? client) =>
        client is { Name: not null, Address: not null, Address6: not null }
        && Values.Name(client.Name).Problem is null
        && WireGuardKey.TryParse(client.PublicKey) is not null
        && Values.Address(client.Address).Value is { AddressFamily: System.Net.Sockets.AddressFamily.InterNetwork }
        && Values.Address(client.Address6).Value is { AddressFamily: System.Net.Sockets.AddressFamily.InterNetworkV6 };

    private void Save(ImmutableArray<ClientRecord> clients)
    {
        StateDirectory.Ensure(_state);
        AtomicFile.Write(
            Path.Combine(_state, FileName), JsonSerializer.SerializeToUtf8Bytes(new ClientsFile(PrivateKey.ToBase64(), clients), ClientsJson.Default.ClientsFile));
        _clients = clients;
    }
}
