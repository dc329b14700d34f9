using System.Text;

namespace Grpc.Wire;

/// <summary><c>grpc-message</c>: UTF-8, with every byte but printable ASCII, and '%', written as %XX.</summary>
internal static class PercentEncoding
{
    private const string Hex = "0123456789ABCDEF";

    public static string Encode(string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        var encoded = new StringBuilder(utf8.Length);
        for (int i = 0; i < utf8.Length; i++)
        {
            byte b = utf8[i];

            // HTTP takes the blanks at both ends of a value away, so these are written out too.
            bool blankAtEnd = b == ' ' && (i == 0 || i == utf8.Length - 1);
            if (b is >= 0x20 and <= 0x7E and not (byte)'%' && !blankAtEnd)
            {
                encoded.Append((char)b);
            }
            else
            {
                encoded.Append('%').Append(Hex[b >> 4]).Append(Hex[b & 0xF]);
            }
        }

        return encoded.ToString();
    }

    /// <summary>Never fails: what is no escape stays as it is, what is no UTF-8 becomes U+FFFD.</summary>
    public static string Decode(string text)
    {
        if (!text.Contains('%', StringComparison.Ordinal))
        {
            return text;
        }

        byte[] raw = Encoding.UTF8.GetBytes(text);
        int length = 0;
        for (int i = 0; i < raw.Length; i++)
        {
            if (raw[i] == '%' && i + 2 < raw.Length && char.IsAsciiHexDigit((char)raw[i + 1]) && char.IsAsciiHexDigit((char)raw[i + 2]))
            {
                raw[length++] = (byte)((Value(raw[i + 1]) << 4) | Value(raw[i + 2]));
                i += 2;
            }
            else
            {
                raw[length++] = raw[i];
            }
        }

        return Encoding.UTF8.GetString(raw, 0, length);
    }

    private static int Value(byte digit) => digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
}
