using Aggregator.Interop;
using Aggregator.Settings;
using Aggregator.Shared.Tests.Identity;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Settings;

public sealed class AtomicFileTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_reader_sees_one_content_or_the_other_never_a_part()
    {
        string path = _directory["file"];
        byte[] a = [.. Enumerable.Repeat((byte)'a', 10_000)];
        byte[] b = [.. Enumerable.Repeat((byte)'b', 20_000)];
        AtomicFile.Write(path, a);
        var writing = Task.Run(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                AtomicFile.Write(path, i % 2 == 0 ? b : a);
            }
        });
        while (!writing.IsCompleted)
        {
            byte[] seen = await File.ReadAllBytesAsync(path);
            (seen.AsSpan().SequenceEqual(a) || seen.AsSpan().SequenceEqual(b)).ShouldBeTrue();
        }

        await writing;
        Directory.GetFiles(_directory.Path).ShouldBe([path], "no temporary file stays");
    }

    [Fact]
    public void Of_many_that_create_at_once_one_succeeds()
    {
        int created = 0;
        Parallel.For(0, 32, i =>
        {
            if (AtomicFile.TryCreate(_directory["file"], [(byte)i]))
            {
                Interlocked.Increment(ref created);
            }
        });
        created.ShouldBe(1);
    }

    [Fact]
    public void Of_many_that_remove_at_once_one_succeeds()
    {
        AtomicFile.Write(_directory["file"], "x"u8);
        int removed = 0;
        Parallel.For(0, 32, _ =>
        {
            if (AtomicFile.TryRemove(_directory["file"]))
            {
                Interlocked.Increment(ref removed);
            }
        });
        removed.ShouldBe(1);
    }

    [Fact]
    public void Where_it_cannot_be_written_the_file_is_named() =>
        Should.Throw<StateException>(() => AtomicFile.Write(_directory["none/file"], "x"u8)).Message
            .ShouldBe($"{_directory["none/file"]}: cannot be written (no such file or directory)");

    [SkippableFact]
    public void What_root_writes_belongs_to_the_owner_of_the_directory()
    {
        Skip.IfNot(Environment.IsPrivilegedProcess, "needs root to give a directory away");
        StateDirectory.Ensure(_directory["state"]);
        Libc.chown(_directory["state"], 65534, 65533).ShouldBe(0);

        StateDirectory.Ensure(_directory["state/inner"]);
        AtomicFile.Write(_directory["state/inner/file"], "x"u8);

        foreach (string path in (string[])["state/inner", "state/inner/file"])
        {
            Libc.statx(Libc.AT_FDCWD, _directory[path], 0, Libc.STATX_BASIC_STATS, out var stat).ShouldBe(0);
            (stat.Uid, stat.Gid).ShouldBe((65534u, 65533u));
        }

        PrivateFile.TryRead(_directory["state/inner/file"], 10).ShouldBe("x"u8.ToArray());
    }
}
