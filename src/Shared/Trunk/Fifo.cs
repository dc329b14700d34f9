namespace Aggregator.Trunk;

/// <summary>A queue whose entries can be looked at and changed in place. Grows by doubling; holds no array before its first entry. Not safe for several threads.</summary>
internal struct Fifo<T>
{
    private T[]? _items;
    private int _head;

    internal int Count { get; private set; }

    /// <param name="index">0 is the oldest.</param>
    internal readonly ref T this[int index] => ref _items![(_head + index) & (_items.Length - 1)];

    internal void Enqueue(in T item)
    {
        _items ??= new T[16];
        if (Count == _items.Length)
        {
            var larger = new T[_items.Length * 2];
            for (int i = 0; i < Count; i++)
            {
                larger[i] = this[i];
            }

            _items = larger;
            _head = 0;
        }

        Count++;
        this[Count - 1] = item;
    }

    internal T Dequeue()
    {
        ref T slot = ref this[0];
        T item = slot;
        slot = default!;
        _head = (_head + 1) & (_items!.Length - 1);
        Count--;
        return item;
    }

    internal void Clear()
    {
        _items = null;
        _head = 0;
        Count = 0;
    }
}
