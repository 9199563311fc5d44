//! Rows by the hash of their key: all rows of a key are in one partition, and one partition fits into memory.
//!
//! Partitions are buffers until they hold too much together; then each is appended to a temporary file of its own.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::xxh3_64;

use super::side::Side;

/// Few enough files to be open at once.
const COUNT: usize = 128;
const SAME: u8 = 2;

pub struct Partitions {
    partitions: Vec<Partition>,
    held: usize,
    held_max: usize,
    folder: PathBuf,
}

#[derive(Default)]
struct Partition {
    buffer: Vec<u8>,
    file: Option<File>,
}

/// What is known of a key.
pub enum Entry<'a> {
    Row {
        side: Side,
        number: u64,
        row: &'a [u8],
    },
    /// A row of both sides that is the same: its key is enough.
    Same {
        before: u64,
        after: u64,
    },
}

impl<'a> Entry<'a> {
    pub fn row(side: Side, number: u64, row: &'a [u8]) -> Self {
        Self::Row { side, number, row }
    }

    pub fn same((before, after): (u64, u64)) -> Self {
        Self::Same { before, after }
    }
}

impl Partitions {
    /// Holds so many bytes in memory; what is more goes into files of the folder.
    pub fn new(folder: &Path, held_max: usize) -> Self {
        let partitions = (0..COUNT).map(|_| Partition::default()).collect();
        Self { partitions, held: 0, held_max, folder: folder.to_owned() }
    }

    pub fn add(&mut self, key: &[u8], entry: &Entry<'_>) -> io::Result<()> {
        let buffer = &mut self.partitions[xxh3_64(key) as usize % COUNT].buffer;
        let len_before = buffer.len();
        write(buffer, key, entry);
        self.held += buffer.len() - len_before;
        if self.held > self.held_max { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> io::Result<()> {
        for partition in &mut self.partitions {
            let file = match &mut partition.file {
                Some(file) => file,
                none => none.insert(tempfile::tempfile_in(&self.folder)?),
            };
            file.write_all(&partition.buffer)?;
            partition.buffer = Vec::new();
        }
        self.held = 0;
        Ok(())
    }

    /// Hands out the partitions one by one.
    pub fn into_readers(self) -> impl Iterator<Item = io::Result<Entries>> {
        self.partitions.into_iter().map(|partition| {
            let spilled: Box<dyn Read> = match partition.file {
                Some(mut file) => {
                    file.seek(SeekFrom::Start(0))?;
                    Box::new(file)
                }
                None => Box::new(io::empty()),
            };
            let source = BufReader::with_capacity(256 << 10, spilled.chain(io::Cursor::new(partition.buffer)));
            Ok(Entries { source: Box::new(source), key: Vec::new(), row: Vec::new() })
        })
    }
}

/// Kind, two numbers, length of the key, length of the row; then the bytes of both. The row's key is its beginning and
/// is not written twice.
fn write(buffer: &mut Vec<u8>, key: &[u8], entry: &Entry<'_>) {
    let (kind, first, second, row) = match *entry {
        Entry::Row { side: Side::Before, number, row } => (0, number, 0, row),
        Entry::Row { side: Side::After, number, row } => (1, 0, number, row),
        Entry::Same { before, after } => (SAME, before, after, key),
    };
    buffer.push(kind);
    buffer.extend(first.to_le_bytes());
    buffer.extend(second.to_le_bytes());
    // rows have an upper limit far below
    buffer.extend((key.len() as u32).to_le_bytes());
    buffer.extend((row.len() as u32).to_le_bytes());
    buffer.extend(row);
}

/// The entries of a partition, in the order in which they came.
pub struct Entries {
    source: Box<dyn Read>,
    key: Vec<u8>,
    row: Vec<u8>,
}

impl Entries {
    /// The next entry and its key.
    pub fn read(&mut self) -> io::Result<Option<(&[u8], Entry<'_>)>> {
        let mut kind = [0];
        if self.source.read(&mut kind)? == 0 {
            return Ok(None);
        }
        let (before, after) = (u64::from_le_bytes(self.array()?), u64::from_le_bytes(self.array()?));
        let key_len = u32::from_le_bytes(self.array()?) as usize;
        let row_len = u32::from_le_bytes(self.array()?) as usize;
        self.row.resize(row_len, 0);
        self.source.read_exact(&mut self.row)?;
        self.key.clear();
        self.key.extend(self.row.get(..key_len).ok_or(io::ErrorKind::InvalidData)?);
        let entry = match kind[0] {
            0 => Entry::row(Side::Before, before, &self.row),
            1 => Entry::row(Side::After, after, &self.row),
            _ => Entry::same((before, after)),
        };
        Ok(Some((&self.key, entry)))
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}
