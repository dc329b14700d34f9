using System.CommandLine;
using System.Net.Sockets;
using Aggregator.Benchmarks.Cli;

var root = new RootCommand("Measures Aggregator against raw MPTCP, HAProxy and v2ray in network namespaces. Needs root and a quiet machine.")
{
    RelayCommand.Create(),
    AggregationCommand.Create(),
    StormCommand.Create(),
    TrunkCommand.Create(),
    FaultsCommand.Create(),
    PacketsCommand.Create(),
    GeneratorCommand.Create(),
};
try
{
    return await root.Parse(args).InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (Exception e) when (e is IOException or SocketException or TimeoutException or OperationCanceledException)
{
    // The rivals and the network have their own words; a stack would hide them.
    Console.Error.WriteLine(e.InnerException is { } inner ? $"{e.Message}: {inner.Message}" : e.Message);
    return 1;
}
