//! The file that remembers a folder: written while the folder is read, and read in the same order.
//!
//! Neighbours have much in common, so of a path only its end is kept, and of a stamp its differences to the one before:
//! some 50 bytes for a file, most of them its digest.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Seek as _, Write as _},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use stemma_core::{Digest, name::TreePath};
use stemma_store::{FileStamp, StoreError, TreeEntry};
use tempfile::NamedTempFile;

const MAGIC: [u8; 8] = *b"\x9dSTMFLD\n";
const VERSION: u16 = 2;
const HEAD_LEN: usize = 10;
const TEXT_LEN_MAX: usize = 4096;
const BUFFER: usize = 256 << 10;

/// A path of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub path: TreePath,
    pub entry: TreeEntry,
    /// Of a file.
    pub stamp: Option<FileStamp>,
    /// Whether a file that has this stamp has this content.
    pub is_settled: bool,
}

/// Where a folder is remembered.
fn place(home: &Path, folder: &Path) -> PathBuf {
    home.join("folders").join(&Digest::of(folder.as_os_str().as_bytes()).hex()[..32])
}

/// Writes records in order.
pub(super) struct Writer {
    file: NamedTempFile,
    hasher: blake3::Hasher,
    last: String,
    last_stamp: FileStamp,
    buffer: Vec<u8>,
}

impl Writer {
    /// Begins a listing beside the ones that there are, or where temporary files are if nothing can be written there.
    pub fn new(home: &Path) -> Result<Self, StoreError> {
        let folders = home.join("folders");
        // if it can't be made, the next line finds that out
        let _ = fs::create_dir(&folders);
        let file = NamedTempFile::new_in(&folders).or_else(|_| NamedTempFile::new());
        let file = file.map_err(|error| failed(&folders, error))?;
        let mut buffer = MAGIC.to_vec();
        buffer.extend_from_slice(&VERSION.to_le_bytes());
        Ok(Self { file, hasher: blake3::Hasher::new(), last: String::new(), last_stamp: NO_STAMP, buffer })
    }

    pub fn push(&mut self, record: &Record) -> Result<(), StoreError> {
        let Record { path, entry, stamp, is_settled } = record;
        let buffer = &mut self.buffer;
        buffer.push(match entry {
            TreeEntry::File { executable: false, .. } => 1,
            TreeEntry::File { executable: true, .. } => 2,
            TreeEntry::Symlink { .. } => 3,
            TreeEntry::EmptyDirectory => 4,
        });
        let shared = shared_len(&self.last, path.as_str());
        buffer.extend_from_slice(&(shared as u16).to_le_bytes());
        put_text(buffer, &path.as_str()[shared..]);
        match (entry, stamp) {
            (TreeEntry::File { digest, .. }, Some(stamp)) => {
                buffer.push(u8::from(*is_settled));
                buffer.extend_from_slice(digest.as_bytes());
                let numbers = numbers(stamp, self.last_stamp);
                numbers.into_iter().for_each(|number| put_number(buffer, number));
                self.last_stamp = *stamp;
            }
            (TreeEntry::Symlink { target }, _) => put_text(buffer, target),
            _ => {}
        }
        self.last.clear();
        self.last.push_str(path.as_str());
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.hasher.update(&self.buffer);
        let written = self.file.write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(|error| failed(self.file.path(), error))
    }

    pub fn finish(mut self) -> Result<Listing, StoreError> {
        self.buffer.push(0);
        self.flush()?;
        let check = *self.hasher.finalize().as_bytes();
        self.file.write_all(&check).map_err(|error| failed(self.file.path(), error))?;
        Ok(Listing { file: self.file, check })
    }
}

/// Bytes that two paths begin with, up to the end of a character.
fn shared_len(last: &str, path: &str) -> usize {
    let mut shared = last.bytes().zip(path.bytes()).take_while(|(a, b)| a == b).count();
    while !path.is_char_boundary(shared) {
        shared -= 1;
    }
    shared
}

/// What a file without one before it is compared with.
const NO_STAMP: FileStamp = FileStamp { device: 0, inode: 0, size: 0, mtime_ns: 0, ctime_ns: 0 };

