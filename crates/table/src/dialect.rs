//! How a text file writes its table: found from its beginning, as nothing else says it.

use crate::number::Number;

/// Bytes that are looked at.
pub(crate) const SNIFFED_LEN: usize = 64 << 10;
/// Lines that are looked at.
const LINES_MAX: usize = 200;
/// What stands between cells, the likelier first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Which line names the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// The first.
    First,
    /// The first, unless one of its cells is a number: then columns are called `0`, `1`, …
    Guessed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// UTF-8; a row that is none is read as Windows-1252, which Latin-1 is a part of.
    Utf8,
    Utf16Le,
    Utf16Be,
}

impl Encoding {
    /// `None` if this is no text.
    pub fn of(start: &[u8]) -> Option<Self> {
        match start {
            [0xff, 0xfe, ..] => return Some(Self::Utf16Le),
            [0xfe, 0xff, ..] => return Some(Self::Utf16Be),
            _ => {}
        }
        if !start.iter().any(|byte| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c)) {
            return Some(Self::Utf8);
        }
        // plain letters in UTF-16 are every second byte
        let pairs = start.chunks_exact(2);
        let (mut le, mut be) = (start.len() >= 4, start.len() >= 4);
        for pair in pairs {
            le &= pair[1] == 0 && pair[0] != 0;
            be &= pair[0] == 0 && pair[1] != 0;
        }
        match (le, be) {
            (true, _) => Some(Self::Utf16Le),
            (_, true) => Some(Self::Utf16Be),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub delimiter: u8,
    pub quote: u8,
    pub escape: Option<u8>,
    /// `1,5` is one and a half.
    pub decimal_comma: bool,
}

impl Dialect {
    /// By the beginning of a file as UTF-8.
    ///
    /// The delimiter is the one of `, ; tab |` that the first line has most of outside of quotes. If it has none, and
    /// every line is equally many numbers with one space between them, it is the space. Cells are quoted with `'` if the
    /// first line's are. A comma in numbers is the decimal one if another delimiter stands between cells, and no number
    /// has a point.
    pub fn of(start: &str) -> Self {
        let first = start.lines().find(|line| !line.is_empty()).unwrap_or_default();
        let quote = if first.starts_with('\'') && !start.contains('"') { b'\'' } else { b'"' };
        let delimiter = most_frequent(first, quote).or_else(|| spaces(start)).unwrap_or(b',');
        let escape = (quote == b'"' && start.contains("\\\"")).then_some(b'\\');
        Self { delimiter, quote, escape, decimal_comma: delimiter != b',' && has_decimal_commas(start, delimiter) }
    }
}

fn most_frequent(line: &str, quote: u8) -> Option<u8> {
    let mut counts = [0usize; DELIMITERS.len()];
    let mut is_quoted = false;
    for byte in line.bytes() {
        is_quoted ^= byte == quote;
        if let Some(at) = DELIMITERS.iter().position(|delimiter| *delimiter == byte && !is_quoted) {
            counts[at] += 1;
        }
    }
    // of several with the same count the first
    let most = (0..DELIMITERS.len()).rev().max_by_key(|at| counts[*at])?;
    (counts[most] > 0).then_some(DELIMITERS[most])
}

fn spaces(start: &str) -> Option<u8> {
    let mut lines = whole_lines(start).filter(|line| !line.is_empty());
    let cells = |line: &str| {
        let all_numbers = line.split(' ').all(|cell| Number::parse(cell).is_some());
        all_numbers.then(|| line.split(' ').count())
    };
    let first = cells(lines.next()?)?;
    (first > 1 && lines.all(|line| cells(line) == Some(first))).then_some(b' ')
}

fn has_decimal_commas(start: &str, delimiter: u8) -> bool {
    let mut commas = false;
    for line in whole_lines(start).skip(1) {
        for cell in line.split(char::from(delimiter)) {
            let cell = cell.trim_matches(['"', '\'', ' ']);
            if cell.contains('.') && Number::parse(cell).is_some() {
                return false;
            }
            commas |= with_point(cell).is_some();
        }
    }
    commas
}

/// A number with a decimal comma as one with a point.
pub(crate) fn with_point(cell: &str) -> Option<String> {
    let (whole, fraction) = cell.trim().split_once(',')?;
    let digits = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let written = format!("{whole}.{fraction}");
    (fraction.starts_with(|first: char| first.is_ascii_digit()) && Number::parse(&written).is_some()).then_some(written)
}

/// The lines of a beginning whose end was seen.
fn whole_lines(start: &str) -> impl Iterator<Item = &str> {
    let is_cut = start.len() + 4 >= SNIFFED_LEN && !start.ends_with('\n');
    let count = start.lines().count() - usize::from(is_cut && start.contains('\n'));
    start.lines().take(count.min(LINES_MAX))
}
