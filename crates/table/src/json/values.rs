//! The values of a JSON file, one after the other, without reading the file as a whole.

use std::io::{BufRead, BufReader, Read as _};

use serde_json::Value;

use crate::{
    error::TableError,
    expand::{Expanded, Stream},
};

/// Longest value.
const VALUE_LEN_MAX: usize = 32 << 20;
/// Most commas in one value: each stands for a value that takes far more memory than the two bytes it may be written in.
const VALUE_COMMAS_MAX: usize = 2 << 20;
const BUFFER_LEN: usize = 256 << 10;
/// Where the form is looked for.
const START_LEN: u64 = 4 << 10;

pub(crate) struct Values {
    stream: BufReader<Stream>,
    /// Bytes of the value that is being read.
    value: Vec<u8>,
    /// Values that were read.
    count: u64,
    /// They stand in a list, and not one below the other.
    in_list: bool,
}

impl Values {
    pub fn open(file: &Expanded) -> Result<Self, TableError> {
        let mut start = Vec::new();
        file.stream()?.take(START_LEN).read_to_end(&mut start)?;
        let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start);
        let mut visible = start.iter().filter(|byte| !byte.is_ascii_whitespace());
        let in_list = visible.next() == Some(&b'[') && matches!(visible.next(), Some(b'{' | b'[' | b']') | None);
        let mut stream = BufReader::with_capacity(BUFFER_LEN, file.stream()?);
        if stream.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
            stream.consume(3);
        }
        let mut values = Self { stream, value: Vec::new(), count: 0, in_list };
        if in_list {
            // its bracket
            values.begin()?;
        }
        Ok(values)
    }

    pub fn next(&mut self) -> Result<Option<Value>, TableError> {
        let Some(first) = self.begin()? else { return Ok(None) };
        if first == b']' && self.in_list {
            return Ok(None);
        }
        self.count += 1;
        self.value.clear();
        self.value.push(first);
        self.rest()?;
        let parsed = serde_json::from_slice(&self.value);
        parsed.map(Some).map_err(|error| TableError::Malformed(format!("its value {}: {error}", self.count)))
    }

    /// Takes the next byte that is not between values.
    fn begin(&mut self) -> Result<Option<u8>, TableError> {
        loop {
            let buffer = self.stream.fill_buf()?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let between = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',';
            match buffer.iter().position(|byte| !between(byte)) {
                Some(at) => {
                    let first = buffer[at];
                    self.stream.consume(at + 1);
                    return Ok(Some(first));
                }
                None => {
                    let len = buffer.len();
                    self.stream.consume(len);
                }
            }
        }
    }

    /// Takes all up to the bracket that closes the value.
    fn rest(&mut self) -> Result<(), TableError> {
        let mut scan = Scan::default();
        scan.is_end(self.value[0]);
        if scan.depth == 0 {
            return Err(TableError::Malformed(format!("its value {} is neither object nor list", self.count)));
        }
        loop {
            let buffer = self.stream.fill_buf()?;
            if buffer.is_empty() {
                return Err(TableError::Malformed(format!("its value {} does not end", self.count)));
            }
            let (mut taken, mut is_done) = (0, false);
            for byte in buffer {
                taken += 1;
                scan.push(*byte, &mut self.value);
                is_done = scan.is_end(*byte);
                if is_done {
                    break;
                }
            }
            self.stream.consume(taken);
            if scan.commas > VALUE_COMMAS_MAX {
                return Err(TableError::Malformed(format!(
                    "its value {} holds more than {VALUE_COMMAS_MAX} others",
                    self.count
                )));
            }
            if is_done {
                return Ok(());
            }
            if self.value.len() > VALUE_LEN_MAX {
                return Err(TableError::Malformed(format!(
                    "its value {} is longer than {VALUE_LEN_MAX} bytes",
                    self.count
                )));
            }
        }
    }
}

/// How deep a place in a value is.
#[derive(Default)]
struct Scan {
    depth: usize,
    in_text: bool,
    is_escaped: bool,
    commas: usize,
    /// Bytes of a word that was replaced.
    passed: usize,
}

impl Scan {
    /// `NaN` and `Infinity`, which Python writes and JSON doesn't know, become null.
    fn push(&mut self, byte: u8, value: &mut Vec<u8>) {
        match byte {
            _ if self.passed > 0 => self.passed -= 1,
            b'N' if !self.in_text => {
                value.extend_from_slice(b"null");
                self.passed = "aN".len();
            }
            b'I' if !self.in_text => {
                if value.last() == Some(&b'-') {
                    value.pop();
                }
                value.extend_from_slice(b"null");
                self.passed = "nfinity".len();
            }
            byte => value.push(byte),
        }
    }

    /// Whether the value ends with this byte.
    fn is_end(&mut self, byte: u8) -> bool {
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.in_text => self.is_escaped = true,
            b'"' => self.in_text = !self.in_text,
            b',' if !self.in_text => self.commas += 1,
            b'{' | b'[' if !self.in_text => self.depth += 1,
            b'}' | b']' if !self.in_text => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }
}
