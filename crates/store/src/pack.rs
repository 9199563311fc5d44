//! What lies in a pack, byte for byte, and who may write there.
//!
//! A pack is an append-only log. It starts with a header (magic, version, id) and holds groups: any number of records,
//! then a commit record, written twice. A record counts from the moment a valid commit record follows it, and a commit
//! record is written only after all bytes of its group are on disk, so a valid one proves that its group is whole.
//! The second copy exists so that one rotten byte in the last commit record can't make an acknowledged group look
//! like the torn tail of a crash, which is cut off.
//!
//! `record` and `recipe` say what the bytes mean, `group` what makes them count, `scan` and `salvage` read them,
//! `writer` writes them, `index_file` lists them once nobody writes any more.

mod group;
mod id;
mod index_file;
mod recipe;
mod record;
mod salvage;
mod scan;
#[cfg(test)]
mod tests;
mod window;
mod writer;

pub(crate) use group::Group;
pub use id::PackId;
pub(crate) use id::{PACK_HEADER_LEN, encode_pack_header};
pub use index_file::IndexFault;
pub(crate) use index_file::PackIndex;
pub(crate) use recipe::{
    INLINE_MAX, Layout, PAGE_CHUNKS, PAGES_MAX, Piece, Recipe, RecipeFault, decode_page, encode_page,
};
pub(crate) use record::{
    CHUNK_MAX, CODEC_INLINE, CODEC_PLANES, CODEC_PLANES_DELTA, CODEC_RAW, CODEC_ZSTD, CODEC_ZSTD_DELTA, HEADER_LEN,
    Header, HeaderFault, Kind, PAYLOAD_MAX, PackedRecord, is_delta,
};
pub(crate) use salvage::{salvage, survey};
pub(crate) use scan::{Injury, Scan, scan};
pub(crate) use writer::{Adoption, PACK_MAX, PackWriter, SEAL_AT, bury_new_packs};