/// A stamp as its differences to the last one, and of its times to each other.
fn numbers(stamp: &FileStamp, last: FileStamp) -> [i64; 5] {
    let differences = [(stamp.device, last.device), (stamp.inode, last.inode), (stamp.size, last.size)];
    let [device, inode, size] = differences.map(|(number, before)| number.wrapping_sub(before).cast_signed());
    let (mtime, ctime) = (stamp.mtime_ns.wrapping_sub(last.mtime_ns), stamp.ctime_ns.wrapping_sub(stamp.mtime_ns));
    [device, inode, size, mtime, ctime]
}

fn stamp_of([device, inode, size, mtime, ctime]: [i64; 5], last: FileStamp) -> FileStamp {
    let mtime_ns = last.mtime_ns.wrapping_add(mtime);
    FileStamp {
        device: last.device.wrapping_add_signed(device),
        inode: last.inode.wrapping_add_signed(inode),
        size: last.size.wrapping_add_signed(size),
        mtime_ns,
        ctime_ns: mtime_ns.wrapping_add(ctime),
    }
}

/// Seven bits to a byte, the lowest first and the sign below them all, so that small differences are short.
fn put_number(buffer: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while rest >= 0x80 {
        buffer.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    buffer.push(rest as u8);
}

fn put_text(buffer: &mut Vec<u8>, text: &str) {
    // paths and targets of a tree are short
    buffer.extend_from_slice(&(text.len() as u16).to_le_bytes());
    buffer.extend_from_slice(text.as_bytes());
}

/// A listing that was just written.
#[derive(Debug)]
pub(super) struct Listing {
    file: NamedTempFile,
    check: [u8; 32],
}

impl Listing {
    pub fn records(&self) -> Result<Records, StoreError> {
        let failed = |error| failed(self.file.path(), error);
        Records::new(self.file.reopen().map_err(failed)?).map_err(failed)
    }

    /// Remembers it, if it says anything that is not remembered. That it can't be is no reason to fail.
    pub fn remember(&self, home: &Path, folder: &Path) {
        let place = place(home, folder);
        if last_check(&place) != Some(self.check) {
            let beside = place.with_extension("new");
            let _ = fs::remove_file(&beside);
            let _ = fs::hard_link(self.file.path(), &beside).and_then(|()| fs::rename(&beside, &place));
        }
    }
}

fn last_check(path: &Path) -> Option<[u8; 32]> {
    let mut file = File::open(path).ok()?;
    file.seek(io::SeekFrom::End(-32)).ok()?;
    let mut check = [0; 32];
    file.read_exact(&mut check).ok()?;
    Some(check)
}

/// The records of a listing, in order. Ends at the first that can't be read.
pub(super) struct Records {
    input: BufReader<File>,
    last: String,
    last_stamp: FileStamp,
}

impl Records {
    /// What is remembered of a folder, if all of it is as it was written.
    pub fn remembered(home: &Path, folder: &Path) -> Option<Self> {
        let mut file = File::open(place(home, folder)).ok()?;
        let len = file.metadata().ok()?.len().checked_sub(32)?;
        let mut hasher = blake3::Hasher::new();
        io::copy(&mut (&mut file).take(len), &mut hasher).ok()?;
        let mut check = [0; 32];
        file.read_exact(&mut check).ok()?;
        if *hasher.finalize().as_bytes() != check {
            return None;
        }
        file.rewind().ok()?;
        Self::new(file).ok()
    }

    fn new(file: File) -> io::Result<Self> {
        let mut input = BufReader::with_capacity(BUFFER, file);
        let mut head = [0; HEAD_LEN];
        input.read_exact(&mut head)?;
        if head[..8] != MAGIC || head[8..] != VERSION.to_le_bytes() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Self { input, last: String::new(), last_stamp: NO_STAMP })
    }

    fn stamp(&mut self) -> Option<FileStamp> {
        let mut numbers = [0; 5];
        for number in &mut numbers {
            *number = self.number()?;
        }
        self.last_stamp = stamp_of(numbers, self.last_stamp);
        Some(self.last_stamp)
    }

    fn number(&mut self) -> Option<i64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let [byte] = self.bytes()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
            }
        }
        None
    }

    /// Reads a text of which the beginning is known.
    fn text(&mut self, beginning: usize) -> Option<String> {
        let len = usize::from(u16::from_le_bytes(self.bytes()?));
        if len > TEXT_LEN_MAX {
            return None;
        }
        let mut bytes = Vec::with_capacity(beginning + len);
        bytes.extend_from_slice(self.last.as_bytes().get(..beginning)?);
        bytes.resize(beginning + len, 0);
        self.input.read_exact(&mut bytes[beginning..]).ok()?;
        String::from_utf8(bytes).ok()
    }

    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }
}

