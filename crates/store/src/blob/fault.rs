//! What is wrong with a copy of a record, beyond its checks.

use crate::{error::StoreError, holdings::Holdings, index::CopyFault, pack::RecipeFault};

pub(crate) fn recipe_fault(holdings: &Holdings, fault: RecipeFault) -> CopyFault {
    match fault {
        RecipeFault::Damaged(what) => CopyFault::Damaged(what.to_owned()),
        RecipeFault::Unknown(version) => unsupported(holdings, "recipe version", version),
    }
}

pub(super) fn unsupported(holdings: &Holdings, what: &'static str, version: u8) -> CopyFault {
    let path = holdings.index().dir().to_owned();
    CopyFault::Other(StoreError::UnsupportedVersion { path, what, version: version.into() })
}
