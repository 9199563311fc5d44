//! Where content comes from: files, which must not change meanwhile, and readers.

use std::{
    fs::File,
    io::{self, Read, Seek as _, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
};

use stemma_core::Digest;
use stemma_format::Outline;

use super::{
    ingest::{BLOCK, Guide, ingest, read_block},
    records::Addition,
};
use crate::{
    error::{IoContext as _, Result, StoreError},
    fs::FileStamp,
    holdings::BlobInfo,
    pack::Kind,
};

/// Adds a regular file; refuses one that changes meanwhile. `like` is content that it is likely to be a later version of.
pub(crate) fn put_file(
    addition: &mut Addition,
    path: &Path,
    like: Option<Digest>,
    progress: &mut dyn FnMut(u64),
) -> Result<BlobInfo> {
    // without O_NONBLOCK the mere opening of a named pipe would wait for its writer
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path).at(path)?;
    put_open_file(addition, file, path, like, progress)
}

pub(crate) fn put_open_file(
    addition: &mut Addition,
    mut file: File,
    path: &Path,
    like: Option<Digest>,
    progress: &mut dyn FnMut(u64),
) -> Result<BlobInfo> {
    let before = FileStamp::of_open(&file, path)?;
    let outline = outline(&file, before.size, path)?;
    let guide = Guide { outline, like };
    let info = ingest(addition, Kind::Blob, &mut file, guide, progress).map_err(|error| match error {
        StoreError::Source(source) => StoreError::io(path, source),
        other => other,
    })?;
    if FileStamp::of_open(&file, path)? != before || info.size != before.size {
        return Err(StoreError::Changed(path.to_owned()));
    }
    Ok(info)
}

pub(crate) fn put_reader(addition: &mut Addition, mut reader: impl Read) -> Result<BlobInfo> {
    let beginning = read_block(&mut reader)?;
    if beginning.len() < BLOCK {
        let outline = stemma_format::outline(&beginning).map_err(StoreError::Source)?;
        let guide = Guide { outline, like: None };
        return ingest(addition, Kind::Blob, &mut beginning.as_slice(), guide, &mut |_| {});
    }
    if stemma_format::may_have_outline(&beginning) {
        return put_spooled(addition, &beginning, &mut reader);
    }
    let mut all = beginning.as_slice().chain(reader);
    ingest(addition, Kind::Blob, &mut all, Guide::default(), &mut |_| {})
}

/// Content that is cut by headers which may lie at its end comes by way of a file without a name.
fn put_spooled(addition: &mut Addition, beginning: &[u8], reader: &mut dyn Read) -> Result<BlobInfo> {
    let dir = &addition.holdings().root().to_owned();
    let mut file = tempfile::tempfile_in(dir).at(dir)?;
    file.write_all(beginning).at(dir)?;
    copy(reader, &mut file, dir)?;
    file.rewind().at(dir)?;
    put_open_file(addition, file, dir, None, &mut |_| {})
}

/// Tells failures of the source from those of the disk.
fn copy(source: &mut dyn Read, file: &mut File, path: &Path) -> Result<()> {
    loop {
        let block = read_block(source)?;
        file.write_all(&block).at(path)?;
        if block.len() < BLOCK {
            return Ok(());
        }
    }
}

fn outline(file: &File, len: u64, path: &Path) -> Result<Option<Outline>> {
    stemma_format::outline(&OpenFile { file, len }).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => StoreError::Changed(path.to_owned()),
        _ => StoreError::io(path, error),
    })
}

/// A file of a known length, whose headers are looked at.
struct OpenFile<'a> {
    file: &'a File,
    len: u64,
}

impl stemma_format::ReadAt for OpenFile<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}
