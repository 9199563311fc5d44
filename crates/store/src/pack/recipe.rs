//! How a blob is put together again: the payload of `Blob` and `Tree` records, and the pages of long recipes.
//!
//! All numbers are little-endian.
//!
//! | bytes  | meaning                                                                  |
//! | ------ | ------------------------------------------------------------------------ |
//! | 0      | version, 1; 2 for form 3                                                 |
//! | 1      | flags; bit 0: the SHA-256 is recorded (always, so far)                   |
//! | 2      | form: 0 one chunk named like the blob, 1 list of chunks, 2 list of pages, 3 the content itself |
//! | 3      | reserved, zero; form 3: codec of the content                             |
//! | 4..12  | size of the blob                                                         |
//! | 12..44 | SHA-256 of the blob                                                      |
//! | 44..   | form 1: (chunk digest, length as u32)…; form 2: (page digest, length as u64)… |
//! | last 32| BLAKE3 of the blob's digest and all bytes before; not in form 3          |
//!
//! Form 3 is for short content: it goes on with the stored bytes, which are checked by the name of the blob. A chunk and
//! a recipe of their own, with their headers and places in the index, would be longer than many a file.
//!
//! A page is version (1), three zero bytes, and the entries of form 1.

use stemma_core::{Digest, Sha256};

use super::record::{CHUNK_MAX, PAYLOAD_MAX, is_delta};
use crate::little_endian::{le_u32, le_u64};

/// Chunks in one page, and the most that a recipe lists itself.
pub(crate) const PAGE_CHUNKS: usize = 4096;

const VERSION: u8 = 1;
const VERSION_INLINE: u8 = 2;
const FLAG_SHA256: u8 = 1;
const HEAD_LEN: usize = 44;
const CHECK_LEN: usize = 32;
const PAGE_HEAD_LEN: usize = 4;
const CHUNK_ENTRY_LEN: usize = 36;
const PAGE_ENTRY_LEN: usize = 40;

/// Longer content has a chunk of its own, which other content can be a difference to.
pub(crate) const INLINE_MAX: usize = 32 << 10;

/// Longest recipe that fits a record, in pages.
pub(crate) const PAGES_MAX: usize = (PAYLOAD_MAX as usize - HEAD_LEN - CHECK_LEN) / PAGE_ENTRY_LEN;

/// A stretch of a blob: a chunk or, in a long recipe, a page of chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Where it begins in the blob.
    pub start: u64,
    pub len: u64,
    pub digest: Digest,
}

