//! Headers that clients and servers of Stemma know.

/// Name of the header with which a caller asserts who it is.
pub const ACTOR_HEADER: &str = "x-stemma-actor";

/// Header with the id under which a change is done at most once.
pub const REQUEST_HEADER: &str = "x-request-id";

/// Header with the deployment revision that must answer.
pub const REVISION_HEADER: &str = "x-stemma-revision";

/// Header with the size of the newest head of the home's history that the caller remembers.
pub const SEEN_HEADER: &str = "x-stemma-seen";

/// Header of an answer to it: the head as it is now, as a line of `stemma.heads`.
pub const HEAD_HEADER: &str = "x-stemma-head";

/// And the proof that what is remembered is a beginning: its size and hashes in base64.
pub const PROOF_HEADER: &str = "x-stemma-head-proof";
