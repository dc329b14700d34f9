using System.Collections.Immutable;
using System.Net;
using Aggregator.Gateway.Direct;
using Aggregator.Gateway.Tests.Simulation;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Direct;

public sealed class DirectFaultsTests
{
    private readonly SimulatedTime _time = new();
    private readonly DirectFaults _faults;
    private readonly ImmutableArray<DirectWay> _ways = [Way("fibre"), Way("lte")];

    public DirectFaultsTests() => _faults = new DirectFaults(_time);

    [Fact]
    public void A_burst_that_fails_together_is_one_fault_and_each_new_try_doubles_the_pause()
    {
        Fail(1);
        Trusted().ShouldBe("fibre lte", "one may be a dead server's other address");
        Fail(20);
        foreach (int seconds in (int[])[5, 10, 20, 40, 60, 60])
        {
            Pass(seconds - 1);
            Trusted().ShouldBe("lte");
            Pass(1);
            Trusted().ShouldBe("fibre lte");
            // A page's connections try it again at once.
            Fail(20);
        }

        _faults.Note("fibre", answered: true, first: "fibre");
        Trusted().ShouldBe("fibre lte");
        Fail(20);
        Pass(5);
        Trusted().ShouldBe("fibre lte", "what was forgiven begins anew");
    }

    [Fact]
    public void Where_nobody_answers_or_nothing_would_be_left_all_are_tried()
    {
        for (int i = 0; i < 10; i++)
        {
            _faults.Note("lte", answered: false, first: "fibre");
        }

        Trusted().ShouldBe("fibre lte");
        Fail(2);
        _faults.Trusted([_ways[0]]).ShouldBe([_ways[0]]);
    }

    private static DirectWay Way(string link) => new(link, $"dev-{link}", IPAddress.Loopback, 1);

    private void Fail(int connections)
    {
        for (int i = 0; i < connections; i++)
        {
            _faults.Note("lte", answered: true, first: "fibre");
        }
    }

    private void Pass(int seconds) => _time.AdvanceTo(_time.Now + TimeSpan.FromSeconds(seconds));

    private string Trusted() => string.Join(' ', _faults.Trusted(_ways).Select(w => w.Link));
}
