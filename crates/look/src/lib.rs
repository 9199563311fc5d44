//! What a model is by its bytes, and whether loading it would run code, without loading it.
//!
//! [`look_at_file`] and [`look_at_folder`] tell the format from the bytes, never from a name, and follow what the usual
//! library of that format would import or call. Files are untrusted: whatever they claim, a look takes bounded memory and
//! time, and what lies beyond the bounds is told as not seen. The same bytes give the same answer as long as
//! [`Look::VERSION`](stemma_core::look::Look::VERSION) stays as it is.

mod archive;
mod fault;
mod file;
mod findings;
mod folder;
mod hdf5;
mod keras;
mod mlmodel;
mod pickle;
mod savedmodel;
mod tape;
mod text;
mod ubjson;

pub use self::{
    fault::Fault,
    file::look_at_file,
    folder::{FolderLook, LookedFolder, look_at_folder},
};
