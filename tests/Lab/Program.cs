using System.CommandLine;
using Aggregator.Lab.Cli;

// Signals are ours: `up` ends in good order on them, however long that takes.
return await NetlabCommand.Create().Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
