using System.Reflection;
using Grpc.Core;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Rpc;

/// <summary>
/// The folder may be replaced by Grpc.AspNetCore and Grpc.Net.Client: what it shows to others is a part of what they have,
/// member for member as in public-surface.txt, and nobody outside uses its inside.
/// </summary>
public sealed class PublicSurfaceTests
{
    [Fact]
    public void Every_public_member_was_compared_with_the_packages()
    {
        string[] expected = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "Grpc", "Wire", "public-surface.txt"));
        string[] actual = [.. Surface().Order(StringComparer.Ordinal)];
        string difference = string.Join('\n', actual.Except(expected).Select(line => "new: " + line)
            .Concat(expected.Except(actual).Select(line => "gone: " + line)));
        difference.ShouldBeEmpty(
            "Add a member only if grpc-dotnet 2.71 has the very same one; then put it into tests/Shared.Tests/Grpc/Wire/public-surface.txt.");
    }

    [Fact]
    public void Nobody_outside_uses_the_inside()
    {
        DirectoryInfo root = new(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root.FullName, "Aggregator.sln")))
        {
            root = root.Parent ?? throw new InvalidOperationException("No Aggregator.sln above the tests.");
        }

        string[] inside = ["Grpc.Wire", "Grpc.Core.Internal", "Grpc.Net.Client.Internal", "Grpc.AspNetCore.Server.Internal"];
        var offenders =
            from folder in new[] { "src", "tests" }
            from path in Directory.EnumerateFiles(Path.Combine(root.FullName, folder), "*.cs", SearchOption.AllDirectories)
            let file = Path.GetRelativePath(root.FullName, path).Replace('\\', '/')
            where !file.StartsWith("src/Shared/Grpc/", StringComparison.Ordinal)
                && !file.StartsWith("tests/Shared.Tests/Grpc/Wire/", StringComparison.Ordinal)
            let text = File.ReadAllText(path)
            where inside.Any(name => text.Contains(name, StringComparison.Ordinal))
            select file;
        offenders.ShouldBeEmpty();
    }

    private static IEnumerable<string> Surface()
    {
        const BindingFlags Own = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
        string[] roots = ["Grpc.Core", "Grpc.Net.Client", "Grpc.AspNetCore.Server", "Microsoft.AspNetCore.Builder", "Microsoft.Extensions.DependencyInjection"];
        foreach (Type type in typeof(RpcException).Assembly.GetTypes().Where(type => roots.Contains(type.Namespace) && IsVisible(type)))
        {
            yield return $"{type}: {type.BaseType}";
            foreach (MemberInfo member in type.GetMembers(Own))
            {
                bool visible = member switch
                {
                    MethodBase method => IsVisible(method) && !(method.IsSpecialName && method is MethodInfo),
                    FieldInfo field => (field.IsPublic || field.IsFamily) && !field.IsSpecialName,
                    PropertyInfo property => property.GetAccessors(nonPublic: true).Any(IsVisible),
                    _ => false,
                };
                if (visible)
                {
                    string accessors = member is PropertyInfo p
                        ? $" {{{string.Concat(p.GetAccessors(nonPublic: true).Where(IsVisible).Select(a => a.Name.StartsWith("get_", StringComparison.Ordinal) ? " get;" : " set;").Order())} }}"
                        : "";
                    yield return $"{type} | {member}{accessors}";
                }
            }
        }
    }

    private static bool IsVisible(Type type) =>
        type.IsPublic || ((type.IsNestedPublic || type.IsNestedFamily || type.IsNestedFamORAssem) && IsVisible(type.DeclaringType!));

    private static bool IsVisible(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;
}
