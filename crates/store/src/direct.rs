//! Large reads and writes that go past the page cache.
//!
//! Packs are written once and read whole or not at all, so a copy of them in memory is worth less than what it takes the
//! place of; and on virtual machines the first touch of each page costs several times what the disk takes. A file system
//! that can't do it (tmpfs before Linux 6.6, some network file systems) says so at the first attempt and is read and
//! written as usual from then on.

use std::{
    cell::RefCell,
    fs::File,
    io::{self, IoSliceMut},
    os::unix::fs::FileExt as _,
};

use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    io::{Errno, ReadWriteFlags, preadv2},
};

/// What every disk's blocks divide.
const BLOCK: usize = 4096;
/// Less is not worth the system calls.
pub(crate) const WORTH: usize = 256 << 10;
const SCRATCH: usize = 2 << 20;

/// Memory that begins where a block may begin.
struct Aligned {
    bytes: Vec<u8>,
    start: usize,
}

impl Aligned {
    fn new(len: usize) -> Self {
        let bytes = vec![0; len + BLOCK];
        let start = bytes.as_ptr().align_offset(BLOCK);
        Self { bytes, start }
    }

    fn get(&mut self, len: usize) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + len]
    }
}

/// Writes one file front to back.
#[derive(Default)]
pub(crate) struct Writer {
    scratch: Option<Aligned>,
    refused: bool,
}

impl Writer {
    /// Writes `bytes` at an offset, all but the last few that fill no block; returns how many were written. Those that
    /// were not are given again with the next ones.
    pub fn write(&mut self, file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
        let head = (at.next_multiple_of(BLOCK as u64) - at) as usize;
        let whole = bytes.len().saturating_sub(head) / BLOCK * BLOCK;
        if self.refused || whole < WORTH {
            file.write_all_at(bytes, at)?;
            return Ok(bytes.len());
        }
        file.write_all_at(&bytes[..head], at)?;
        let blocks = &bytes[head..head + whole];
        match self.write_blocks(file, blocks, at + head as u64) {
            Ok(()) => Ok(head + whole),
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                self.refused = true;
                file.write_all_at(&bytes[head..], at + head as u64)?;
                Ok(bytes.len())
            }
            Err(error) => Err(error),
        }
    }

    fn write_blocks(&mut self, file: &File, blocks: &[u8], at: u64) -> io::Result<()> {
        let scratch = self.scratch.get_or_insert_with(|| Aligned::new(SCRATCH));
        let flags = fcntl_getfl(file)?;
        fcntl_setfl(file, flags | OFlags::DIRECT)?;
        let mut written = Ok(());
        let mut offset = at;
        for piece in blocks.chunks(SCRATCH) {
            let aligned = scratch.get(piece.len());
            aligned.copy_from_slice(piece);
            written = file.write_all_at(aligned, offset);
            if written.is_err() {
                break;
            }
            offset += piece.len() as u64;
        }
        // a file left as it was is written to by others who know nothing of blocks
        fcntl_setfl(file, flags)?;
        written
    }
}

/// A new file that is written from its beginning to its end.
pub(crate) struct Sequential<'a> {
    file: &'a File,
    writer: Writer,
    buffer: Vec<u8>,
    at: u64,
}

impl<'a> Sequential<'a> {
    pub fn new(file: &'a File) -> Self {
        Self { file, writer: Writer::default(), buffer: Vec::new(), at: 0 }
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= SCRATCH {
            let written = self.writer.write(self.file, &self.buffer, self.at)?;
            self.buffer.drain(..written);
            self.at += written as u64;
        }
        Ok(())
    }

    pub fn finish(self) -> io::Result<()> {
        self.file.write_all_at(&self.buffer, self.at)
    }
}

thread_local! {
    static READ: RefCell<Aligned> = RefCell::new(Aligned::new(SCRATCH));
}

/// Fills `buffer` from `file`, or past the page cache by way of `direct` (the same file, opened so) what is not in it.
pub(crate) fn read_exact_at(file: &File, direct: Option<&File>, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let spanned = buffer.len() + 2 * BLOCK;
    let Some(direct) = direct.filter(|_| buffer.len() >= WORTH && spanned <= SCRATCH) else {
        return file.read_exact_at(buffer, offset);
    };
    if is_cached(file, buffer, offset) {
        return Ok(());
    }
    match READ.with_borrow_mut(|scratch| read_blocks(direct, scratch, buffer, offset)) {
        Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => file.read_exact_at(buffer, offset),
        read => read,
    }
}

/// Fills the buffer if that takes no waiting for the disk.
fn is_cached(file: &File, buffer: &mut [u8], offset: u64) -> bool {
    let len = buffer.len();
    let read = preadv2(file, &mut [IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT);
    read.is_ok_and(|read| read == len)
}

fn read_blocks(direct: &File, scratch: &mut Aligned, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let start = offset / BLOCK as u64 * BLOCK as u64;
    let skipped = (offset - start) as usize;
    let wanted = skipped + buffer.len();
    let blocks = scratch.get(wanted.next_multiple_of(BLOCK));
    let mut filled = 0;
    while filled < wanted {
        // a read that ends within a block ends at the end of the file
        match direct.read_at(&mut blocks[filled..], start + filled as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read if read % BLOCK != 0 && filled + read < wanted => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    buffer.copy_from_slice(&blocks[skipped..wanted]);
    Ok(())
}

/// Opens a file for reads past the page cache; `None` where there are none.
pub(crate) fn open(path: &std::path::Path) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = OFlags::DIRECT.bits().cast_signed();
    File::options().read(true).custom_flags(flags).open(path).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn noise(len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_is_written_in_pieces_of_any_length_is_read_from_any_place(
            start in 0u64..10_000,
            lengths in proptest::collection::vec(0usize..900_000, 1..6),
            reads in proptest::collection::vec((0u64..3_000_000, 1usize..1_200_000), 1..8),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
            let content = noise(lengths.iter().sum());
            let mut writer = Writer::default();
            let (mut given, mut written) = (0, 0);
            for len in lengths {
                given += len;
                written += writer.write(&file, &content[written..given], start + written as u64).unwrap();
                prop_assert!(given - written < BLOCK);
            }
            file.write_all_at(&content[written..], start + written as u64).unwrap();
            let expected = [vec![0; start as usize], content].concat();
            prop_assert!(std::fs::read(&path).unwrap() == expected);
            let direct = open(&path);
            for (offset, len) in reads {
                let mut buffer = vec![0; len];
                let end = offset as usize + len;
                let read = read_exact_at(&file, direct.as_ref(), &mut buffer, offset);
                prop_assert_eq!(read.is_ok(), end <= expected.len());
                prop_assert!(read.is_err() || buffer == expected[offset as usize..end]);
            }
        }
    }
}
