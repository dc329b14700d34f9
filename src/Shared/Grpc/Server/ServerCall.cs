using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Grpc.Core;
using Grpc.Wire;
using Microsoft.AspNetCore.Http;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>
/// One call on the server. In order: <see cref="RunAsync"/> checks that the request is gRPC (Run), the handler reads and
/// writes messages (Messages), the status goes out when the handler returns or when the deadline passes, whichever is
/// first (Deadline, Status).
/// </summary>
internal sealed partial class ServerCall : ServerCallContext
{
    private readonly GrpcServer _server;
    private readonly Metadata _requestHeaders = [];
    private readonly Metadata _trailers = [];
    private AuthContext? _authContext;

    private ServerCall(HttpContext http, GrpcServer server)
    {
        Http = http;
        _server = server;
        _token = http.RequestAborted;
        _reader = new MessageReader(
            http.Request.BodyReader, server.Options.MaxReceiveMessageSize, http.Request.Headers[GrpcProtocol.Encoding]);
    }

    public HttpContext Http { get; }

    protected override string MethodCore => Http.Request.Path.Value ?? "";

    protected override string HostCore => Http.Request.Host.Value ?? "";

    protected override string PeerCore => Http.Connection.RemoteIpAddress switch
    {
        { AddressFamily: AddressFamily.InterNetwork } address => $"ipv4:{address}:{Http.Connection.RemotePort}",
        { } address => $"ipv6:[{address}]:{Http.Connection.RemotePort}",
        null => "unknown",
    };

    protected override DateTime DeadlineCore => _deadline;

    protected override Metadata RequestHeadersCore => _requestHeaders;

    protected override CancellationToken CancellationTokenCore => _token;

    protected override Metadata ResponseTrailersCore => _trailers;

    protected override Status StatusCore { get; set; } = Status.DefaultSuccess;

    protected override WriteOptions? WriteOptionsCore { get; set; }

    protected override AuthContext AuthContextCore => _authContext ??= CreateAuthContext(Http.Connection.ClientCertificate);

    protected override ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options) =>
        throw new NotImplementedException("Context propagation does not exist on ASP.NET Core.");

    private static AuthContext CreateAuthContext(X509Certificate2? certificate)
    {
        const string CommonName = "x509_common_name";
        const string SubjectAlternativeName = "x509_subject_alternative_name";
        var properties = new Dictionary<string, List<AuthProperty>>();
        if (certificate is null)
        {
            return new AuthContext(null, properties);
        }

        if (certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false) is { Length: > 0 } name)
        {
            properties[CommonName] = [AuthProperty.Create(CommonName, Encoding.UTF8.GetBytes(name))];
        }

        if (certificate.GetNameInfo(X509NameType.DnsName, forIssuer: false) is { Length: > 0 } dns)
        {
            properties[SubjectAlternativeName] = [AuthProperty.Create(SubjectAlternativeName, Encoding.UTF8.GetBytes(dns))];
        }

        string? identity = properties.ContainsKey(SubjectAlternativeName) ? SubjectAlternativeName
            : properties.ContainsKey(CommonName) ? CommonName : null;
        return new AuthContext(identity, properties);
    }
}
