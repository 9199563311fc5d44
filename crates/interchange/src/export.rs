//! Taking content out in the forms of other tools.

mod oci;

pub use oci::{About, ExportError, Exported, OciLayout};
