//! Where a table's bytes come from.

use std::{fs::File, io, os::unix::fs::FileExt as _, path::Path, sync::Arc};

use stemma_format::ReadAt;

/// Bytes that can be read anywhere, more than once.
pub type Source = Arc<dyn ReadAt + Send + Sync>;

/// A file on disk. Its length is the one it had when it was opened.
pub struct FileSource {
    file: File,
    len: u64,
}

impl FileSource {
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::of(File::open(path)?)
    }

    pub fn of(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { file, len })
    }
}

impl ReadAt for FileSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

/// Reads a source from a position on.
pub(crate) struct Sequence {
    source: Source,
    at: u64,
}

impl Sequence {
    pub fn new(source: &Source, at: u64) -> Self {
        Self { source: source.clone(), at }
    }
}

impl io::Read for Sequence {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(self.source.len().saturating_sub(self.at)).unwrap_or(usize::MAX);
        let len = buffer.len().min(rest);
        self.source.read_exact_at(self.at, &mut buffer[..len])?;
        self.at += len as u64;
        Ok(len)
    }
}
