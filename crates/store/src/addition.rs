//! Content on its way into packs: cut, compared with what is there, made short, written.
//!
//! `records` decides which records are written and commits them. `ingest` brings content there from a reader: `cut` says
//! where it is cut (`chunker` where nothing else does), `base` what a piece is like in an earlier version. `source` opens
//! files and readers, `prepare` lets other threads do the work for short content. `import` takes records that come from
//! elsewhere, `keep` those that a collection may remove.

mod base;
mod chunker;
mod cut;
mod import;
mod ingest;
mod keep;
mod prepare;
mod records;
mod source;

pub(crate) use import::{holds_all, import, import_checked};
pub(crate) use ingest::put_tree_node;
pub(crate) use keep::{keep, keep_record};
pub(crate) use prepare::{PREPARED_MAX, Prepared, prepare};
pub(crate) use records::{Addition, HeldContent};
pub(crate) use source::{put_file, put_open_file, put_reader};
