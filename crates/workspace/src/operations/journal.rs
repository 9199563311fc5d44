//! `.stemma/operations`, version 1: the header line, then a line an operation, `<CRC-32 in hex> <JSON>`, append-only.
//!
//! A line counts once its file is on disk, and one is written at a time, so only the last one can be torn; whoever
//! appends next cuts it off.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::{error::OperationsError, operation::Operation};
use crate::{Workspace, file};

/// Name of the file in the home.
pub const OPERATIONS_FILE: &str = "operations";
/// Beside it, the number of the last operation: a file that was cut or removed is noticed.
const LAST_FILE: &str = "operations.last";

const HEADER: &str = "# stemma operations v1: crc32 operation; append only";
const HEADER_START: &str = "# stemma operations v";
/// Longest line that is written or read; see [`super::turn::shorten`].
const LINE_BYTES_MAX: usize = 128 << 10;

/// What the file holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Journal {
    /// In order.
    pub operations: Vec<Operation>,
    /// Numbers of lines that are not what was written.
    pub damaged: Vec<u64>,
    /// Operations that there were and that can't be read any more: first and last number of each gap.
    pub missing: Vec<(u64, u64)>,
}

impl Journal {
    /// Reads the operations of a home; there may be none. A torn last line doesn't count.
    pub fn read(home: &Path) -> Result<Self, OperationsError> {
        let path = home.join(OPERATIONS_FILE);
        let mut journal = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::default(),
            Err(source) => return Err(OperationsError::Io { path, source }),
            Ok(file) => read_lines(&path, BufReader::new(file))?,
        };
        journal.missing = gaps(journal.operations.iter().map(|operation| operation.number), last_number(home)?);
        Ok(journal)
    }

    /// Whether nothing of it is gone.
    pub fn is_whole(&self) -> bool {
        self.damaged.is_empty() && self.missing.is_empty()
    }

    /// First and last number of the operations that are gone from the end, as when the file was cut or removed.
    pub fn lost_end(&self) -> Option<(u64, u64)> {
        let last_read = self.operations.iter().map(|operation| operation.number).max().unwrap_or(0);
        self.missing.last().copied().filter(|(first, _)| *first > last_read)
    }

    /// Reads the operations that changed a workspace's folder, and not another worktree that has the same home.
    pub fn of(workspace: &Workspace) -> Result<Self, OperationsError> {
        let mut journal = Self::read(&workspace.home_dir())?;
        journal.operations.retain(|operation| operation.worktree.as_deref() == workspace.worktree());
        Ok(journal)
    }

    /// The operation of a number.
    pub fn get(&self, number: u64) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.number == number)
    }
}

/// Which of the numbers from 1 to the last are not among those that were read.
fn gaps(numbers: impl Iterator<Item = u64>, last: u64) -> Vec<(u64, u64)> {
    let numbers: BTreeSet<u64> = numbers.collect();
    let (mut gaps, mut next) = (Vec::new(), 1);
    for number in numbers.into_iter().chain([last.saturating_add(1)]) {
        if number > next {
            gaps.push((next, number - 1));
        }
        next = next.max(number.saturating_add(1));
    }
    gaps
}

/// The number of the last operation that was written; 0 if none was, or before this was noted.
fn last_number(home: &Path) -> Result<u64, OperationsError> {
    let path = home.join(LAST_FILE);
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(source) => Err(OperationsError::Io { path, source }),
        Ok(text) => text.trim_end().parse().map_err(|_| OperationsError::Damaged { path, lines: vec![1] }),
    }
}

fn read_lines(path: &Path, mut reader: impl io::BufRead) -> Result<Journal, OperationsError> {
    let io_error = |source| OperationsError::Io { path: path.to_owned(), source };
    let (mut journal, mut line, mut number) = (Journal::default(), Vec::new(), 0);
    let mut is_last_broken = false;
    while next_line(&mut reader, &mut line).map_err(io_error)? {
        number += 1;
        if number == 1 && line.ends_with(b"\n") {
            check_header(path, &line)?;
            continue;
        }
        let parsed = parse_line(&line);
        is_last_broken = parsed.is_none();
        match parsed {
            Some(operation) => journal.operations.push(operation),
            None => journal.damaged.push(number),
        }
    }
    if is_last_broken {
        journal.damaged.pop();
    }
    Ok(journal)
}

/// Reads up to and with the next line end; of a line that is too long only a part, which is no operation.
fn next_line(reader: &mut impl io::BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let read = reader.by_ref().take(LINE_BYTES_MAX as u64).read_until(b'\n', line)?;
    Ok(read > 0)
}

fn check_header(path: &Path, line: &[u8]) -> Result<(), OperationsError> {
    if line.strip_suffix(b"\n") == Some(HEADER.as_bytes()) {
        return Ok(());
    }
    let text = String::from_utf8_lossy(line);
    let version = text.strip_prefix(HEADER_START).and_then(|rest| rest.split(':').next());
    match version.filter(|version| *version != "1") {
        Some(found) => Err(OperationsError::Version { path: path.to_owned(), found: found.to_owned() }),
        None => Err(OperationsError::Damaged { path: path.to_owned(), lines: vec![1] }),
    }
}

