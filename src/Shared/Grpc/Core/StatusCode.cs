namespace Grpc.Core;

/// <summary>Result of a call. Numbers as on the wire (gRPC, doc/statuscodes.md).</summary>
public enum StatusCode
{
    /// <summary>Success.</summary>
    OK = 0,

    /// <summary>The operation was cancelled, usually by the caller.</summary>
    Cancelled = 1,

    /// <summary>An error of unknown kind, such as an exception that a handler did not catch.</summary>
    Unknown = 2,

    /// <summary>The caller gave an argument that is wrong whatever the state of the system.</summary>
    InvalidArgument = 3,

    /// <summary>The deadline passed before the operation ended.</summary>
    DeadlineExceeded = 4,

    /// <summary>A named entity does not exist.</summary>
    NotFound = 5,

    /// <summary>The entity to be created exists.</summary>
    AlreadyExists = 6,

    /// <summary>The caller is known and may not do this.</summary>
    PermissionDenied = 7,

    /// <summary>A limit was reached: message size, quota, rate.</summary>
    ResourceExhausted = 8,

    /// <summary>The system is not in the state that the operation needs.</summary>
    FailedPrecondition = 9,

    /// <summary>Aborted by a conflict; the caller may try the whole again.</summary>
    Aborted = 10,

    /// <summary>Past the valid range.</summary>
    OutOfRange = 11,

    /// <summary>The method is not there.</summary>
    Unimplemented = 12,

    /// <summary>An invariant is broken, or the peer broke the protocol.</summary>
    Internal = 13,

    /// <summary>The service cannot be reached at present; trying again makes sense.</summary>
    Unavailable = 14,

    /// <summary>Data lost or corrupt beyond repair.</summary>
    DataLoss = 15,

    /// <summary>The caller is not known.</summary>
    Unauthenticated = 16,
}
