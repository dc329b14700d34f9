using System.Net.Sockets;

namespace Aggregator.Hosting;

/// <summary>
/// One daemon of a kind in a network namespace: two would take back each other's routes and rules, whatever state directories they have.
/// An abstract Unix socket's name (unix(7)) is unique in its network namespace, leaves no file, and goes with its process, also after `kill -9`.
/// </summary>
internal sealed class NamespaceLock : IDisposable
{
    private readonly Socket _name;

    private NamespaceLock(Socket name) => _name = name;

    /// <param name="daemon">The kind, such as the executable's name.</param>
    /// <returns>Null: another process of this network namespace has it.</returns>
    internal static NamespaceLock? TryTake(string daemon)
    {
        var name = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        try
        {
            name.Bind(new UnixDomainSocketEndPoint($"\0{daemon}/host"));
            return new NamespaceLock(name);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            name.Dispose();
            return null;
        }
        catch
        {
            name.Dispose();
            throw;
        }
    }

    public void Dispose() => _name.Dispose();
}