impl Iterator for Records {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let [kind] = self.bytes()?;
        if kind == 0 {
            return None;
        }
        let shared = usize::from(u16::from_le_bytes(self.bytes()?));
        let path = TreePath::new(self.text(shared)?).ok()?;
        let (mut stamp, mut is_settled) = (None, false);
        let entry = match kind {
            1 | 2 => {
                is_settled = self.bytes()? == [1];
                let digest = Digest::from_bytes(self.bytes()?);
                let found = self.stamp()?;
                stamp = Some(found);
                TreeEntry::File { digest, size: found.size, executable: kind == 2 }
            }
            3 => TreeEntry::Symlink { target: self.text(0)? },
            4 => TreeEntry::EmptyDirectory,
            _ => return None,
        };
        self.last.clear();
        self.last.push_str(path.as_str());
        Some(Record { path, entry, stamp, is_settled })
    }
}

fn failed(path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Vec<Record> {
        let stamp = FileStamp { device: 1, inode: 2, size: 3, mtime_ns: -4, ctime_ns: 5 };
        let far = FileStamp { device: u64::MAX, inode: 1 << 63, size: 3, mtime_ns: i64::MIN, ctime_ns: i64::MAX };
        let file = |executable| TreeEntry::File { digest: Digest::of(b"x"), size: 3, executable };
        let record = |path: &str, entry, stamp| Record { path: path.parse().unwrap(), entry, stamp, is_settled: false };
        let mut records = vec![
            record("a/b", file(false), Some(stamp)),
            record("a/c", TreeEntry::Symlink { target: "b".to_owned() }, None),
            record("a/cè", file(true), Some(far)),
            record("a/cé", file(true), Some(stamp)),
            record("a/d", TreeEntry::EmptyDirectory, None),
        ];
        records[0].is_settled = true;
        records
    }

    fn write(home: &Path) -> Listing {
        let mut writer = Writer::new(home).unwrap();
        records().iter().for_each(|record| writer.push(record).unwrap());
        writer.finish().unwrap()
    }

    #[test]
    fn a_folder_is_remembered() {
        let home = tempfile::tempdir().unwrap();
        let folder = Path::new("/data");
        assert!(Records::remembered(home.path(), folder).is_none());
        for _ in 0..2 {
            let listing = write(home.path());
            assert_eq!(listing.records().unwrap().collect::<Vec<_>>(), records());
            listing.remember(home.path(), folder);
            assert_eq!(listing.records().unwrap().collect::<Vec<_>>(), records());
        }
        let remembered = Records::remembered(home.path(), folder).unwrap();
        assert_eq!(remembered.collect::<Vec<_>>(), records());
        assert_eq!(fs::read_dir(home.path().join("folders")).unwrap().count(), 1);
    }

    #[test]
    fn what_was_changed_or_cut_is_not_known() {
        let home = tempfile::tempdir().unwrap();
        let folder = Path::new("/data");
        write(home.path()).remember(home.path(), folder);
        let place = place(home.path(), folder);
        let whole = fs::read(&place).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&place, bytes).unwrap();
            assert!(Records::remembered(home.path(), folder).is_none(), "{at}");
            fs::write(&place, &whole[..at]).unwrap();
            assert!(Records::remembered(home.path(), folder).is_none(), "{at}");
        }
    }
}
