namespace Aggregator.Gateway.Resolver;

/// <summary>Every bound of the LAN's name server in one place.</summary>
internal sealed record ResolverLimits
{
    internal static ResolverLimits Default { get; } = new();

    /// <summary>Questions under way, each with its answer at most 64 KiB: of all clients, and of one, so that one cannot take all places.</summary>
    internal int MaxQuestions { get; init; } = 1024;

    internal int MaxOfClient { get; init; } = 256;

    /// <summary>Connections over TCP, of all and of one client.</summary>
    internal int MaxConnections { get; init; } = 256;

    internal int MaxConnectionsOfClient { get; init; } = 32;

    /// <summary>Questions of one connection under way; further ones stay unread (RFC 7766 section 6.2.1.1 wants more than one).</summary>
    internal int MaxPipelined { get; init; } = 16;

    /// <summary>RFC 7766 section 6.2.3: some seconds.</summary>
    internal TimeSpan ConnectionIdle { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>No question over UDP is longer; common servers read as much.</summary>
    internal int MaxUdpQuestionBytes { get; init; } = 4096;

    /// <summary>Larger answers are sent for over TCP, whatever the client says it takes: two fragments are enough.</summary>
    internal int MaxUdpAnswerBytes { get; init; } = 4096;

    /// <summary>What the kernel may hold of questions not read yet.</summary>
    internal int SocketBytes { get; init; } = 512 * 1024;
}
