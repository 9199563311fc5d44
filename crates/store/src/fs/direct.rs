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
    ops::{Deref, Range},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    io::{Errno, ReadWriteFlags, preadv2},
};

/// What every disk's blocks divide.
const BLOCK: usize = 4096;
/// Less is not worth the system calls.
const WORTH: usize = 256 << 10;
const SCRATCH: usize = 2 << 20;
/// Buffers that a thread keeps for later: a chunk may depend on another one, and that on a third.
const SPARE_MAX: usize = 3;
/// Reads of a file past the page cache before it is looked for there again.
const COLD_READS: u32 = 16;

/// Memory that begins where a block may begin.
struct Aligned {
    bytes: Vec<u8>,
    start: usize,
}

thread_local! {
    static SPARE: RefCell<Vec<Aligned>> = const { RefCell::new(Vec::new()) };
}

impl Aligned {
    /// At least so long; what it holds is anything.
    fn take(len: usize) -> Self {
        let spare = if len <= SCRATCH { SPARE.with_borrow_mut(Vec::pop) } else { None };
        spare.unwrap_or_else(|| {
            let bytes = vec![0; len.max(SCRATCH) + BLOCK];
            let start = bytes.as_ptr().align_offset(BLOCK);
            Self { bytes, start }
        })
    }

    fn give_back(self) {
        if self.bytes.len() == SCRATCH + BLOCK {
            // at the end of a thread there is nobody who keeps it
            let _ = SPARE.try_with(|spare| {
                let mut spare = spare.borrow_mut();
                if spare.len() < SPARE_MAX {
                    spare.push(self);
                }
            });
        }
    }

    fn get(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[self.start..][range]
    }

    fn get_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        &mut self.bytes[self.start..][range]
    }
}

/// Writes a file from some place on to its end.
pub(crate) struct DirectWriter {
    /// `None` while it is empty.
    buffer: Option<Aligned>,
    /// Where in the file the buffer begins; a block begins there.
    start: u64,
    /// What of the buffer is still to be written.
    open: Range<usize>,
    refused: bool,
}

impl DirectWriter {
    pub fn starting_at(at: u64) -> Self {
        let within = (at % BLOCK as u64) as usize;
        Self { buffer: None, start: at - within as u64, open: within..within, refused: false }
    }

    /// Takes bytes; they may be written later.
    pub fn write(&mut self, file: &File, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let buffer = self.buffer.get_or_insert_with(|| Aligned::take(SCRATCH));
            let (now, later) = bytes.split_at(bytes.len().min(SCRATCH - self.open.end));
            buffer.get_mut(self.open.end..self.open.end + now.len()).copy_from_slice(now);
            self.open.end += now.len();
            bytes = later;
            if self.open.end == SCRATCH {
                self.write_blocks(file)?;
            }
        }
        Ok(())
    }

    /// Writes all that was taken.
    pub fn flush(&mut self, file: &File) -> io::Result<()> {
        self.write_blocks(file)?;
        self.write_plain(file, self.open.end)?;
        if let Some(buffer) = self.buffer.take_if(|_| self.open.end == 0) {
            buffer.give_back();
        }
        Ok(())
    }

    /// Writes up to the last block that is full.
    fn write_blocks(&mut self, file: &File) -> io::Result<()> {
        let first = self.open.start.next_multiple_of(BLOCK);
        let end = self.open.end / BLOCK * BLOCK;
        if !self.refused && end.saturating_sub(first) >= WORTH {
            self.write_plain(file, first)?;
            self.write_direct(file, end)?;
        }
        // what could not be written so; nothing otherwise
        self.write_plain(file, end)?;
        if let Some(buffer) = self.buffer.as_mut().filter(|_| end > 0) {
            buffer.bytes.copy_within(buffer.start + end..buffer.start + self.open.end, buffer.start);
            self.start += end as u64;
            self.open = self.open.start.saturating_sub(end)..self.open.end - end;
        }
        Ok(())
    }

    fn write_plain(&mut self, file: &File, end: usize) -> io::Result<()> {
        if let Some(buffer) = self.buffer.as_ref().filter(|_| self.open.start < end) {
            file.write_all_at(buffer.get(self.open.start..end), self.start + self.open.start as u64)?;
            self.open.start = end;
        }
        Ok(())
    }

    fn write_direct(&mut self, file: &File, end: usize) -> io::Result<()> {
        let Some(buffer) = &self.buffer else { return Ok(()) };
        let flags = fcntl_getfl(file)?;
        fcntl_setfl(file, flags | OFlags::DIRECT)?;
        let written = file.write_all_at(buffer.get(self.open.start..end), self.start + self.open.start as u64);
        // a file left as it was is written to by others who know nothing of blocks
        fcntl_setfl(file, flags)?;
        match written {
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => self.refused = true,
            written => {
                written?;
                self.open.start = end;
            }
        }
        Ok(())
    }
}

