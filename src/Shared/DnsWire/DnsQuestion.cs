using System.Text;

namespace Aggregator.DnsWire;

/// <summary>The one question of a message.</summary>
/// <param name="End">Where what follows begins.</param>
internal readonly record struct DnsQuestion(int End, ushort Type, ushort Class)
{
    /// <summary>In its labels, the root's zero with it.</summary>
    internal ReadOnlySpan<byte> Name(ReadOnlySpan<byte> message) => message[DnsMessage.HeaderBytes..(End - 4)];

    /// <summary>Lower case, with dots between the labels and none at the end; bytes that no host's name has as `\ddd` (RFC 1035 section 5.1).</summary>
    internal string NameText(ReadOnlySpan<byte> message)
    {
        var text = new StringBuilder();
        var name = Name(message);
        for (int at = 0; name[at] != 0; at += 1 + name[at])
        {
            text.Append(at > 0 ? "." : "");
            foreach (byte b in name.Slice(at + 1, name[at]))
            {
                if (b is > (byte)' ' and < 127 and not (byte)'.' and not (byte)'\\')
                {
                    text.Append(char.ToLowerInvariant((char)b));
                }
                else
                {
                    text.Append('\\').Append(b.ToString("d3", System.Globalization.CultureInfo.InvariantCulture));
                }
            }
        }

        return text.ToString();
    }
}
