using System.Text.RegularExpressions;
using System.Xml.Linq;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Architecture;

/// <summary>
/// Holds the directions of docs/design.md: which project and which room may use which. A room is a folder, and its
/// namespace has the folder's name, so the source tells everything.
/// </summary>
public sealed partial class ReferenceDirectionsTests
{
    private static readonly string Root = FindRoot();

    [Theory]
    [InlineData("src/Shared", new string[0])]
    [InlineData("src/Gateway", new[] { "Shared" })]
    [InlineData("src/Vps", new[] { "Shared" })]
    public void Projects_reference_only_what_lies_below_them(string folder, string[] allowed)
    {
        string project = Directory.GetFiles(Path.Combine(Root, folder), "*.csproj").ShouldHaveSingleItem();
        var references = XDocument.Load(project).Descendants("ProjectReference")
            .Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value.Replace('\\', '/')));
        references.ShouldBe(allowed, ignoreOrder: true);
    }

    [Fact]
    public void Interop_imports_nothing_of_ours() =>
        Uses("src/Shared/Interop").Where(u => u.Name != "Aggregator.Interop").ShouldBeEmpty();

    [Fact]
    public void Shared_knows_neither_daemon() =>
        Uses("src/Shared").Where(u => u.Name.StartsWith("Aggregator.Gateway", StringComparison.Ordinal)
            || u.Name.StartsWith("Aggregator.Vps", StringComparison.Ordinal)).ShouldBeEmpty();

    [Fact]
    public void Every_file_of_a_room_has_the_rooms_namespace()
    {
        var strangers = new List<string>();
        foreach (var (folder, prefix) in new[] { ("src/Shared", "Aggregator"), ("src/Gateway", "Aggregator.Gateway"), ("src/Vps", "Aggregator.Vps") })
        {
            foreach (string file in SourceFiles(folder))
            {
                string relative = Path.GetRelativePath(Path.Combine(Root, folder), file);
                string room = relative.Split(Path.DirectorySeparatorChar)[0];

                // src/Shared/Grpc carries the foreign packages' namespaces; Program.cs is the composition root.
                if (room == "Grpc" || room.EndsWith(".cs", StringComparison.Ordinal))
                {
                    continue;
                }

                string? declared = NamespaceLine().Match(File.ReadAllText(file)) is { Success: true } m ? m.Groups[1].Value : null;
                string expected = $"{prefix}.{room}";
                if (declared != expected && declared?.StartsWith(expected + ".", StringComparison.Ordinal) != true)
                {
                    strangers.Add($"{Path.GetRelativePath(Root, file)}: {declared}, not {expected}");
                }
            }
        }

        strangers.ShouldBeEmpty();
    }

    /// <summary>The rooms of the gateway: data goes Ingress → Carriers, control goes Links → Policy → Apply, and who only tells looks but does not touch.</summary>
    [Theory]
    [InlineData("Configuration", new string[0])]
    [InlineData("Carriers", new[] { "Configuration" })]
    [InlineData("Lanes", new[] { "Carriers", "Configuration" })]
    [InlineData("Node", new[] { "Carriers" })]
    [InlineData("Packets", new[] { "Carriers", "Lanes", "Links", "Policy", "Ingress", "Configuration" })]
    [InlineData("Resolver", new[] { "Carriers", "Links", "Configuration" })]
    [InlineData("Clients", new[] { "Links", "Policy", "Events", "Configuration" })]
    [InlineData("Links", new[] { "Configuration", "Carriers" })]
    [InlineData("Direct", new[] { "Links", "Carriers", "Configuration" })]
    [InlineData("Events", new[] { "Links", "Configuration" })]
    [InlineData("Portals", new[] { "Links", "Doctor", "Roles", "Events", "Configuration" })]
    [InlineData("Roles", new[] { "Links", "Events", "Configuration" })]
    [InlineData("Ingress", new[] { "Carriers", "Configuration" })]
    [InlineData("Apply", new[] { "Policy", "Links", "Configuration" })]
    [InlineData("Policy", new[] { "Links", "Configuration", "Apply" })]
    [InlineData("Status", new[] { "Links", "Policy", "Node", "Carriers", "Lanes", "Ingress", "Configuration", "Direct", "Roles", "Speed" })]
    [InlineData("Doctor", new[] { "Links", "Speed", "Policy", "Node", "Carriers", "Configuration", "Packets" })]
    [InlineData("Speed", new[] { "Links", "Carriers", "Node", "Configuration" })]
    [InlineData("Api", new[] { "Status", "Policy", "Node", "Speed", "Configuration", "Doctor", "Links", "Roles", "Events", "Clients" })]
    public void Rooms_of_the_gateway_look_one_way(string room, string[] allowed) =>
        AssertRoom("src/Gateway", "Aggregator.Gateway", room, allowed);

    /// <summary>The rooms of the VPS: data goes Listener → Sessions → Egress.</summary>
    [Theory]
    [InlineData("Configuration", new string[0])]
    [InlineData("Pairing", new[] { "Configuration" })]
    [InlineData("Egress", new[] { "Configuration" })]
    [InlineData("Sessions", new[] { "Configuration", "Pairing", "Egress" })]
    [InlineData("Resolver", new string[0])]
    [InlineData("Diagnosis", new[] { "Pairing" })]
    [InlineData("Speed", new[] { "Pairing", "Sessions" })]
    [InlineData("Listener", new[] { "Configuration", "Pairing", "Sessions", "Speed", "Egress" })]
    [InlineData("Health", new[] { "Pairing", "Sessions" })]
    [InlineData("Packets", new[] { "Configuration", "Pairing", "Egress", "Sessions" })]
    [InlineData("Apply", new[] { "Configuration", "Packets" })]
    [InlineData("Status", new[] { "Configuration", "Pairing", "Sessions", "Packets", "Apply" })]
    [InlineData("Api", new[] { "Configuration", "Pairing", "Sessions", "Status" })]
    public void Rooms_of_the_vps_look_one_way(string room, string[] allowed) =>
        AssertRoom("src/Vps", "Aggregator.Vps", room, allowed);

    /// <summary>Only the loop that decides acts on the host; the composition root and the command lines may call it to end or to put back.</summary>
    [Theory]
    [InlineData("src/Gateway", "Aggregator.Gateway.Apply", new[] { "Policy", "Cli", "Status" })]
    [InlineData("src/Vps", "Aggregator.Vps.Apply", new[] { "Cli", "Status" })]
    public void Only_one_room_acts_on_the_host(string project, string apply, string[] callers) =>
        Uses(project)
            .Where(u => u.Name == apply)
            .Select(u => u.File.Split('/')[2])
            .Where(room => room != "Apply" && !callers.Contains(room))
            .ShouldBeEmpty();

    private static void AssertRoom(string project, string prefix, string room, string[] allowed)
    {
        var rooms = allowed.Append(room).Select(r => $"{prefix}.{r}").ToHashSet();
        var strangers = Uses($"{project}/{room}")
            .Where(u => u.Name.StartsWith(prefix + ".", StringComparison.Ordinal) && !rooms.Contains(RoomOf(u.Name, prefix)))
            .Select(u => $"{u.File} uses {u.Name}");
        strangers.ShouldBeEmpty();
    }

    private static string RoomOf(string name, string prefix)
    {
        int end = name.IndexOf('.', prefix.Length + 1);
        return end < 0 ? name : name[..end];
    }

    /// <summary>The namespaces of ours that a folder's files name, in a using directive or in full.</summary>
    private static IEnumerable<(string File, string Name)> Uses(string folder)
    {
        foreach (string file in SourceFiles(folder))
        {
            string code = Comment().Replace(File.ReadAllText(file), "");
            foreach (Match match in OurNamespace().Matches(code))
            {
                yield return (Path.GetRelativePath(Root, file), match.Groups[1].Value);
            }
        }
    }

    private static IEnumerable<string> SourceFiles(string folder)
    {
        string path = Path.Combine(Root, folder);
        return Directory.Exists(path)
            ? Directory.EnumerateFiles(path, "*.cs", SearchOption.AllDirectories)
                .Where(f => !f.Contains("/obj/", StringComparison.Ordinal) && !f.Contains("/bin/", StringComparison.Ordinal))
            : throw new DirectoryNotFoundException(path);
    }

    private static string FindRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Aggregator.sln")))
        {
            directory = directory.Parent;
        }

        return directory?.FullName ?? throw new InvalidOperationException("Aggregator.sln is in no folder above the tests");
    }

    [GeneratedRegex(@"^\s*(?:global\s+)?using\s+(?:static\s+)?(?:\w+\s*=\s*)?(Aggregator(?:\.\w+)*)", RegexOptions.Multiline)]
    private static partial Regex OurNamespace();

    [GeneratedRegex(@"^namespace\s+([\w.]+)", RegexOptions.Multiline)]
    private static partial Regex NamespaceLine();

    [GeneratedRegex(@"//[^\n]*")]
    private static partial Regex Comment();
}
