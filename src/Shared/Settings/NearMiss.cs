namespace Aggregator.Settings;

/// <summary>"did you mean": the known word that a mistyped one is closest to.</summary>
internal static class NearMiss
{
    /// <summary>More than this and it is another word, not a slip of the finger.</summary>
    private const int MaxEdits = 2;

    /// <summary>Longer words are nobody's key; comparing costs length times length.</summary>
    private const int MaxLength = 64;

    /// <returns>" (did you mean `x`?)" or nothing.</returns>
    internal static string Hint(string word, IEnumerable<string> known) =>
        Find(word, known) is { } near ? $" (did you mean `{near}`?)" : "";

    internal static string? Find(string word, IEnumerable<string> known)
    {
        if (word.Length > MaxLength)
        {
            return null;
        }

        string lower = word.ToLowerInvariant();
        return known
            .Select(k => (Word: k, Edits: Edits(lower, k.ToLowerInvariant())))
            // A word of three letters with two of them changed is not near anything.
            .Where(c => c.Edits <= Math.Min(MaxEdits, Math.Max(1, c.Word.Length / 2 - 1)))
            .OrderBy(c => c.Edits)
            .Select(c => c.Word)
            .FirstOrDefault();
    }

    /// <summary>Insertions, deletions, changes and swaps of neighbours between the two (optimal string alignment).</summary>
    private static int Edits(string a, string b)
    {
        var cost = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            cost[i, 0] = i;
        }

        for (int j = 0; j <= b.Length; j++)
        {
            cost[0, j] = j;
        }

        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                int change = a[i - 1] == b[j - 1] ? 0 : 1;
                cost[i, j] = Math.Min(Math.Min(cost[i - 1, j] + 1, cost[i, j - 1] + 1), cost[i - 1, j - 1] + change);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    cost[i, j] = Math.Min(cost[i, j], cost[i - 2, j - 2] + 1);
                }
            }
        }

        return cost[a.Length, b.Length];
    }
}
