using System.Text;

namespace Grpc.Core;

public sealed partial class Metadata
{
    /// <summary>One key and its value, which do not change.</summary>
    public class Entry
    {
        private readonly string? _value;
        private readonly byte[]? _bytes;

        /// <param name="key">Ends in <c>-bin</c>; letters, digits, '.', '_' and '-'; made lower case.</param>
        /// <param name="valueBytes">Copied.</param>
        public Entry(string key, byte[] valueBytes)
        {
            Key = Normalize(key);
            if (!IsBinaryKey(Key))
            {
                throw new ArgumentException($"The key of a binary entry ends in '{BinaryHeaderSuffix}'.", nameof(key));
            }

            ArgumentNullException.ThrowIfNull(valueBytes);
            _bytes = [.. valueBytes];
        }

        /// <param name="key">Does not end in <c>-bin</c>; letters, digits, '.', '_' and '-'; made lower case.</param>
        /// <param name="value">Printable ASCII.</param>
        public Entry(string key, string value)
        {
            Key = Normalize(key);
            if (IsBinaryKey(Key))
            {
                throw new ArgumentException($"A key that ends in '{BinaryHeaderSuffix}' has bytes for its value.", nameof(key));
            }

            ArgumentNullException.ThrowIfNull(value);
            _value = value;
        }

        public string Key { get; }

        public bool IsBinary => _value is null;

        /// <exception cref="InvalidOperationException">The entry is binary.</exception>
        public string Value => _value ?? throw new InvalidOperationException("Cannot access string value of a binary metadata entry");

        /// <summary>A copy of the bytes; of a text entry, its ASCII.</summary>
        public byte[] ValueBytes => _bytes is null ? Encoding.ASCII.GetBytes(_value!) : [.. _bytes];

        public override string ToString() => IsBinary
            ? $"[Entry: key={Key}, valueBytes={_bytes!.Length} bytes]"
            : $"[Entry: key={Key}, value={_value}]";

        internal bool Has(string key) => string.Equals(Key, key, StringComparison.OrdinalIgnoreCase);

        private static bool IsBinaryKey(string key) => key.EndsWith(BinaryHeaderSuffix, StringComparison.Ordinal);

        private static string Normalize(string key)
        {
            ArgumentNullException.ThrowIfNull(key);
            foreach (char c in key)
            {
                if (!char.IsAsciiLetterOrDigit(c) && c is not ('.' or '_' or '-'))
                {
                    throw new ArgumentException(
                        "A metadata key has letters, digits, underscores, hyphens and dots only.", nameof(key));
                }
            }

            return key.ToLowerInvariant();
        }
    }
}
