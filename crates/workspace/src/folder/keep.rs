//! A folder that is kept without being tracked.

use std::path::Path;

use stemma_core::name::TreePath;
use stemma_store::{Store, StoreError, TreeSummary};

use super::present::put;

/// Puts a folder into a store; the lock need not know it. What does not look as it did and is stored is not read.
///
/// `home` is where folders are remembered. `progress` gets paths as seen from the folder, and the bytes of each that were
/// read so far.
pub fn keep_folder(
    home: &Path,
    folder: &Path,
    store: &Store,
    progress: &mut dyn FnMut(&TreePath, u64),
) -> Result<TreeSummary, StoreError> {
    let mut batch = store.batch();
    let (summary, _pointers) = put(home, folder, &mut batch, progress)?;
    batch.commit()?;
    Ok(summary)
}
