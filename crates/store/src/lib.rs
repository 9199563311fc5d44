//! Bytes in, the same bytes out, for ever.
//!
//! A [`Store`] is a folder of content named by BLAKE3 (and findable by SHA-256): blobs, and trees of blobs. It knows
//! nothing of models or projects. Any number of processes may use one folder at once.
//!
//! # Layout
//!
//! ```text
//! packs/<32 hex>.pack   records in committed groups, append-only       (`pack`)
//! packs/<32 hex>.idx    what a closed pack holds, rebuilt when lost    (`pack/index_file`)
//! packs/<32 hex>.new    a pack that nobody sees before it is begun     (`pack/writer`)
//! leases/<32 hex>       who is adding content, locked while they live  (`marks/lease`)
//! gc/marks, gc/lock     what is to be removed, and by whom             (`marks/file`, `gc`)
//! ```
//!
//! A blob is cut into chunks, each kept raw or compressed under the BLAKE3 of its plain bytes; a recipe (`pack/recipe`)
//! lists the chunks of a blob. A tree is canonical bytes ([`Tree`]) kept like a blob under a kind of its own.
//!
//! # The rooms
//!
//! Each knows only those below it; nothing below knows [`Store`] or [`Batch`].
//!
//! ```text
//! store                 the face: every question, answered by the room that knows how
//! intake                contents that arrive in parts
//! batch                 the face of adding
//! folder  check         folders as trees, both ways · whether all is as it was put
//! addition  gc          from content to records in packs · removing what nobody needs
//! exchange              records on their way to other stores
//! tree                  directories as content
//! blob                  reading what was put, checked
//! holdings              a folder, its index and its marks: what all the others stand on
//! index                 where each record lies, and reading it there
//! codec  marks          how bytes are kept short · what is to go, and who has been told
//! pack                  what lies in a pack, byte for byte, and who may write there
//! fs  threads           the file system · work that several threads share
//! ```
//!
//! # How it survives
//!
//! * A writer holds the exclusive lock of one pack at a time and appends a group to it. It takes any open pack that
//!   nobody holds, else makes one, so there are at most as many open packs as there were writers at once. From
//!   32 MiB on a pack gets its index and is never written again.
//! * A pack gets its name when its header is on disk and its writer holds the lock, so one that can be seen without a
//!   header is damaged and never just begun.
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

mod addition;
mod batch;
mod blob;
mod check;
mod codec;
mod damage;
mod error;
mod exchange;
mod folder;
mod fs;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gc;
mod holdings;
mod index;
mod intake;
mod little_endian;
mod marks;
mod pack;
mod store;
#[cfg(test)]
mod testing;
mod threads;
mod tree;

pub use batch::Batch;
pub use blob::BlobReader;
pub use check::{RepairReport, SampleReport, Source, VerifyReport};
pub use damage::Damage;
pub use error::StoreError;
pub use exchange::{FinishedPack, PackBuilder, PackContents, Record, RecordFault, RecordId, RecordKind, RecordPlace};
pub use folder::{FolderEntry, FolderWatch, KnownFile, remove_entries, scan_folder};
pub use fs::{FileStamp, Moment, tick_ns};
pub use gc::{Amount, ContentSize, GRACE_DEFAULT, GcOptions, GcProgress, GcReport, PurgeReport, Roots};
pub use holdings::{BlobInfo, Usage};
pub use intake::{Delivery, Incoming, Stretch, take_in};
pub use marks::Lease;
pub use pack::{IndexFault, PackId};
pub use store::Store;
pub use tree::{
    HashOnly, Tree, TreeBuilder, TreeChange, TreeChild, TreeDiff, TreeEntries, TreeEntry, TreeNodes, TreeSummary,
};
