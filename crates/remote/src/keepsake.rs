//! Short objects with a name of their own beside the packs, written once: what a copy of something consists of, for
//! instance. Who writes one says which folder they lie in.

use bytes::Bytes;

use crate::{
    Remote,
    error::{RemoteError, Result},
};

/// Most objects in one folder.
const NUMBER_MAX: usize = 1_000_000;
/// Longest object.
const BYTES_MAX: u64 = 64 << 20;

/// An object as a listing tells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Keepsake {
    /// Its name in the folder.
    pub name: String,
    pub bytes: u64,
}

impl Remote {
    /// Lists the objects in a folder, in order of their names.
    pub async fn keepsakes(&self, folder: &str) -> Result<Vec<Keepsake>> {
        let listed = self.wire.list(&self.root.clone().join(folder), NUMBER_MAX).await?;
        let named = listed.into_iter().filter_map(|object| {
            let name = object.location.filename()?.to_owned();
            Some(Keepsake { name, bytes: object.size })
        });
        let mut found: Vec<Keepsake> = named.collect();
        found.sort();
        Ok(found)
    }

    /// Reads an object of a folder.
    pub async fn keepsake(&self, folder: &str, keepsake: &Keepsake) -> Result<Bytes> {
        let object = self.root.clone().join(folder).join(keepsake.name.as_str());
        if keepsake.bytes > BYTES_MAX {
            let what = format!("it has {} bytes, and at most {BYTES_MAX} are read", keepsake.bytes);
            return Err(RemoteError::Damaged { object: object.to_string(), what });
        }
        self.wire.get(&object, None, keepsake.bytes).await
    }

    /// Writes an object whose name nobody else gives to anything else; it is there whole, or not at all.
    pub async fn keep(&self, folder: &str, name: &str, bytes: Bytes) -> Result<()> {
        self.wire.put(&self.root.clone().join(folder).join(name), bytes).await
    }
}