impl Drop for DirectWriter {
    fn drop(&mut self) {
        self.buffer.take().into_iter().for_each(Aligned::give_back);
    }
}

/// A file that is read at any place, through the page cache or past it.
pub(crate) struct DirectReader {
    plain: File,
    /// `None` where there is no way past the page cache.
    direct: Option<File>,
    /// So many reads are not looked for in the page cache: an attempt in vain makes the kernel read for it all the same.
    cold: AtomicU32,
}

/// Bytes that were read.
pub(crate) struct ReadBytes {
    /// `None` only while it is dropped.
    buffer: Option<Aligned>,
    range: Range<usize>,
}

impl Deref for ReadBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.buffer.as_ref().map_or(&[], |buffer| buffer.get(self.range.clone()))
    }
}

impl Drop for ReadBytes {
    fn drop(&mut self) {
        self.buffer.take().into_iter().for_each(Aligned::give_back);
    }
}

impl DirectReader {
    pub fn open(path: &Path) -> io::Result<Self> {
        let plain = File::open(path)?;
        let flags = OFlags::DIRECT.bits().cast_signed();
        let direct = File::options().read(true).custom_flags(flags).open(path).ok();
        Ok(Self { plain, direct, cold: AtomicU32::new(0) })
    }

    pub fn read(&self, offset: u64, len: usize) -> io::Result<ReadBytes> {
        // where it lies in blocks read from the beginning
        let within = (offset % BLOCK as u64) as usize;
        let range = within..within + len;
        let mut buffer = Aligned::take(range.end.next_multiple_of(BLOCK));
        let read = self.read_into(&mut buffer, range.clone(), offset);
        let piece = ReadBytes { buffer: Some(buffer), range };
        read.map(|()| piece)
    }

    fn read_into(&self, buffer: &mut Aligned, range: Range<usize>, offset: u64) -> io::Result<()> {
        let Some(direct) = self.direct.as_ref().filter(|_| range.len() >= WORTH) else {
            return self.plain.read_exact_at(buffer.get_mut(range), offset);
        };
        if self.is_cached(buffer.get_mut(range.clone()), offset) {
            return Ok(());
        }
        match read_blocks(direct, buffer, range.end, offset - range.start as u64) {
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                self.plain.read_exact_at(buffer.get_mut(range), offset)
            }
            read => read,
        }
    }

    /// Fills the buffer if that takes no waiting for the disk.
    fn is_cached(&self, buffer: &mut [u8], offset: u64) -> bool {
        // it is only a guess, so that two threads may take the same turn
        let cold = self.cold.load(Relaxed);
        if cold > 0 {
            self.cold.store(cold - 1, Relaxed);
            return false;
        }
        let len = buffer.len();
        let read = preadv2(&self.plain, &mut [IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT);
        let is_cached = read.is_ok_and(|read| read == len);
        if !is_cached {
            self.cold.store(COLD_READS, Relaxed);
        }
        is_cached
    }
}

/// Fills the first `wanted` bytes of the buffer from `start` on, where a block begins.
fn read_blocks(direct: &File, buffer: &mut Aligned, wanted: usize, start: u64) -> io::Result<()> {
    let blocks = buffer.get_mut(0..wanted.next_multiple_of(BLOCK));
    let mut filled = 0;
    while filled < wanted {
        // a read that ends within a block ends at the end of the file
        match direct.read_at(&mut blocks[filled..], start + filled as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read if read % BLOCK != 0 && filled + read < wanted => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    Ok(())
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
            reads in proptest::collection::vec((0u64..3_000_000, 1usize..2_600_000), 1..30),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
            let content = noise(lengths.iter().sum());
            let mut output = DirectWriter::starting_at(start);
            let mut written = 0;
            for (number, len) in lengths.into_iter().enumerate() {
                output.write(&file, &content[written..written + len]).unwrap();
                written += len;
                if number % 2 == 1 {
                    output.flush(&file).unwrap();
                    let on_disk = std::fs::read(&path).unwrap();
                    prop_assert!(on_disk.get(start as usize..).unwrap_or_default() == &content[..written]);
                }
            }
            output.flush(&file).unwrap();
            let expected = [vec![0; start as usize], content].concat();
            prop_assert!(std::fs::read(&path).unwrap() == expected);
            let input = DirectReader::open(&path).unwrap();
            for (offset, len) in reads {
                let end = offset as usize + len;
                match input.read(offset, len) {
                    Ok(piece) => prop_assert!(*piece == expected[offset as usize..end]),
                    Err(_) => prop_assert!(end > expected.len()),
                }
            }
        }
    }
}
