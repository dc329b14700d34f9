using Aggregator.Hosting;
using Aggregator.Interop;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Hosting;

public sealed class InstanceLockTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("aggregator-test-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void Only_one_daemon_has_a_state_directory_at_a_time()
    {
        using (var first = InstanceLock.TryTake(_directory))
        {
            first.ShouldNotBeNull();
            InstanceLock.TryTake(_directory).ShouldBeNull();
        }

        using var next = InstanceLock.TryTake(_directory);
        next.ShouldNotBeNull();
    }

    [Fact]
    public async Task The_local_socket_is_its_owners_alone_and_a_stale_one_is_no_obstacle()
    {
        string path = Path.Combine(_directory, "api.sock");
        for (int start = 0; start < 2; start++)
        {
            var app = Build(path);
            await app.StartAsync();
            Libc.IsSocket(path).ShouldBeTrue();
            File.GetUnixFileMode(path).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);

            // As after kill -9: the file is there and nobody listens. Kestrel removes its own on a clean stop.
            if (start == 0)
            {
                File.Move(path, path + ".kept");
                await app.DisposeAsync();
                File.Move(path + ".kept", path);
            }
            else
            {
                await app.DisposeAsync();
            }
        }
    }

    [Fact]
    public void A_file_that_is_no_socket_is_never_removed()
    {
        string path = Path.Combine(_directory, "important");
        File.WriteAllText(path, "mine");
        Should.Throw<IOException>(() => Build(path)).Message.ShouldContain("no socket");
        File.ReadAllText(path).ShouldBe("mine");
    }

    [Fact]
    public async Task A_socket_on_which_a_daemon_answers_stays_its_own()
    {
        string path = Path.Combine(_directory, "api.sock");
        await using var first = Build(path);
        await first.StartAsync();
        Should.Throw<IOException>(() => Build(path)).Message.ShouldContain("another daemon listens");
        Libc.IsSocket(path).ShouldBeTrue();
    }

    private static WebApplication Build(string path)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ListenLocalApi(path);
        return builder.Build();
    }
}
