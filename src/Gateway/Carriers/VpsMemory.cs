using System.Net;
using System.Text.Json.Serialization;
using Aggregator.Settings;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Carriers;

/// <summary>Where the VPS last proved its key, over restarts: a gateway that starts behind a resolver that lies finds it all the same.</summary>
internal interface IVpsMemory
{
    /// <summary>Null: of this VPS nothing is remembered.</summary>
    IPAddress? Recall(VpsTarget target);

    void Remember(VpsTarget target, IPAddress address);
}

/// <summary>`vps-address.json` in the state directory, 0600. From any thread.</summary>
internal sealed class VpsMemory(string stateDirectory, ILogger logger) : IVpsMemory
{
    internal const string FileName = "vps-address.json";

    private readonly Lock _lock = new();
    private VpsRecord? _known;

    public IPAddress? Recall(VpsTarget target)
    {
        lock (_lock)
        {
            if (_known is null)
            {
                _known = StateJson.Load(stateDirectory, FileName, VpsMemoryJson.Default.VpsRecord, new VpsRecord(), out string? problem);
                if (problem is not null)
                {
                    logger.VpsMemoryUnreadable(problem);
                }
            }

            // Of another pairing, or changed by hand: worth nothing.
            return _known.Of == NameOf(target) && IPAddress.TryParse(_known.Address, out IPAddress? address) ? address : null;
        }
    }

    public void Remember(VpsTarget target, IPAddress address)
    {
        // What is written as an address cannot be lied about.
        if (target.Hosts.All(h => IPAddress.TryParse(h.AsSpan().Trim("[]"), out _)))
        {
            return;
        }

        lock (_lock)
        {
            if (address.Equals(Recall(target)))
            {
                return;
            }

            _known = new VpsRecord { Of = NameOf(target), Address = address.ToString() };
            try
            {
                StateJson.Save(stateDirectory, FileName, VpsMemoryJson.Default.VpsRecord, _known);
            }
            catch (StateException e)
            {
                logger.VpsMemoryNotWritten(e.Message);
            }
        }
    }

    private static string NameOf(VpsTarget target) => $"{string.Join(",", target.Hosts)}:{target.Port} {target.Pin}";
}

/// <summary>As it is in the file.</summary>
internal sealed record VpsRecord
{
    /// <summary>The hosts, the port and the key that it holds for.</summary>
    public string? Of { get; init; }

    public string? Address { get; init; }
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(VpsRecord))]
internal sealed partial class VpsMemoryJson : JsonSerializerContext;