impl Piece {
    pub fn end(&self) -> u64 {
        self.start + self.len
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Layout {
    /// The blob is one chunk and both have the same name.
    Whole,
    /// The content is in the recipe, by a codec that depends on nothing.
    Inline {
        codec: u8,
        stored: Vec<u8>,
    },
    Chunks(Vec<Piece>),
    Pages(Vec<Piece>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recipe {
    pub size: u64,
    pub sha256: Sha256,
    pub layout: Layout,
}

impl Recipe {
    pub fn encode(&self, blob: Digest) -> Vec<u8> {
        let (form, pieces): (u8, &[Piece]) = match &self.layout {
            Layout::Inline { codec, stored } => return self.encode_inline(*codec, stored),
            Layout::Whole => (0, &[]),
            Layout::Chunks(chunks) => (1, chunks),
            Layout::Pages(pages) => (2, pages),
        };
        let mut bytes = Vec::with_capacity(HEAD_LEN + pieces.len() * PAGE_ENTRY_LEN + CHECK_LEN);
        self.encode_head([VERSION, FLAG_SHA256, form, 0], &mut bytes);
        match form {
            2 => encode_pages(pieces, &mut bytes),
            _ => encode_chunks(pieces, &mut bytes),
        }
        let check = check(blob, &bytes);
        bytes.extend_from_slice(&check);
        bytes
    }

    fn encode_inline(&self, codec: u8, stored: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_LEN + stored.len());
        self.encode_head([VERSION_INLINE, FLAG_SHA256, 3, codec], &mut bytes);
        bytes.extend_from_slice(stored);
        bytes
    }

    fn encode_head(&self, form: [u8; 4], bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&form);
        bytes.extend_from_slice(&self.size.to_le_bytes());
        bytes.extend_from_slice(self.sha256.as_bytes());
    }

    /// Reads a recipe; the error says what is wrong with it. What an inline one holds is not looked at.
    pub fn decode(blob: Digest, bytes: &[u8]) -> Result<Self, RecipeFault> {
        if bytes.first() == Some(&VERSION_INLINE) {
            return Self::decode_inline(bytes);
        }
        let Some(body_len) = bytes.len().checked_sub(CHECK_LEN).filter(|len| *len >= HEAD_LEN) else {
            return Err(RecipeFault::Damaged("its recipe is cut short"));
        };
        let (body, stored_check) = bytes.split_at(body_len);
        if stored_check != check(blob, body) {
            return Err(RecipeFault::Damaged("its recipe does not match its check"));
        }
        if body[0] != VERSION || body[1] != FLAG_SHA256 || body[3] != 0 {
            return Err(RecipeFault::Unknown(body[0]));
        }
        let (size, sha256) = decode_head(body);
        let entries = &body[HEAD_LEN..];
        let layout = match body[2] {
            0 if entries.is_empty() && size <= CHUNK_MAX => Layout::Whole,
            1 => Layout::Chunks(decode_chunks(entries, 0)?),
            2 => Layout::Pages(decode_pages(entries)?),
            _ => return Err(RecipeFault::Unknown(body[2])),
        };
        let covered = match &layout {
            Layout::Whole | Layout::Inline { .. } => size,
            Layout::Chunks(pieces) | Layout::Pages(pieces) => pieces.last().map_or(0, Piece::end),
        };
        if covered != size {
            return Err(RecipeFault::Damaged("its recipe does not cover it"));
        }
        Ok(Self { size, sha256, layout })
    }

    fn decode_inline(bytes: &[u8]) -> Result<Self, RecipeFault> {
        let (head, stored) = bytes.split_at_checked(HEAD_LEN).ok_or(RecipeFault::Damaged("its recipe is cut short"))?;
        if head[1..3] != [FLAG_SHA256, 3] || is_delta(head[3]) {
            return Err(RecipeFault::Unknown(head[0]));
        }
        let (size, sha256) = decode_head(head);
        if size > INLINE_MAX as u64 || stored.len() > INLINE_MAX {
            return Err(RecipeFault::Damaged("its recipe holds more than a recipe may"));
        }
        Ok(Self { size, sha256, layout: Layout::Inline { codec: head[3], stored: stored.to_vec() } })
    }
}

/// Size and SHA-256.
fn decode_head(head: &[u8]) -> (u64, Sha256) {
    (le_u64(&head[4..12]), Sha256::from_slice(&head[12..HEAD_LEN]).expect("the slice is 32 bytes long"))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecipeFault {
    Damaged(&'static str),
    Unknown(u8),
}

pub(crate) fn encode_page(chunks: &[Piece]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PAGE_HEAD_LEN + chunks.len() * CHUNK_ENTRY_LEN);
    bytes.extend_from_slice(&[VERSION, 0, 0, 0]);
    encode_chunks(chunks, &mut bytes);
    bytes
}

/// Reads the page that covers the blob from `start` on; its digest has been checked.
pub(crate) fn decode_page(bytes: &[u8], start: u64) -> Result<Vec<Piece>, RecipeFault> {
    match bytes.split_at_checked(PAGE_HEAD_LEN) {
        Some(([VERSION, 0, 0, 0], entries)) => decode_chunks(entries, start),
        Some((head, _)) => Err(RecipeFault::Unknown(head[0])),
        None => Err(RecipeFault::Damaged("a page of its recipe is cut short")),
    }
}

fn encode_chunks(chunks: &[Piece], bytes: &mut Vec<u8>) {
    for chunk in chunks {
        let len = u32::try_from(chunk.len).expect("chunks are bounded by CHUNK_MAX");
        bytes.extend_from_slice(chunk.digest.as_bytes());
        bytes.extend_from_slice(&len.to_le_bytes());
    }
}

fn encode_pages(pages: &[Piece], bytes: &mut Vec<u8>) {
    for page in pages {
        bytes.extend_from_slice(page.digest.as_bytes());
        bytes.extend_from_slice(&page.len.to_le_bytes());
    }
}

fn decode_chunks(entries: &[u8], start: u64) -> Result<Vec<Piece>, RecipeFault> {
    decode_entries(entries, CHUNK_ENTRY_LEN, start, CHUNK_MAX, |len| u64::from(le_u32(len)))
}

fn decode_pages(entries: &[u8]) -> Result<Vec<Piece>, RecipeFault> {
    decode_entries(entries, PAGE_ENTRY_LEN, 0, CHUNK_MAX * PAGE_CHUNKS as u64, le_u64)
}

fn decode_entries(
    entries: &[u8],
    entry_len: usize,
    start: u64,
    piece_max: u64,
    len_of: impl Fn(&[u8]) -> u64,
) -> Result<Vec<Piece>, RecipeFault> {
    let (whole, rest) = (entries.chunks_exact(entry_len), entries.len() % entry_len);
    if rest != 0 {
        return Err(RecipeFault::Damaged("its recipe ends within an entry"));
    }
    let mut pieces = Vec::with_capacity(whole.len());
    let mut at = start;
    for entry in whole {
        let digest = Digest::from_slice(&entry[..32]).expect("the slice is 32 bytes long");
        let len = len_of(&entry[32..]);
        if len == 0 || len > piece_max {
            return Err(RecipeFault::Damaged("its recipe has a piece of impossible length"));
        }
        pieces.push(Piece { start: at, len, digest });
        at = at.checked_add(len).ok_or(RecipeFault::Damaged("its recipe is longer than any file"))?;
    }
    Ok(pieces)
}

fn check(blob: Digest, body: &[u8]) -> [u8; CHECK_LEN] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(blob.as_bytes());
    hasher.update(body);
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(lens: &[u64]) -> Vec<Piece> {
        let mut start = 0;
        lens.iter()
            .map(|len| {
                let piece = Piece { start, len: *len, digest: Digest::of(&len.to_le_bytes()) };
                start += len;
                piece
            })
            .collect()
    }

    #[test]
    fn each_form_reads_back_for_its_own_blob_only() {
        let blob = Digest::of(b"blob");
        for (size, layout) in [
            (3, Layout::Whole),
            (0, Layout::Chunks(vec![])),
            (60, Layout::Chunks(pieces(&[10, 20, 30]))),
            (3 << 28, Layout::Pages(pieces(&[1 << 28, 2 << 28]))),
        ] {
            let recipe = Recipe { size, sha256: Sha256::of(b"blob"), layout };
            let bytes = recipe.encode(blob);
            assert_eq!(Recipe::decode(blob, &bytes), Ok(recipe));
            assert!(Recipe::decode(Digest::of(b"other"), &bytes).is_err());
        }
        let layout = Layout::Inline { codec: 1, stored: b"packed".to_vec() };
        let recipe = Recipe { size: 9, sha256: Sha256::of(b"blob"), layout };
        assert_eq!(Recipe::decode(blob, &recipe.encode(blob)), Ok(recipe));
        let page = pieces(&[5, 6]);
        let shifted: Vec<_> = page.iter().map(|p| Piece { start: p.start + 100, ..*p }).collect();
        assert_eq!(decode_page(&encode_page(&page), 100), Ok(shifted));
    }

    #[test]
    fn a_recipe_that_does_not_cover_its_blob_is_refused() {
        let blob = Digest::of(b"blob");
        let recipe = Recipe { size: 61, sha256: Sha256::of(b""), layout: Layout::Chunks(pieces(&[10, 50])) };
        assert_eq!(
            Recipe::decode(blob, &recipe.encode(blob)),
            Err(RecipeFault::Damaged("its recipe does not cover it"))
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), form in 0u8..4) {
            let blob = Digest::of(b"blob");
            let _ = Recipe::decode(blob, &bytes);
            let _ = decode_page(&bytes, u64::MAX - 5);
            if bytes.len() >= HEAD_LEN {
                bytes[..4].copy_from_slice(&[2, 1, 3, form]);
                let _ = Recipe::decode(blob, &bytes);
                bytes[..4].copy_from_slice(&[1, 1, form, 0]);
                let check = check(blob, &bytes);
                bytes.extend_from_slice(&check);
                let _ = Recipe::decode(blob, &bytes);
            }
        }
    }
}
