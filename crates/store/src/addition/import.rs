//! Taking in records that come from elsewhere.

use super::records::Addition;
use crate::{
    codec::{self, Base, DEPTH_MAX, Dependency, Hint},
    error::Result,
    exchange::{Record, RecordId, check, export},
    pack::{CODEC_RAW, Header, Kind},
};

/// Whether a record together with all that it takes to read it, by recipes, need not be written: what is marked of that
/// may go although the recipe stays.
pub(crate) fn holds_all(addition: &mut Addition, id: &RecordId) -> bool {
    let kind = id.kind.inner();
    if !addition.holds(kind, &id.digest) {
        return false;
    }
    if kind == Kind::Chunk || addition.goes_by_no_marks() {
        return true;
    }
    let Ok(Some(record)) = export(addition.holdings(), id) else {
        // on its way, where its parts were checked before it
        return addition.is_pending(kind, &id.digest);
    };
    record.needs().iter().all(|part| holds_all(addition, part))
}

/// Takes a record in if it is what its name says, and does nothing if it is here already.
pub(crate) fn import(addition: &mut Addition, record: &Record) -> Result<()> {
    addition.check_usable()?;
    if holds_all(addition, &record.id()) {
        return Ok(());
    }
    let plain = check(addition.holdings(), record, None)?;
    append_checked(addition, record, plain.as_ref())
}

/// The same for a record that was found right; `plain` is what a chunk holds.
pub(crate) fn import_checked(addition: &mut Addition, record: &Record, plain: Option<&Base>) -> Result<()> {
    addition.check_usable()?;
    match holds_all(addition, &record.id()) {
        true => Ok(()),
        false => append_checked(addition, record, plain),
    }
}

/// The same for a record that was just taken out of this store.
pub(crate) fn import_unread(addition: &mut Addition, record: &Record) -> Result<()> {
    addition.append_record(&record.header, &record.payload, record.content)
}

fn append_checked(addition: &mut Addition, record: &Record, plain: Option<&Base>) -> Result<()> {
    let Header { kind, codec, digest, plain: len, .. } = record.header;
    let dependency = Dependency::of(codec, &record.payload);
    let Some((plain, Dependency { depth, base })) = plain.zip(dependency.filter(|_| kind == Kind::Chunk)) else {
        return import_unread(addition, record);
    };
    // what it depends on may itself be kept in another way here, or be about to go
    if plain.depth <= DEPTH_MAX && depth == plain.depth && addition.holds(Kind::Chunk, &base) {
        return import_unread(addition, record);
    }
    let encoded = codec::encode(&plain.plain, &Hint::default(), None);
    let (codec, payload) = encoded.as_ref().map_or((CODEC_RAW, &plain.plain), |it| (it.codec, &it.payload));
    addition.append(kind, digest, codec, len, payload)
}
