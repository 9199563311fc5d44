//! Bytes in, the same bytes out, for ever.
//!
//! A [`Store`] is a folder of content named by BLAKE3 (and findable by SHA-256): blobs, and trees of blobs. It knows
//! nothing of models or projects. Any number of processes may use one folder at once.
//!
//! # Layout
//!
//! ```text
//! packs/<32 hex>.pack   records in committed groups, append-only      (`pack`, `record`)
//! packs/<32 hex>.idx    what a closed pack holds, rebuilt when lost    (`pack_index`)
//! leases/<32 hex>       who is adding content, locked while they live  (`lease`)
//! gc/marks, gc/lock     what is to be removed, and by whom             (`gc`)
//! ```
//!
//! A blob is cut into chunks (`chunk`), each kept raw or compressed (`codec`) under the BLAKE3 of its plain bytes;
//! a recipe (`recipe`) lists the chunks of a blob. A tree is canonical bytes ([`Tree`]) kept like a blob under a
//! kind of its own.
//!
//! Records also travel between stores, in packs made for that and as opaque bytes (`exchange`). Contents that arrive so
//! are read while their parts come (`intake`).
//!
//! # How it survives
//!
//! * A writer holds the exclusive lock of one pack at a time and appends a group to it. It takes any open pack that
//!   nobody holds, else makes one, so there are at most as many open packs as there were writers at once. From
//!   32 MiB on a pack gets its index and is never written again.
//! * [`Batch::commit`] brings the group's bytes to disk, then a commit record, then that to disk. A record counts
//!   only when a valid commit record follows it: a valid one proves that its group is whole, so opening a store after
//!   a crash checks nothing but headers. What a dead writer left behind the last commit record is cut off by
//!   whoever looks at that pack next. It is cut off only if no commit record follows it: otherwise it is rot in acknowledged
//!   content, the pack is closed as it is, and all records in it that are whole stay readable.
//! * A writer that finds a chunk in another writer's open pack syncs that pack before it commits: the other may be
//!   between its commit record and the disk.
//! * Nothing is handed out unverified: records by header and payload checks, chunks by BLAKE3, recipes by a check
//!   that binds them to their blob, whole blobs by BLAKE3 again where they are read whole.
//! * A record that turns out damaged counts as absent for writers of this process, and a repairing batch reads back
//!   what it would skip, so adding the content again repairs it.
//! * What nobody needs is removed while others write (`gc`): marked first, and swept once its grace is over and every
//!   living lease has read the mark.

mod addition {
    pub(crate) mod base;
    pub(crate) mod chunker;
    pub(crate) mod cut;
    pub(crate) mod ingest;
    pub(crate) mod prepare;
}
mod batch;
mod blob {
    pub(crate) mod read_ahead;
    mod reader;

    pub use reader::*;
}
mod check {
    mod repair;
    mod verify;

    pub use repair::*;
    pub use verify::*;
}
mod codec {
    mod encode;
    pub(crate) mod guess;
    pub(crate) mod planes;

    pub(crate) use encode::*;
}
mod error;
mod exchange {
    mod record;

    pub use record::*;
}
mod folder {
    mod add;
    pub(crate) mod walk;
    mod write;

    pub use add::*;
    pub use write::*;
}
mod fs {
    pub(crate) mod direct;
    pub(crate) mod lock;
    mod stamp;

    pub use stamp::*;
}
#[cfg(fuzzing)]
pub mod fuzzing;
mod gc;
mod index;
mod intake;
mod marks {
    mod file;
    mod lease;

    pub(crate) use file::*;
    pub use lease::*;
}
mod pack {
    pub(crate) mod index_file;
    mod recipe;
    mod record;
    mod scan;

    pub(crate) use recipe::*;
    pub(crate) use record::*;
    pub use scan::*;
}
mod store;
mod threads {
    mod in_order;
    mod sha256;

    pub(crate) use in_order::*;
    pub(crate) use sha256::*;
}
mod tree {
    mod builder;
    mod leaf;
    mod reading;

    pub use builder::*;
    pub use leaf::*;
    pub use reading::*;
}

pub use batch::Batch;
pub use blob::BlobReader;
pub use check::{Damage, RepairReport, SampleReport, Source, VerifyReport};
pub use error::StoreError;
pub use exchange::{
    FinishedPack, IndexFault, PackBuilder, PackContents, Record, RecordFault, RecordId, RecordKind, RecordPlace,
};
pub use folder::{FolderEntry, FolderWatch, KnownFile, remove_entries, scan_folder};
pub use fs::{FileStamp, Moment, tick_ns};
pub use gc::{Amount, ContentSize, GRACE_DEFAULT, GcOptions, GcProgress, GcReport, PurgeReport, Roots};
pub use intake::{Delivery, Incoming, Stretch, take_in};
pub use marks::Lease;
pub use pack::PackId;
pub use store::{BlobInfo, Store, Usage};
pub use tree::{
    HashOnly, Tree, TreeBuilder, TreeChange, TreeChild, TreeDiff, TreeEntries, TreeEntry, TreeNodes, TreeSummary,
};
