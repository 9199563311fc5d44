//! References: names that say which content is the newest, moved by one winner at a time.
//!
//! `refs/<name>/<20 digits>` is one object for each move, made only if there is none of that number: that is the one
//! condition that folders and all object stores can check. The highest number holds; the others are the history.

use object_store::path::Path as ObjectPath;
use serde::{Deserialize, Serialize};
use stemma_core::{Digest, Timestamp};

use crate::{
    error::{RemoteError, Result},
    wire::Wire,
};

const VERSION: u32 = 1;
/// Most moves of one reference.
const MOVES_MAX: usize = 10_000_000;
const MOVE_BYTES_MAX: u64 = 4 << 10;
/// Bytes in the name of the one who moved it.
const BY_MAX: usize = 512;

/// One move of a reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceMove {
    v: u32,
    pub digest: Digest,
    pub by: String,
    pub at: String,
    /// Tells our own move from another one like it.
    mark: String,
    #[serde(skip)]
    pub number: u64,
}

fn folder(root: &ObjectPath, name: &str) -> ObjectPath {
    root.clone().join("refs").join(name)
}

fn path(root: &ObjectPath, name: &str, number: u64) -> ObjectPath {
    folder(root, name).join(format!("{number:020}"))
}

/// Where a reference points; `None` if nobody made it yet.
pub(crate) async fn read(wire: &Wire, root: &ObjectPath, name: &str) -> Result<Option<ReferenceMove>> {
    let moves = wire.list(&folder(root, name), MOVES_MAX).await?;
    let numbered = |object: object_store::ObjectMeta| {
        let number: u64 = object.location.filename()?.parse().ok()?;
        Some((number, object.size))
    };
    match moves.into_iter().filter_map(numbered).max() {
        Some((number, len)) => read_move(wire, &path(root, name, number), number, len).await.map(Some),
        None => Ok(None),
    }
}

async fn read_move(wire: &Wire, object: &ObjectPath, number: u64, len: u64) -> Result<ReferenceMove> {
    let damaged = |what: String| RemoteError::Damaged { object: object.to_string(), what };
    if len > MOVE_BYTES_MAX {
        return Err(damaged("it is too long for a reference".to_owned()));
    }
    let bytes = wire.get(object, None, len).await?;
    let reference: ReferenceMove = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    match reference.v {
        VERSION => Ok(ReferenceMove { number, ..reference }),
        version => {
            Err(RemoteError::UnknownVersion { object: object.to_string(), what: format!("reference format {version}") })
        }
    }
}

/// Points a reference at content if it still is where `from` says; else somebody else's move is the error.
pub(crate) async fn advance(
    wire: &Wire,
    root: &ObjectPath,
    name: &str,
    from: Option<&ReferenceMove>,
    digest: Digest,
    by: &str,
    at: Timestamp,
) -> Result<ReferenceMove> {
    let number = from.map_or(0, |from| from.number) + 1;
    let by: String = by.chars().take(BY_MAX / 4).collect();
    let mut mark = [0; 16];
    getrandom::fill(&mut mark).map_err(|error| RemoteError::Worker(error.to_string()))?;
    let mark = mark.iter().map(|byte| format!("{byte:02x}")).collect();
    let reference = ReferenceMove { v: VERSION, digest, by, at: at.to_string(), mark, number };
    let bytes = serde_json::to_vec(&reference).map_err(|error| RemoteError::Worker(error.to_string()))?;
    let object = path(root, name, number);
    if wire.create(&object, bytes.into()).await? {
        return Ok(reference);
    }
    match read(wire, root, name).await? {
        // an attempt of ours whose answer was lost
        Some(held) if held == reference => Ok(reference),
        Some(held) => Err(RemoteError::Moved { name: name.to_owned(), by: held.by, at: held.at }),
        None => Err(RemoteError::Damaged { object: object.to_string(), what: "it came and went".to_owned() }),
    }
}