fn parse_line(line: &[u8]) -> Option<Operation> {
    let text = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (crc, json) = text.split_once(' ')?;
    let is_whole = crc.len() == 8 && u32::from_str_radix(crc, 16).ok()? == crc32fast::hash(json.as_bytes());
    if is_whole { serde_json::from_str(json).ok() } else { None }
}

fn render_line(operation: &Operation) -> io::Result<String> {
    let json = serde_json::to_string(operation).map_err(io::Error::other)?;
    let line = format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()));
    match line.len() {
        0..=LINE_BYTES_MAX => Ok(line),
        length => Err(io::Error::other(format!("an operation of {length} bytes is too long"))),
    }
}

/// The end of the file, for one who holds the workspace's turn.
#[derive(Debug)]
pub struct Tail {
    file: File,
    path: PathBuf,
    last: Option<Operation>,
    /// The greatest number that was given.
    last_number: u64,
}

impl Tail {
    /// Opens the file for appending, makes it if there is none, and cuts off what a dead writer left.
    pub fn open(home: &Path) -> Result<Self, OperationsError> {
        let path = home.join(OPERATIONS_FILE);
        let opened = open(&path).map_err(|source| OperationsError::Io { path: path.clone(), source });
        let mut file = opened?;
        let line = cut_torn(&mut file).map_err(|source| OperationsError::Io { path: path.clone(), source })?;
        let last = match parse_line(&line) {
            Some(operation) => Some(operation),
            // the header, or a damaged line that was whole once
            None => Journal::read(home)?.operations.pop(),
        };
        let last_number = last_number(home)?.max(last.as_ref().map_or(0, |last| last.number));
        Ok(Self { file, path, last, last_number })
    }

    /// The number of the operation that comes next; that of a lost one is not given again.
    pub const fn next_number(&self) -> u64 {
        self.last_number + 1
    }

    pub fn last(&self) -> Option<&Operation> {
        self.last.as_ref()
    }

    /// Appends an operation; it is on disk when this returns.
    pub fn append(&mut self, operation: Operation) -> Result<(), OperationsError> {
        let written = render_line(&operation).and_then(|line| {
            self.file.write_all(line.as_bytes())?;
            self.file.sync_data()
        });
        written.map_err(|source| OperationsError::Io { path: self.path.clone(), source })?;
        self.last_number = self.last_number.max(operation.number);
        let path = self.path.with_file_name(LAST_FILE);
        let noted = file::replace(&path, format!("{}\n", self.last_number).as_bytes(), 0o600);
        noted.map_err(|source| OperationsError::Io { path, source })?;
        self.last = Some(operation);
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    let mut file = options.read(true).append(true).create(true).mode(0o600).open(path)?;
    if file.metadata()?.len() < HEADER.len() as u64 + 1 {
        // also a header that a dead writer had begun
        file.set_len(0)?;
        file.write_all(format!("{HEADER}\n").as_bytes())?;
        file.sync_all()?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
    }
    Ok(file)
}

/// Cuts off what follows the last line end, else the last line if it is broken; returns the line that is last then.
fn cut_torn(file: &mut File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    let start = length.saturating_sub(3 * LINE_BYTES_MAX as u64);
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    io::Read::by_ref(file).take(3 * LINE_BYTES_MAX as u64).read_to_end(&mut bytes)?;
    let whole = line_end(&bytes);
    let last = line_end(&bytes[..whole.saturating_sub(1)]);
    let is_header = start == 0 && last == 0;
    let is_torn = whole == bytes.len() && !is_header && parse_line(&bytes[last..]).is_none();
    let end = if is_torn { last } else { whole };
    if start + (end as u64) < length {
        file.set_len(start + end as u64)?;
        file.sync_data()?;
    }
    let first = line_end(&bytes[..end.saturating_sub(1)]);
    Ok(bytes[first..end].to_vec())
}

/// Where the last line that is whole ends.
fn line_end(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;
    use stemma_core::{Digest, Timestamp};

    use super::*;

    fn operation(number: u64) -> Operation {
        Operation {
            number,
            time: Timestamp(1_700_000_000_000_000),
            actor: Some("ada@example.org".parse().unwrap()),
            command: vec!["stemma".to_owned(), "add".to_owned(), "a b\n.csv".to_owned()],
            before: Digest::of(b""),
            after: Digest::of(b"1"),
            files: None,
            ignore: None,
            worktree: None,
            undoes: None,
        }
    }

    fn home_with(count: u64) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        let mut tail = Tail::open(home.path()).unwrap();
        (1..=count).for_each(|number| tail.append(operation(number)).unwrap());
        home
    }

    fn numbers(home: &Path) -> Vec<u64> {
        let journal = Journal::read(home).unwrap();
        assert_eq!(journal.damaged, [0; 0]);
        journal.operations.iter().map(|operation| operation.number).collect()
    }

