using Aggregator.Cli;
using Aggregator.Gateway.Cli;

return await CommandLine.RunAsync(RootCommandFactory.Create(), RootCommandFactory.Name, UseCommand.Separate(args));
