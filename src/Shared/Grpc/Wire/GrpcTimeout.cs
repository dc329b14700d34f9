using System.Globalization;

namespace Grpc.Wire;

/// <summary><c>grpc-timeout</c>: at most eight digits and a unit (H, M, S, m, u, n).</summary>
internal static class GrpcTimeout
{
    private const int MaxDigits = 8;
    private const long MaxValue = 99_999_999;

    private static readonly (char Unit, decimal Nanoseconds)[] Units =
    [
        ('n', 1), ('u', 1_000), ('m', 1_000_000), ('S', 1_000_000_000), ('M', 60_000_000_000), ('H', 3_600_000_000_000),
    ];

    /// <summary>In the finest unit that has room, rounded up: the server's deadline is never the earlier one.</summary>
    public static string Encode(TimeSpan timeout)
    {
        decimal nanoseconds = Math.Max(timeout.Ticks, 0) * (decimal)TimeSpan.NanosecondsPerTick;
        foreach ((char unit, decimal size) in Units)
        {
            decimal value = decimal.Ceiling(nanoseconds / size);
            if (value <= MaxValue)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{value:0}{unit}");
            }
        }

        return string.Create(CultureInfo.InvariantCulture, $"{MaxValue}H");
    }

    /// <summary>False: not a timeout. A timeout beyond the range of <see cref="TimeSpan"/> does not exist with eight digits.</summary>
    public static bool TryDecode(ReadOnlySpan<char> text, out TimeSpan timeout)
    {
        timeout = default;
        if (text.Length is < 2 or > MaxDigits + 1)
        {
            return false;
        }

        long value = 0;
        foreach (char digit in text[..^1])
        {
            if (!char.IsAsciiDigit(digit))
            {
                return false;
            }

            value = (value * 10) + (digit - '0');
        }

        foreach ((char unit, decimal size) in Units)
        {
            if (unit == text[^1])
            {
                timeout = TimeSpan.FromTicks((long)decimal.Ceiling(value * size / TimeSpan.NanosecondsPerTick));
                return true;
            }
        }

        return false;
    }
}