    #[test]
    fn the_format_is_frozen() {
        let text = "# stemma operations v1: crc32 operation; append only\n\
            7f6e4e69 {\"number\":1,\"time\":1700000000000000,\"actor\":\"ada@example.org\",\
            \"command\":[\"stemma\",\"add\",\"a b\\n.csv\"],\
            \"before\":\"b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262\",\
            \"after\":\"b3:d63bd9a826af91c1fea371965a64e11ee20f13e46b5f52c59901136605b3a487\"}\n";
        let written = home_with(1);
        let found = fs::read_to_string(written.path().join(OPERATIONS_FILE)).unwrap();
        assert_eq!(found, text);
        assert_eq!(numbers(tempfile::tempdir().unwrap().path()), [0; 0]);
    }

    #[test]
    fn other_formats_are_refused_and_damage_in_the_middle_is_told() {
        let home = home_with(3);
        let path = home.path().join(OPERATIONS_FILE);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen("\"number\":2", "\"number\":7", 1)).unwrap();
        let journal = Journal::read(home.path()).unwrap();
        assert_eq!((journal.operations.len(), journal.damaged, journal.missing), (2, vec![3], vec![(2, 2)]));
        assert!(matches!(crate::operations::digests(home.path()), Err(OperationsError::Damaged { .. })));

        fs::write(&path, text.replacen("v1", "v2", 1)).unwrap();
        assert!(matches!(Journal::read(home.path()), Err(OperationsError::Version { found, .. }) if found == "2"));
        fs::write(&path, format!("something else entirely, of some length and with a line end\n{text}")).unwrap();
        assert!(matches!(Journal::read(home.path()), Err(OperationsError::Damaged { lines, .. }) if lines == [1]));
    }

    #[test]
    fn operations_that_are_gone_are_missing_and_their_numbers_are_not_given_again() {
        let end = |numbers: &[u64], last| {
            let operations = numbers.iter().copied().map(operation).collect();
            Journal { operations, damaged: vec![], missing: gaps(numbers.iter().copied(), last) }.lost_end()
        };
        assert_eq!([end(&[1, 2], 2), end(&[1, 3], 3), end(&[], 0)], [None; 3]);
        assert_eq!([end(&[1, 3], 5), end(&[], 4)], [Some((4, 5)), Some((1, 4))]);
        assert_eq!(gaps([2, 3, 6].into_iter(), 8), [(1, 1), (4, 5), (7, 8)]);
        assert_eq!(gaps([].into_iter(), 0), [(0, 0); 0]);
        let cut = |change: &dyn Fn(&Path, &str)| {
            let home = home_with(3);
            let path = home.path().join(OPERATIONS_FILE);
            change(&path, &fs::read_to_string(&path).unwrap());
            let missing = Journal::read(home.path()).unwrap().missing;
            let mut tail = Tail::open(home.path()).unwrap();
            let next = tail.next_number();
            tail.append(operation(next)).unwrap();
            assert_eq!(Journal::read(home.path()).unwrap().missing, missing);
            (missing, next)
        };
        let without_last = |text: &str| text.lines().take(3).map(|line| format!("{line}\n")).collect::<String>();
        assert_eq!(cut(&|path, text| fs::write(path, without_last(text)).unwrap()), (vec![(3, 3)], 4));
        // a flipped bit in the last line looks like a torn one, but its writer had finished
        let flipped = |text: &str| text.replacen("\"number\":3", "\"number\":2", 1);
        assert_eq!(cut(&|path, text| fs::write(path, flipped(text)).unwrap()), (vec![(3, 3)], 4));
        assert_eq!(cut(&|path, _| fs::remove_file(path).unwrap()), (vec![(1, 3)], 4));
        assert_eq!(cut(&|_, _| ()), (vec![], 4));
    }

    #[test]
    fn wherever_a_writer_dies_what_was_acknowledged_stays_and_the_next_one_goes_on() {
        let home = home_with(2);
        let path = home.path().join(OPERATIONS_FILE);
        let whole = fs::read(&path).unwrap();
        let acknowledged = whole.len();
        let mut longer = whole.clone();
        longer.extend_from_slice(render_line(&operation(3)).unwrap().as_bytes());
        for end in (acknowledged..longer.len()).step_by(7).chain([longer.len() - 1]) {
            let mut torn = longer[..end].to_vec();
            for zeros in [0, 5] {
                torn.extend(std::iter::repeat_n(0, zeros));
                fs::write(&path, &torn).unwrap();
                assert_eq!(numbers(home.path()), [1, 2], "cut at {end}");
                Tail::open(home.path()).unwrap().append(operation(3)).unwrap();
                assert_eq!(numbers(home.path()), [1, 2, 3], "cut at {end}");
            }
        }
        for end in 0..HEADER.len() {
            fs::write(&path, &whole[..end]).unwrap();
            Tail::open(home.path()).unwrap().append(operation(1)).unwrap();
            assert_eq!(numbers(home.path()), [1]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))] // each one syncs files

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..400) {
            let home = home_with(2);
            let path = home.path().join(OPERATIONS_FILE);
            let mut text = fs::read(&path).unwrap();
            let at = at.min(text.len());
            text.splice(at..at, bytes);
            fs::write(&path, text).unwrap();
            let _ = Journal::read(home.path());
            let _ = Tail::open(home.path());
        }
    }
}
