//! Short content made ready on any thread: hashed and in the form in which it is stored. Only the writing is left.

use stemma_core::{Digest, Sha256};

use super::{ingest::SINGLE_CHUNK_MAX, records::Addition, source::put_reader};
use crate::{
    codec::{self, Encoded, Hint},
    error::Result,
    holdings::{BlobInfo, Holdings},
    pack::{CODEC_RAW, Kind, Layout, Recipe},
};

/// Longer content is cut and compressed by several threads itself.
pub(crate) const PREPARED_MAX: u64 = SINGLE_CHUNK_MAX as u64;

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
pub(crate) fn prepare(holdings: &Holdings, plain: Vec<u8>) -> Prepared {
    let info = BlobInfo { digest: Digest::of(&plain), sha256: Sha256::of(&plain), size: plain.len() as u64 };
    let form = if holdings.index().content(Kind::Blob, &info.digest).is_some() {
        Form::Held
    } else if plain.is_empty() || stemma_format::may_have_outline(&plain) {
        Form::Open
    } else {
        Form::Chosen(codec::encode(&plain, &Hint::default(), None))
    };
    Prepared { info, plain, form }
}

impl Prepared {
    pub fn append(self, addition: &mut Addition) -> Result<BlobInfo> {
        let Self { info, plain, form } = self;
        let encoded = match form {
            Form::Chosen(encoded) => encoded,
            Form::Held if addition.holds_short(Kind::Blob, &info.digest) => return Ok(info),
            Form::Held | Form::Open => return put_reader(addition, plain.as_slice()),
        };
        let may_be_inline = addition.may_be_inline(Kind::Blob, &info.digest, plain.len());
        let (codec, stored) = encoded.map_or((CODEC_RAW, plain), |encoded| (encoded.codec, encoded.payload));
        let layout = if may_be_inline {
            Layout::Inline { codec, stored }
        } else {
            if !addition.holds(Kind::Chunk, &info.digest) {
                addition.append(Kind::Chunk, info.digest, codec, info.size, &stored)?;
            }
            Layout::Whole
        };
        let recipe = Recipe { size: info.size, sha256: info.sha256, layout };
        addition.append_recipe(Kind::Blob, info.digest, &recipe)?;
        Ok(info)
    }
}
