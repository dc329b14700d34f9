using Grpc.Core;
using Grpc.Net.Client.Internal;

namespace Grpc.Net.Client;

/// <summary>
/// A way to one server over HTTP/2: <c>http://</c> with prior knowledge, <c>https://</c> with TLS. Connects with the first
/// call and again after a loss. Disposing it cancels its calls.
/// </summary>
public sealed class GrpcChannel : ChannelBase, IDisposable
{
    private readonly HashSet<IDisposable> _calls = [];
    private readonly bool _ownsHttp;
    private bool _disposed;

    private GrpcChannel(Uri address, GrpcChannelOptions options)
        : base(address.Authority)
    {
        if (address.Scheme != Uri.UriSchemeHttp && address.Scheme != Uri.UriSchemeHttps)
        {
            throw new ArgumentException($"The address '{address}' is neither http:// nor https://.", nameof(address));
        }

        Address = address;
        Options = options;
        _ownsHttp = options.HttpHandler is null || options.DisposeHttpClient;
        HttpMessageHandler handler = options.HttpHandler ?? new SocketsHttpHandler { EnableMultipleHttp2Connections = true };
        Http = new HttpMessageInvoker(handler, _ownsHttp);
    }

    internal Uri Address { get; }

    internal GrpcChannelOptions Options { get; }

    internal HttpMessageInvoker Http { get; }

    public static GrpcChannel ForAddress(string address) => ForAddress(address, new GrpcChannelOptions());

    public static GrpcChannel ForAddress(string address, GrpcChannelOptions channelOptions) =>
        ForAddress(new Uri(address), channelOptions);

    public static GrpcChannel ForAddress(Uri address) => ForAddress(address, new GrpcChannelOptions());

    public static GrpcChannel ForAddress(Uri address, GrpcChannelOptions channelOptions)
    {
        ArgumentNullException.ThrowIfNull(address);
        ArgumentNullException.ThrowIfNull(channelOptions);
        return new GrpcChannel(address, channelOptions);
    }

    public override CallInvoker CreateCallInvoker() => new HttpCallInvoker(this);

    public void Dispose()
    {
        IDisposable[] calls;
        lock (_calls)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            calls = [.. _calls];
        }

        foreach (IDisposable call in calls)
        {
            call.Dispose();
        }

        if (_ownsHttp)
        {
            Http.Dispose();
        }
    }

    internal void Add(IDisposable call)
    {
        lock (_calls)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _calls.Add(call);
        }
    }

    internal void Remove(IDisposable call)
    {
        lock (_calls)
        {
            _calls.Remove(call);
        }
    }
}
