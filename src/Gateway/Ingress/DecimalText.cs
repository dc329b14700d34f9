namespace Aggregator.Gateway.Ingress;

/// <summary>Plain decimal numbers in protocols: digits only, no sign, no blanks, no leading zero.</summary>
internal static class DecimalText
{
    internal static bool TryParse(ReadOnlySpan<byte> text, int max, out int value)
    {
        value = 0;
        if (text.IsEmpty || (text.Length > 1 && text[0] == (byte)'0'))
        {
            return false;
        }
        foreach (byte digit in text)
        {
            if (digit is < (byte)'0' or > (byte)'9')
            {
                return false;
            }
            value = (value * 10) + (digit - '0');
            if (value > max)
            {
                return false;
            }
        }
        return true;
    }
}
