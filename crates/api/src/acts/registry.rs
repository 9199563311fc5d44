//! All that is registered, searched at once.

use crate::types::*;

acts! {
    /// Of every project that the caller may read, or of one.
    SEARCH as search: GET /search ? SearchRegistry => FoundThings,
        Read in Somewhere, Heavy, "versions of models and of datasets, and runs, by what is known of them";
}
