using System.Net;

namespace Aggregator.Gateway.Links;

/// <summary>What a probe runs over. A change of any part is another path: its history does not count.</summary>
/// <param name="NextHop">The link's gateway; null on a point-to-point line.</param>
internal sealed record ProbePath(string Interface, int Index, IPAddress Source, IPEndPoint Target, IPAddress? NextHop = null);
