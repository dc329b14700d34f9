using System.Net;
using Aggregator.Trunk;

namespace Aggregator.Gateway.Carriers;

/// <summary>Whose flow it is, and what it needs of the way.</summary>
/// <param name="Client">The client's address; null: not known, or a flow of the daemon's own.</param>
/// <param name="Class">What the configuration says of such flows; for carriers that know of classes.</param>
internal readonly record struct FlowOrigin(IPAddress? Client, FlowClass Class = FlowClass.Default);
