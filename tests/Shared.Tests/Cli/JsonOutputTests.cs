using System.Text.Json;
using Aggregator.Cli;
using Aggregator.Protocol.V1;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Cli;

public sealed class JsonOutputTests
{
    [Fact]
    public void Everything_that_is_not_set_is_there_as_null_or_empty_list()
    {
        using var json = JsonDocument.Parse(JsonOutput.Format(new GatewayStatus()));
        var root = json.RootElement;
        root.EnumerateObject().Select(p => p.Name).ShouldBe(
            ["node", "links", "carrier", "flows", "vps", "warnings", "pool", "host_settings", "version", "uptime_s", "trunk", "packets", "dns", "clients", "direct", "path_manager"]);
        root.GetProperty("vps").ValueKind.ShouldBe(JsonValueKind.Null);
        root.GetProperty("node").ValueKind.ShouldBe(JsonValueKind.Null);
        root.GetProperty("uptime_s").ValueKind.ShouldBe(JsonValueKind.Null);
        root.GetProperty("links").GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public void A_link_has_all_its_names_and_numbers_are_numbers()
    {
        var link = new LinkStatus { Name = "fibre \"é\"", Role = "active", State = "up", Mptcp = "v1", RttMs = 10.5, RxBytes = ulong.MaxValue, LossRatio = 0 };
        var status = new GatewayStatus { Links = { link }, Flows = new FlowCounts { Active = 3 } };

        using var json = JsonDocument.Parse(JsonOutput.Format(status, indented: false));

        var written = json.RootElement.GetProperty("links")[0];
        written.GetProperty("name").GetString().ShouldBe("fibre \"é\"");
        written.GetProperty("rtt_ms").GetDouble().ShouldBe(10.5);
        written.GetProperty("rx_bytes").GetUInt64().ShouldBe(ulong.MaxValue);
        written.GetProperty("tx_bytes").ValueKind.ShouldBe(JsonValueKind.Null, "not known is not 0");
        written.GetProperty("loss_ratio").GetDouble().ShouldBe(0, "known to be 0 is 0");
        written.GetProperty("addresses").GetArrayLength().ShouldBe(0);
        json.RootElement.GetProperty("flows").GetProperty("total").GetUInt64().ShouldBe(0UL);
    }

    [Fact]
    public void A_stream_has_one_line_a_message() => JsonOutput.Format(new GatewayStatus(), indented: false).ShouldNotContain("\n");

    [Fact]
    public void What_JSON_cannot_say_is_null() =>
        JsonOutput.Format(new LinkStatus { RttMs = double.NaN }, indented: false).ShouldContain("\"rtt_ms\":null");

    [Fact]
    public void Bytes_are_base64_and_an_unset_choice_is_null()
    {
        JsonOutput.Format(new Welcome { PlainKey = Google.Protobuf.ByteString.CopyFrom(1, 2, 3) }, indented: false).ShouldContain("\"plain_key\":\"AQID\"");
        JsonOutput.Format(new VpsMessage { Pong = new Pong { Sequence = 7 } }, indented: false).ShouldBe("{\"welcome\":null,\"pong\":{\"sequence\":7}}");
    }
}
