using System.Net;

namespace Aggregator.Gateway.Direct;

/// <summary>A WAN as a way out without the VPS, for one address family.</summary>
/// <param name="Link">Its name.</param>
/// <param name="Source">The WAN's own address.</param>
/// <param name="Weight">Its part of new connections, in proportion to the others'.</param>
internal sealed record DirectWay(string Link, string Interface, IPAddress Source, int Weight);
