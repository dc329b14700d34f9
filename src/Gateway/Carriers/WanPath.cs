using System.Net;

namespace Aggregator.Gateway.Carriers;

/// <summary>One WAN as a way to the VPS, as far as a dial needs it. The default value binds nothing: the host's routes decide.</summary>
/// <param name="Interface">Bound with SO_BINDTODEVICE before the connect; null binds no device.</param>
/// <param name="Source">The local address of the first subflow; null leaves it to the routes.</param>
internal readonly record struct WanPath(string? Interface, IPAddress? Source);
