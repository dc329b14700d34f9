using System.Net;

namespace Aggregator.Gateway.Links;

/// <summary>What a probe runs over. A change of any part is another path: its history does not count.</summary>
internal sealed record ProbePath(string Interface, int Index, IPAddress Source, IPEndPoint Target);
