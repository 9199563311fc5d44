//! Content as what tables are read from.

use std::sync::Arc;

use stemma_core::Digest;
use stemma_store::Store;
use stemma_table::Source;

use crate::problem::store_problem;

/// `Err` says why it can't be read.
pub fn open(store: &Store, digest: Digest) -> Result<Source, String> {
    match store.open_blob(&digest) {
        Ok(blob) => Ok(Arc::new(blob)),
        Err(error) => Err(store_problem(error).message),
    }
}
