using Aggregator.Doctor;
using Aggregator.Gateway.Portals;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Portals;

public sealed class PortalTests
{
    private static readonly string[] Hosts = ["vps.example.net", "198.51.100.2"];

    [Theory]
    [InlineData(null, "", true, "None")]                                     // refused or silent, as usual
    [InlineData(null, "", false, "Unknown")]                                 // all is silent
    [InlineData(302, "http://login.portal.test/", true, "Portal")]
    [InlineData(301, "https://vps.example.net/", true, "None")]              // the VPS's own web server
    [InlineData(200, "", true, "None")]
    [InlineData(511, "", true, "Portal")]
    [InlineData(204, "", false, "Portal")]                                   // a portal that answers 204, for a VPS that is silent
    [InlineData(200, "", false, "Portal")]
    public void A_portal_answers_in_the_place_of_others(int? status, string location, bool reached, string verdict) =>
        PortalAnswer.OfVps(status is { } code ? new HttpAnswer(code, location) : null, reached, null, Hosts).ToString().ShouldBe(verdict);

    [Fact]
    public void What_another_line_is_answered_decides()
    {
        var own = new HttpAnswer(301, "https://www.example.org/");
        PortalAnswer.OfVps(own, true, own, Hosts).ShouldBe(PortalVerdict.None);
        PortalAnswer.OfVps(new HttpAnswer(200, ""), false, own, Hosts).ShouldBe(PortalVerdict.Portal);
        PortalAnswer.OfUrl(new HttpAnswer(204, "")).ShouldBe(PortalVerdict.None);
        PortalAnswer.OfUrl(new HttpAnswer(200, "")).ShouldBe(PortalVerdict.Portal);
        PortalAnswer.OfUrl(null).ShouldBe(PortalVerdict.Unknown);
    }

    [Fact]
    public void Logins_are_tried_at_growing_pauses_and_anew_after_a_session_that_held()
    {
        var backOff = new LoginBackOff();
        var now = TimeSpan.Zero;
        backOff.IsDue(now).ShouldBeTrue();
        backOff.Tried(now);
        backOff.IsDue(now + LoginBackOff.First - TimeSpan.FromSeconds(1)).ShouldBeFalse();
        now += LoginBackOff.First;
        backOff.IsDue(now).ShouldBeTrue();
        backOff.Tried(now);
        now += LoginBackOff.First;
        backOff.IsDue(now).ShouldBeFalse();
        backOff.Free(now);
        now += LoginBackOff.Held;
        backOff.IsDue(now).ShouldBeTrue("the session held and has expired");
        backOff.Tried(now);
        backOff.IsDue(now + LoginBackOff.First).ShouldBeTrue("from the beginning");
        for (int i = 0; i < 20; i++)
        {
            backOff.Tried(now);
        }

        backOff.IsDue(now + LoginBackOff.Longest).ShouldBeTrue();
    }
}
