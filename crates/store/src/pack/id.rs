//! The name of a pack, and the header that it begins with.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

pub(crate) const PACK_HEADER_LEN: usize = 32;
pub(super) const PACK_MAGIC: [u8; 8] = *b"\x9dSTMPAK\n";
pub(super) const PACK_VERSION: u16 = 1;

/// The name of a pack; later packs sort after earlier ones.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackId(pub(crate) [u8; 16]);

impl PackId {
    pub(crate) fn generate() -> Self {
        Self(uuid::Uuid::now_v7().into_bytes())
    }

    pub(crate) fn pack_path(self, dir: &Path) -> PathBuf {
        dir.join(format!("{self}.pack"))
    }

    pub(crate) fn index_path(self, dir: &Path) -> PathBuf {
        dir.join(format!("{self}.idx"))
    }
}

impl fmt::Display for PackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).simple().fmt(f)
    }
}

impl fmt::Debug for PackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PackId {
    type Err = ();
    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let id = Self(uuid::Uuid::try_parse(text).map_err(|_| ())?.into_bytes());
        // one spelling only
        if id.to_string() == text { Ok(id) } else { Err(()) }
    }
}

/// Magic, version, reserved, id, CRC-32 of all that.
pub(crate) fn encode_pack_header(id: PackId) -> [u8; PACK_HEADER_LEN] {
    let mut bytes = [0; PACK_HEADER_LEN];
    bytes[..8].copy_from_slice(&PACK_MAGIC);
    bytes[8..10].copy_from_slice(&PACK_VERSION.to_le_bytes());
    bytes[12..28].copy_from_slice(&id.0);
    let crc = crc32fast::hash(&bytes[..28]);
    bytes[28..].copy_from_slice(&crc.to_le_bytes());
    bytes
}
