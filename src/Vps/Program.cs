using Aggregator.Cli;
using Aggregator.Vps.Cli;

return await CommandLine.RunAsync(RootCommandFactory.Create(), RootCommandFactory.Name, args);
