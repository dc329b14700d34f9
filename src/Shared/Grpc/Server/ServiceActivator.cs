using Microsoft.Extensions.DependencyInjection;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>One service object a call: the container's, or one made here and disposed after the call.</summary>
internal sealed class ServiceActivator<TService>
    where TService : class
{
    private readonly Lazy<ObjectFactory<TService>> _factory = new(() => ActivatorUtilities.CreateFactory<TService>([]));

    public async Task UseAsync(IServiceProvider services, ServerCall call, Func<TService, ServerCall, Task> handle)
    {
        if (services.GetService<TService>() is { } registered)
        {
            await handle(registered, call);
            return;
        }

        TService made = _factory.Value(services, []);
        try
        {
            await handle(made, call);
        }
        finally
        {
            switch (made)
            {
                case IAsyncDisposable disposable:
                    await disposable.DisposeAsync();
                    break;
                case IDisposable disposable:
                    disposable.Dispose();
                    break;
            }
        }
    }
}
