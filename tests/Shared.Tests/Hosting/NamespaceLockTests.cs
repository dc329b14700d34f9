using Aggregator.Hosting;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Hosting;

public sealed class NamespaceLockTests
{
    [Fact]
    public void One_of_a_kind_has_the_network_namespace_until_it_ends()
    {
        string kind = $"aggregator-test-{Guid.NewGuid():N}";
        using (var first = NamespaceLock.TryTake(kind))
        {
            first.ShouldNotBeNull();
            NamespaceLock.TryTake(kind).ShouldBeNull();
            using var other = NamespaceLock.TryTake(kind + "-other");
            other.ShouldNotBeNull();
        }

        using var next = NamespaceLock.TryTake(kind);
        next.ShouldNotBeNull();
    }
}
