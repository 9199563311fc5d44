//! XGBoost's UBJSON.
//!
//! Format: <https://ubjson.org>, draft 12; numbers are big-endian. Values are gone over, not kept.

use stemma_core::look::ModelFormat;
use stemma_format::ReadAt;

use crate::{
    fault::Fault,
    findings::Findings,
    tape::{Stop, Taken, Tape},
};

const NESTING_MAX: u32 = 64;
const VALUES_MAX: u64 = 1 << 27;
/// Longest key that is compared with those of XGBoost.
const KEY_LEN_MAX: u64 = 64;
const SENSELESS: Stop = Stop::Odd("it makes no sense");

/// An object whose first key has a length of 8 bytes, as XGBoost writes it.
pub(crate) fn may_be(start: &[u8]) -> bool {
    start.starts_with(b"{L\0")
}

pub(crate) fn findings(source: &dyn ReadAt) -> Result<Findings, Fault> {
    let mut reading = Reading { tape: Tape::plain(source, 0, source.len()), values: 0, keys: Vec::new() };
    match reading.whole() {
        Ok(()) => {}
        Err(Stop::Io(error)) => return Err(error.into()),
        Err(Stop::Odd(why)) => return Ok(Findings::opaque(format!("it begins as UBJSON, but {why}"))),
    }
    let has = |name: &[u8]| reading.keys.iter().any(|key| key == name);
    match has(b"learner") && has(b"version") {
        true => Ok(Findings::of(ModelFormat::XgboostUbjson)),
        false => Ok(Findings::opaque("what its UBJSON is for")),
    }
}

struct Reading<'a> {
    tape: Tape<'a>,
    values: u64,
    /// Of the object that is the file.
    keys: Vec<Vec<u8>>,
}

/// What stands at a container's begin.
struct Head {
    /// All values are of this kind, and none says so again.
    kind: Option<u8>,
    count: Option<u64>,
}

impl Reading<'_> {
    fn whole(&mut self) -> Taken<()> {
        let kind = self.tape.byte()?;
        self.value(kind, 0)?;
        if self.tape.peek(1)?.is_empty() { Ok(()) } else { Err(SENSELESS) }
    }

    fn value(&mut self, kind: u8, nesting: u32) -> Taken<()> {
        self.values += 1;
        if nesting > NESTING_MAX || self.values > VALUES_MAX {
            return Err(Stop::Odd("it is too large to be followed"));
        }
        match (kind, width(kind)) {
            (_, Some(width)) => self.tape.skip(width),
            (b'S' | b'H', _) => {
                let len = self.number()?;
                self.tape.skip(len)
            }
            (b'[', _) => self.array(nesting),
            (b'{', _) => self.object(nesting),
            _ => Err(SENSELESS),
        }
    }

    fn array(&mut self, nesting: u32) -> Taken<()> {
        let Head { kind, count } = self.head()?;
        if let (Some(width), Some(count)) = (kind.and_then(width), count) {
            return self.tape.skip(width.checked_mul(count).ok_or(SENSELESS)?);
        }
        let mut read = 0;
        while !self.is_at_end(count, read, b']')? {
            let kind = self.kind(kind)?;
            self.value(kind, nesting + 1)?;
            read += 1;
        }
        Ok(())
    }

    fn object(&mut self, nesting: u32) -> Taken<()> {
        let Head { kind, count } = self.head()?;
        let mut read = 0;
        while !self.is_at_end(count, read, b'}')? {
            let len = self.number()?;
            if nesting == 0 && len <= KEY_LEN_MAX {
                let key = self.tape.bytes(len as usize)?;
                self.keys.push(key);
            } else {
                self.tape.skip(len)?;
            }
            let kind = self.kind(kind)?;
            self.value(kind, nesting + 1)?;
            read += 1;
        }
        Ok(())
    }

    fn head(&mut self) -> Taken<Head> {
        let mut head = Head { kind: None, count: None };
        if self.tape.peek(1)? == b"$" {
            self.tape.skip(1)?;
            head.kind = Some(self.tape.byte()?);
        }
        if self.tape.peek(1)? == b"#" {
            self.tape.skip(1)?;
            head.count = Some(self.number()?);
        }
        if head.kind.is_some() && head.count.is_none() { Err(SENSELESS) } else { Ok(head) }
    }

    fn is_at_end(&mut self, count: Option<u64>, read: u64, end: u8) -> Taken<bool> {
        match count {
            Some(count) => Ok(read == count),
            None if self.tape.peek(1)? == [end] => self.tape.skip(1).map(|()| true),
            None => Ok(false),
        }
    }

    fn kind(&mut self, of_all: Option<u8>) -> Taken<u8> {
        of_all.map_or_else(|| self.tape.byte(), Ok)
    }

    /// A length: of any width, and not negative.
    fn number(&mut self) -> Taken<u64> {
        let kind = self.tape.byte()?;
        let Some(width @ 1..=8) = width(kind).filter(|_| matches!(kind, b'i' | b'U' | b'I' | b'l' | b'L')) else {
            return Err(SENSELESS);
        };
        let bytes = self.tape.bytes(width as usize)?;
        if kind != b'U' && bytes[0] & 0x80 != 0 {
            return Err(SENSELESS);
        }
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

/// Bytes of a value that is neither text nor a container.
fn width(kind: u8) -> Option<u64> {
    Some(match kind {
        b'Z' | b'N' | b'T' | b'F' => 0,
        b'i' | b'U' | b'C' => 1,
        b'I' => 2,
        b'l' | b'd' => 4,
        b'L' | b'D' => 8,
        _ => return None,
    })
}
