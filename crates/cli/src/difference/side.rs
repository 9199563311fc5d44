//! One of two contents that are compared: stored, or a file in a folder.

use std::{fs::File, io, os::unix::fs::FileExt as _, path::PathBuf};

use stemma_core::{Digest, ErrorKind, Problem};
use stemma_format::ReadAt;
use stemma_store::{BlobReader, Store};
use stemma_workspace::WorkspaceError;
use tempfile::NamedTempFile;

pub struct Side {
    /// For people.
    pub name: String,
    /// Whose ending says whether it is CSV.
    pub file_name: String,
    /// `None` if nobody hashed it.
    pub digest: Option<Digest>,
    pub content: ContentAt,
}

/// Where a side's content is.
pub enum ContentAt {
    Stored(Store, Digest),
    File(PathBuf),
    /// Fetched where there is no store to keep it in.
    Fetched(NamedTempFile),
}

/// A side's bytes.
pub enum Opened {
    Blob(Box<BlobReader>),
    File(File, u64),
}

impl Side {
    pub fn open(&self) -> Result<Opened, Problem> {
        let file = match &self.content {
            ContentAt::Fetched(file) => file.reopen(),
            ContentAt::File(path) => File::open(path),
            ContentAt::Stored(store, digest) => {
                return Ok(Opened::Blob(Box::new(store.open_blob(digest).map_err(WorkspaceError::from)?)));
            }
        };
        let opened = file.and_then(|file| Ok((file.metadata()?.len(), file)));
        let (len, file) = opened.map_err(|error| self.unreadable(&error))?;
        Ok(Opened::File(file, len))
    }

    fn unreadable(&self, error: &io::Error) -> Problem {
        let kind = if error.kind() == io::ErrorKind::InvalidData { ErrorKind::Corrupt } else { ErrorKind::Config };
        Problem::new(kind, format!("`{}` can't be read: {error}", self.name))
    }
}

impl ReadAt for Opened {
    fn len(&self) -> u64 {
        match self {
            Self::Blob(blob) => blob.len(),
            Self::File(_, len) => *len,
        }
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        match self {
            Self::File(file, _) => file.read_exact_at(buffer, offset),
            Self::Blob(blob) => {
                let read = blob.read_into_at(offset, buffer).map_err(io::Error::from)?;
                if read == buffer.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
            }
        }
    }
}
