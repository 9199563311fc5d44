//! Compressed files: read as what they hold, and never for longer than [`EXPANDED_MAX`] bytes.

use std::{
    io::{self, BufReader, Read, Seek as _},
    sync::Arc,
};

use crate::{
    error::TableError,
    form::Compression,
    source::{FileSource, Sequence, Source},
};

/// Most bytes that a compressed file is read as.
const EXPANDED_MAX: u64 = 64 << 30;
/// Most bytes of a compressed file whose rows are found from its end, so that it is written out first.
const SPOOLED_MAX: u64 = 4 << 30;
const BUFFER_LEN: usize = 256 << 10;

/// The bytes of a table from the first on.
pub(crate) type Stream = Box<dyn Read + Send>;

/// A table's bytes without their compression.
#[derive(Clone)]
pub(crate) struct Expanded {
    pub source: Source,
    pub compression: Option<Compression>,
}

impl Expanded {
    pub fn stream(&self) -> io::Result<Stream> {
        let plain = BufReader::with_capacity(BUFFER_LEN, Sequence::new(&self.source, 0));
        let inner: Stream = match self.compression {
            None => return Ok(Box::new(plain)),
            Some(Compression::Gzip) => Box::new(flate2::bufread::MultiGzDecoder::new(plain)),
            Some(Compression::Zstd) => Box::new(zstd::Decoder::with_buffer(plain)?),
        };
        Ok(Box::new(Bounded { inner, left: EXPANDED_MAX }))
    }

    /// The first bytes, at most `len`.
    pub fn beginning(&self, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.stream()?.take(len as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The same as bytes that can be read anywhere; what is compressed goes through a temporary file.
    pub fn spooled(&self) -> Result<Source, TableError> {
        if self.compression.is_none() {
            return Ok(self.source.clone());
        }
        let mut file = tempfile::tempfile()?;
        if io::copy(&mut self.stream()?.take(SPOOLED_MAX + 1), &mut file)? > SPOOLED_MAX {
            return Err(TableError::Malformed(format!("it holds more than {SPOOLED_MAX} bytes once it is expanded")));
        }
        file.rewind()?;
        Ok(Arc::new(FileSource::of(file)?))
    }
}

/// Fails after so many bytes, as a small file can expand to any number of them.
struct Bounded {
    inner: Stream,
    left: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::other(format!("it holds more than {EXPANDED_MAX} bytes once it is expanded")))?;
        Ok(read)
    }
}
