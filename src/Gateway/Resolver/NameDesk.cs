using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Aggregator.DnsWire;
using Aggregator.Flows;
using Aggregator.Gateway.Configuration;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Resolver;

/// <summary>
/// Decides who answers a question: a split domain's server, the VPS (its own resolver or the configured servers through it), or, while no VPS is reached
/// and the configuration falls back to direct, servers over the WANs. Equal questions at one time are asked once. Answers are not kept: clients do that themselves.
/// </summary>
/// <param name="isDirect">Whether traffic goes out without the VPS at this moment.</param>
/// <param name="mayFallBack">`fallback: direct`.</param>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Usage", "CA2213", Justification = "Questions that are still ending may look at the token.")]
internal sealed class NameDesk(
    DnsConfig config, CarriedQuestion carried, DirectQuestion direct, Func<bool> isDirect, bool mayFallBack, ResolverLimits limits, TimeProvider time, ILogger logger)
    : IDisposable
{
    private const ushort TypeIxfr = 251;
    private const ushort TypeAxfr = 252;

    private readonly ConcurrentDictionary<string, Lazy<Task<byte[]>>> _underWay = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<IPAddress, int> _clients = new();
    private readonly CancellationTokenSource _stop = new();

    private CancellationToken Ending => _stop.Token;

    internal ResolverCounts Counts { get; } = new();

    /// <summary>Never throws for what a client or a server sends.</summary>
    /// <returns>The answer, whole; null: the message is none that is answered, or there are too many questions.</returns>
    internal async Task<byte[]?> AnswerAsync(byte[] query, IPAddress client)
    {
        if (!DnsMessage.IsQuery(query))
        {
            Counts.Dropped();
            return null;
        }

        if (!DnsMessage.TryReadQuestion(query, out var question))
        {
            Counts.Dropped();
            return DnsMessage.Error(query, DnsCode.FormatError);
        }

        if (!DnsMessage.IsStandard(query))
        {
            Counts.Dropped();
            return DnsMessage.Error(query, DnsCode.NotImplemented);
        }

        if (question.Class != DnsMessage.ClassInternet || question.Type is TypeIxfr or TypeAxfr)
        {
            Counts.Dropped();
            return DnsMessage.Error(query, DnsCode.Refused);
        }

        if (!TryEnter(client))
        {
            Counts.Dropped();
            return null;
        }

        try
        {
            return Fit(await ShareAsync(query, question), query, question);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
        finally
        {
            Leave(client);
        }
    }

    /// <summary>Ends the questions under way.</summary>
    public void Dispose() => _stop.Cancel();

    /// <summary>The question of one who asked at the same time may differ in its number and in the case of its letters.</summary>
    private static byte[] Fit(byte[] shared, byte[] query, in DnsQuestion question)
    {
        byte[] answer = [.. shared];
        DnsMessage.SetId(answer, DnsMessage.Id(query));
        if (DnsMessage.TryReadQuestion(answer, out var told) && told.End == question.End)
        {
            query.AsSpan(DnsMessage.HeaderBytes, question.End - DnsMessage.HeaderBytes).CopyTo(answer.AsSpan(DnsMessage.HeaderBytes));
        }

        return answer;
    }

    private async Task<byte[]> ShareAsync(byte[] query, DnsQuestion question)
    {
        // Everything but the number, with the name in lower case.
        byte[] key = query[2..];
        Ascii.ToLowerInPlace(key.AsSpan(DnsMessage.HeaderBytes - 2, question.End - DnsMessage.HeaderBytes), out _);
        string text = Convert.ToBase64String(key);
        var asked = new Lazy<Task<byte[]>>(() => AskAsync(query, question.NameText(query)));
        var shared = _underWay.GetOrAdd(text, asked);
        if (shared != asked)
        {
            Counts.Shared();
            return await shared.Value;
        }

        try
        {
            return await asked.Value;
        }
        finally
        {
            _underWay.TryRemove(new(text, asked));
        }
    }

    private async Task<byte[]> AskAsync(byte[] query, string name)
    {
        try
        {
            if (Split(name) is { } split)
            {
                byte[]? answer = await DnsClient.AskAsync(split.Server, query, null, time, Ending);
                return Note(answer, AnswerWay.Split, $"{split.Server} (for {split.Domain}) does not answer") ?? Failure(query);
            }

            if (isDirect())
            {
                return Note(await direct.AskAsync(query, Ending), AnswerWay.Direct, "no name server answers over the WANs") ?? Failure(query);
            }

            var (told, isAway, problem) = await AskCarriedAsync(query);
            if (told is null && isAway && mayFallBack)
            {
                return Note(await direct.AskAsync(query, Ending), AnswerWay.Direct, "no name server answers over the WANs") ?? Failure(query);
            }

            return Note(told, AnswerWay.Vps, problem) ?? Failure(query);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            logger.ResolverFault(e);
            return Failure(query);
        }
    }

    private async Task<(byte[]? Answer, bool IsAway, string? Problem)> AskCarriedAsync(byte[] query)
    {
        if (config.Upstream.IsEmpty)
        {
            var own = await carried.AskAsync(NameProtocol.Target, query, Ending);
            return (own.Answer, own.IsAway, own.Problem);
        }

        byte[] sent = [.. query];
        DnsMessage.SetId(sent, DnsMessage.NewId());
        CarriedAnswer last = default;
        foreach (var server in config.Upstream)
        {
            var answer = await carried.AskAsync(new FlowTarget(server.Address, (ushort)server.Port), sent, Ending);
            last = answer.Answer is null ? last with { Problem = answer.Problem, IsAway = answer.IsAway } : answer;
            if (answer.IsAway || (answer.Answer is { } message && DnsMessage.Code(message) is DnsCode.None or DnsCode.NameError))
            {
                break;
            }
        }

        return (last.Answer, last.IsAway, last.Problem);
    }

    private byte[]? Note(byte[]? answer, AnswerWay way, string? problem)
    {
        if (answer is null)
        {
            if (Counts.Failed(problem ?? "no answer"))
            {
                logger.NamesFail(problem ?? "no answer");
            }
        }
        else
        {
            Counts.Answered(way);
        }

        return answer;
    }

    /// <summary>The longest domain that the name is in.</summary>
    private DnsSplit? Split(string name) => config.Split
        .Where(s => name == s.Domain || name.EndsWith("." + s.Domain, StringComparison.Ordinal))
        .MaxBy(s => s.Domain.Length);

    private static byte[] Failure(byte[] query) => DnsMessage.Error(query, DnsCode.ServerFailure);

    private bool TryEnter(IPAddress client)
    {
        if (Counts.Enter() > limits.MaxQuestions)
        {
            Counts.Leave();
            return false;
        }

        if (_clients.AddOrUpdate(client, 1, static (_, n) => n + 1) > limits.MaxOfClient)
        {
            Leave(client);
            return false;
        }

        return true;
    }

    private void Leave(IPAddress client)
    {
        Counts.Leave();
        if (_clients.AddOrUpdate(client, 0, static (_, n) => n - 1) <= 0)
        {
            _clients.TryRemove(new(client, 0));
        }
    }
}
