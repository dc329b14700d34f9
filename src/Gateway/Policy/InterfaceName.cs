namespace Aggregator.Gateway.Policy;

/// <summary>What the kernel takes as an interface's name (dev_valid_name in net/core/dev.c).</summary>
internal static class InterfaceName
{
    /// <summary>IFNAMSIZ without the terminating zero.</summary>
    private const int MaxLength = 15;

    internal static bool IsValid(string name) =>
        name.Length is > 0 and <= MaxLength && name is not ("." or "..") && name.All(c => c is > ' ' and < (char)0x7F and not '/' and not ':');
}
