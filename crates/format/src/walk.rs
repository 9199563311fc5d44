//! Reading a header field by field, never behind its end and never for longer than the budget lasts.

use std::io;

use crate::{HEADER_MAX, ReadAt};

/// Read ahead; a header is many small fields.
const AHEAD: u64 = 8 << 10;

/// What a jump costs of the budget, in bytes read.
const JUMP: u64 = 8;

/// Why a walk through a header ended early.
#[derive(Debug)]
pub enum Stop {
    /// Not of this format, or malformed, or larger than what is read.
    Malformed,
    Io(io::Error),
}

pub type Walk<T> = Result<T, Stop>;

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A malformed header is no error: the file just has no outline.
pub fn settle<T>(walked: Walk<T>) -> io::Result<Option<T>> {
    match walked {
        Ok(found) => Ok(Some(found)),
        Err(Stop::Malformed) => Ok(None),
        Err(Stop::Io(error)) => Err(error),
    }
}

/// `Malformed` unless `holds`.
pub fn ensure(holds: bool) -> Walk<()> {
    if holds { Ok(()) } else { Err(Stop::Malformed) }
}

/// A place in a stretch of a file. All it hands out was there to be read; all steps together are bounded.
pub struct Cursor<'a> {
    source: &'a dyn ReadAt,
    at: u64,
    end: u64,
    ahead: Vec<u8>,
    ahead_start: u64,
    /// Steps that may still be taken: bytes read, and jumps.
    budget: u64,
}

impl<'a> Cursor<'a> {
    /// The bytes `start..end`, of which there are none behind the end of the source.
    pub fn new(source: &'a dyn ReadAt, start: u64, end: u64) -> Self {
        let end = end.min(source.len());
        Self { source, at: start.min(end), end, ahead: Vec::new(), ahead_start: 0, budget: HEADER_MAX }
    }

    pub fn at(&self) -> u64 {
        self.at
    }

    pub fn left(&self) -> u64 {
        self.end - self.at
    }

    /// Moves to any place up to the end; the budget stays as it is.
    pub fn seek(&mut self, at: u64) -> Walk<()> {
        ensure(at <= self.end)?;
        self.spend(JUMP)?;
        self.at = at;
        Ok(())
    }

    pub fn skip(&mut self, len: u64) -> Walk<()> {
        let at = self.at.checked_add(len).ok_or(Stop::Malformed)?;
        self.seek(at)
    }

    pub fn bytes(&mut self, len: u64) -> Walk<Vec<u8>> {
        ensure(len <= self.left())?;
        self.spend(len.max(1))?;
        // not more than the budget, so it fits
        let mut bytes = vec![0; len as usize];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub fn array<const N: usize>(&mut self) -> Walk<[u8; N]> {
        ensure(N as u64 <= self.left())?;
        self.spend(N as u64)?;
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub fn byte(&mut self) -> Walk<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub fn u16(&mut self) -> Walk<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Walk<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Walk<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number in groups of seven bits, lowest first, as protobuf and thrift write it.
    pub fn varint(&mut self) -> Walk<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Stop::Malformed)
    }

    pub fn string(&mut self, len: u64) -> Walk<String> {
        String::from_utf8(self.bytes(len)?).map_err(|_| Stop::Malformed)
    }

    /// A cursor over the next `len` bytes, which are skipped here. It takes the budget with it; see [`Self::resume`].
    pub fn inner(&mut self, len: u64) -> Walk<Cursor<'a>> {
        let start = self.at;
        self.skip(len)?;
        let mut inner = Cursor::new(self.source, start, self.at);
        inner.budget = self.budget;
        inner.ahead = std::mem::take(&mut self.ahead);
        inner.ahead_start = self.ahead_start;
        Ok(inner)
    }

    /// Takes back what an inner cursor has left of the budget.
    pub fn resume(&mut self, inner: Cursor<'a>) {
        self.budget = inner.budget;
        self.ahead = inner.ahead;
        self.ahead_start = inner.ahead_start;
    }

    fn spend(&mut self, steps: u64) -> Walk<()> {
        self.budget = self.budget.checked_sub(steps).ok_or(Stop::Malformed)?;
        Ok(())
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Walk<()> {
        let len = buffer.len() as u64;
        if len > AHEAD {
            self.source.read_exact_at(self.at, buffer)?;
            self.at += len;
            return Ok(());
        }
        let ahead_end = self.ahead_start + self.ahead.len() as u64;
        if self.at < self.ahead_start || self.at + len > ahead_end {
            self.ahead = self.source.bytes_at(self.at, AHEAD as usize)?;
            self.ahead_start = self.at;
        }
        let from = (self.at - self.ahead_start) as usize;
        buffer.copy_from_slice(&self.ahead[from..from + buffer.len()]);
        self.at += len;
        Ok(())
    }
}
