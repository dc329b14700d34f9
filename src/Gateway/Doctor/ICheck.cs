namespace Aggregator.Gateway.Doctor;

/// <summary>One question of the troubleshooting list. Looks and asks, and never changes anything.</summary>
internal interface ICheck
{
    /// <summary>Stable, for scripts: lower case with hyphens.</summary>
    string Id { get; }

    /// <summary>For people: what is looked at.</summary>
    string Title { get; }

    /// <summary>Taken for itself; what takes longer is ended and reported as not known.</summary>
    TimeSpan Limit => TimeSpan.FromSeconds(15);

    /// <summary>Fills the lines, so that it runs by itself when the others have ended.</summary>
    bool LoadsTheLines => false;

    Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken);
}
