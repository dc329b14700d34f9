using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace Aggregator.Gateway.Clients;

/// <summary>A client as it is kept: whom it is known by, never its private key.</summary>
internal sealed record ClientRecord(string Name, string PublicKey, string Address, string Address6, DateTimeOffset Added);

/// <summary>The file of the clients: our private key and who may come.</summary>
internal sealed record ClientsFile(string PrivateKey, ImmutableArray<ClientRecord> Clients);

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ClientsFile))]
internal sealed partial class ClientsJson : JsonSerializerContext;
