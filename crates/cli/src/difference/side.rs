//! One of two contents that are compared: stored, or a file in a folder.

use std::{
    fs::File,
    io::{self, Read, Seek as _, SeekFrom},
    os::unix::fs::FileExt as _,
    path::PathBuf,
};

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
    pub place: Place,
}

pub enum Place {
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
        if let Place::Stored(store, digest) = &self.place {
            return Ok(Opened::Blob(Box::new(store.open_blob(digest).map_err(WorkspaceError::from)?)));
        }
        let file = self.file()?;
        let len = file.metadata().map_err(|error| self.unreadable(&error))?.len();
        Ok(Opened::File(file, len))
    }

    pub fn reader(&self) -> Result<Box<dyn Read>, Problem> {
        Ok(match self.open()? {
            Opened::Blob(blob) => blob,
            Opened::File(file, _) => Box::new(file),
        })
    }

    /// A file with the bytes: the file itself, or a temporary copy of what is stored.
    pub fn file(&self) -> Result<File, Problem> {
        let opened = match &self.place {
            Place::File(path) => File::open(path),
            Place::Fetched(file) => file.reopen(),
            Place::Stored(..) => return self.copy(),
        };
        opened.map_err(|error| self.unreadable(&error))
    }

    fn copy(&self) -> Result<File, Problem> {
        copy_of(&mut self.reader()?).map_err(|error| self.unreadable(&error))
    }

    fn unreadable(&self, error: &io::Error) -> Problem {
        let kind = if error.kind() == io::ErrorKind::InvalidData { ErrorKind::Corrupt } else { ErrorKind::Config };
        Problem::new(kind, format!("`{}` can't be read: {error}", self.name))
    }
}

fn copy_of(reader: &mut dyn Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(reader, &mut file)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
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
