//! Short content made ready on any thread: hashed and in the form in which it is stored. Only the writing is left.

use stemma_core::{Digest, Sha256};

use crate::{
    addition::ingest,
    batch::Batch,
    codec::{self, Encoded, Hint},
    error::Result,
    pack::{CODEC_RAW, Kind},
    pack::{Layout, Recipe},
    store::{BlobInfo, Store},
};

/// Longer content is cut and compressed by several threads itself.
pub(crate) const PREPARED_MAX: u64 = ingest::SINGLE_CHUNK_MAX as u64;

pub(crate) struct Prepared {
    info: BlobInfo,
    plain: Vec<u8>,
    form: Form,
}

enum Form {
    /// The store had it a moment ago.
    Held,
    /// It is of a format that has a say in how it is stored.
    Open,
    Chosen(Option<Encoded>),
}

/// Hashes content of at most [`PREPARED_MAX`] bytes, and compresses what the store lacks.
pub(crate) fn prepare(store: &Store, plain: Vec<u8>) -> Prepared {
    let info = BlobInfo { digest: Digest::of(&plain), sha256: Sha256::of(&plain), size: plain.len() as u64 };
    let form = if store.index().content(Kind::Blob, &info.digest).is_some() {
        Form::Held
    } else if plain.is_empty() || stemma_format::may_have_outline(&plain) {
        Form::Open
    } else {
        Form::Chosen(codec::encode(&plain, &Hint::default(), None))
    };
    Prepared { info, plain, form }
}

impl Prepared {
    pub fn append(self, batch: &mut Batch) -> Result<BlobInfo> {
        let Self { info, plain, form } = self;
        let encoded = match form {
            Form::Chosen(encoded) => encoded,
            Form::Held if batch.holds_short(Kind::Blob, &info.digest) => return Ok(info),
            Form::Held | Form::Open => return batch.put_bytes(&plain),
        };
        let may_be_inline = batch.may_be_inline(Kind::Blob, &info.digest, plain.len());
        let (codec, stored) = encoded.map_or((CODEC_RAW, plain), |encoded| (encoded.codec, encoded.payload));
        let layout = if may_be_inline {
            Layout::Inline { codec, stored }
        } else {
            if !batch.holds(Kind::Chunk, &info.digest) {
                batch.append(Kind::Chunk, info.digest, codec, info.size, &stored)?;
            }
            Layout::Whole
        };
        let recipe = Recipe { size: info.size, sha256: info.sha256, layout };
        batch.append_recipe(Kind::Blob, info.digest, &recipe)?;
        Ok(info)
    }
}
