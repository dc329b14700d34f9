using System.Net;
using System.Net.Sockets;
using System.Text;
using Aggregator.Processes;

namespace Aggregator.Lab.Topology;

/// <summary>
/// A portal at a WAN's ISP: whatever comes from the WAN for port 80 of anybody is answered by it with a redirect to its login page. All other
/// traffic passes, as it does at many that let VPNs through.
/// </summary>
internal sealed class CaptivePortal : IAsyncDisposable
{
    internal const string LoginPage = "http://login.portal.test/";

    private readonly Socket _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;

    private CaptivePortal(Socket listener)
    {
        _listener = listener;
        _loop = AnswerAsync();
    }

    /// <exception cref="IOException">nft refused; the message has its words.</exception>
    internal static async Task<CaptivePortal> OpenAsync(LabWan wan)
    {
        var listener = wan.Isp.InNamespace(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        listener.Bind(new IPEndPoint(IPAddress.Any, 0));
        listener.Listen();
        string rules = $$"""
            table ip portal {
              chain prerouting {
                type nat hook prerouting priority dstnat
                iifname "{{NetworkLab.IspWanInterface}}" tcp dport 80 redirect to :{{((IPEndPoint)listener.LocalEndPoint!).Port}}
              }
            }

            """;
        (await Tool.RunAsync("ip", ["netns", "exec", wan.Isp.Name, "nft", "-f", "-"], rules)).OutputOrThrow();
        return new CaptivePortal(listener);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _loop;
        _stop.Dispose();
    }

    private async Task AnswerAsync()
    {
        byte[] answer = Encoding.ASCII.GetBytes($"HTTP/1.1 302 Found\r\nLocation: {LoginPage}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        try
        {
            while (true)
            {
                using var client = await _listener.AcceptAsync(_stop.Token);
                await client.ReceiveAsync(new byte[4096], _stop.Token);
                await client.SendAsync(answer, _stop.Token);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Closed.
        }
    }
}
