//! Bytes that are read once, from the first to the last: of a stretch of a file, or inflated on the way.

use std::{
    cell::Cell,
    io::{self, Read},
};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use stemma_format::ReadAt;

const BUFFER: usize = 64 << 10;
/// Bytes that are inflated in one look: a bomb is a short stream that goes on for ever, or many of them.
const INFLATED_MAX: u64 = 256 << 20;
/// Opcodes of pickles that are followed in one look.
const STEPS_MAX: u64 = 1 << 26;

/// What one look may cost, over all that is in a file or folder.
pub(crate) struct Budget {
    inflated: Cell<u64>,
    steps: Cell<u64>,
}

impl Budget {
    pub fn new() -> Self {
        Self { inflated: Cell::new(INFLATED_MAX), steps: Cell::new(STEPS_MAX) }
    }

    /// Whether there was as much left.
    fn inflate(&self, bytes: u64) -> bool {
        take(&self.inflated, bytes)
    }

    pub fn step(&self) -> bool {
        take(&self.steps, 1)
    }
}

fn take(left: &Cell<u64>, amount: u64) -> bool {
    let enough = left.get() >= amount;
    left.set(left.get().saturating_sub(amount));
    enough
}

/// Why reading ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// There is nothing more, or nothing that makes sense.
    Odd(&'static str),
    Io(io::Error),
}

pub(crate) type Taken<T> = Result<T, Stop>;

/// How a stream is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packed {
    Deflate,
    Zlib,
    Gzip,
}

pub(crate) struct Tape<'a> {
    input: Input<'a>,
    ahead: Vec<u8>,
    /// How much of `ahead` was taken.
    taken: usize,
    at: u64,
}

enum Input<'a> {
    Stretch(Stretch<'a>),
    Inflated { stream: Box<dyn Read + 'a>, budget: &'a Budget },
}

/// Bytes of a source from one place to another.
pub(crate) struct Stretch<'a> {
    source: &'a dyn ReadAt,
    next: u64,
    end: u64,
}

impl<'a> Stretch<'a> {
    pub fn new(source: &'a dyn ReadAt, start: u64, end: u64) -> Self {
        let end = end.min(source.len());
        Self { source, next: start.min(end), end }
    }
}

impl Read for Stretch<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(usize::try_from(self.end - self.next).unwrap_or(usize::MAX));
        self.source.read_exact_at(self.next, &mut buffer[..len])?;
        self.next += len as u64;
        Ok(len)
    }
}

impl<'a> Tape<'a> {
    pub fn plain(source: &'a dyn ReadAt, start: u64, end: u64) -> Self {
        Self::new(Input::Stretch(Stretch::new(source, start, end)))
    }

    pub fn inflated(source: &'a dyn ReadAt, start: u64, end: u64, packed: Packed, budget: &'a Budget) -> Self {
        let stretch = io::BufReader::with_capacity(BUFFER, Stretch::new(source, start, end));
        let stream: Box<dyn Read + 'a> = match packed {
            Packed::Deflate => Box::new(DeflateDecoder::new(stretch)),
            Packed::Zlib => Box::new(ZlibDecoder::new(stretch)),
            Packed::Gzip => Box::new(MultiGzDecoder::new(stretch)),
        };
        Self::new(Input::Inflated { stream, budget })
    }

    fn new(input: Input<'a>) -> Self {
        Self { input, ahead: Vec::new(), taken: 0, at: 0 }
    }

    /// How many bytes were taken.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The next bytes, which stay; fewer only at the end.
    pub fn peek(&mut self, len: usize) -> Taken<&[u8]> {
        while self.ahead.len() - self.taken < len && self.read_on()? {}
        let end = self.ahead.len().min(self.taken + len);
        Ok(&self.ahead[self.taken..end])
    }

    pub fn byte(&mut self) -> Taken<u8> {
        if self.taken == self.ahead.len() && !self.read_on()? {
            return Err(Stop::Odd("it ends in the middle"));
        }
        let byte = self.ahead[self.taken];
        self.taken += 1;
        self.at += 1;
        Ok(byte)
    }

    pub fn array<const N: usize>(&mut self) -> Taken<[u8; N]> {
        let mut array = [0; N];
        for byte in &mut array {
            *byte = self.byte()?;
        }
        Ok(array)
    }

    /// The next bytes, of which the caller knows that they are not many.
    pub fn bytes(&mut self, len: usize) -> Taken<Vec<u8>> {
        (0..len).map(|_| self.byte()).collect()
    }

    /// Up to the next line feed, which is taken too. What is longer than `kept` is gone over; `None` stands for it.
    pub fn line(&mut self, kept: usize) -> Taken<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut len = 0u64;
        loop {
            match self.byte()? {
                b'\n' => return Ok((len <= kept as u64).then_some(line)),
                byte if line.len() < kept => line.push(byte),
                _ => {}
            }
            len += 1;
        }
    }

    pub fn skip(&mut self, len: u64) -> Taken<()> {
        let held = (self.ahead.len() - self.taken) as u64;
        if len <= held {
            self.taken += len as usize;
            self.at += len;
            return Ok(());
        }
        self.taken = self.ahead.len();
        self.at += held;
        let mut rest = len - held;
        if let Input::Stretch(stretch) = &mut self.input {
            if rest > stretch.end - stretch.next {
                return Err(Stop::Odd("a length in it leads behind its end"));
            }
            stretch.next += rest;
            self.at += rest;
            return Ok(());
        }
        while rest > 0 {
            let some = self.peek(BUFFER)?.len() as u64;
            if some == 0 {
                return Err(Stop::Odd("a length in it leads behind its end"));
            }
            let step = some.min(rest);
            self.taken += step as usize;
            self.at += step;
            rest -= step;
        }
        Ok(())
    }

    /// Whether there was anything more to read.
    fn read_on(&mut self) -> Taken<bool> {
        self.ahead.drain(..self.taken);
        self.taken = 0;
        let start = self.ahead.len();
        self.ahead.resize(start + BUFFER, 0);
        let read = match &mut self.input {
            Input::Stretch(stretch) => stretch.read(&mut self.ahead[start..]).map_err(Stop::Io)?,
            Input::Inflated { stream, budget } => {
                // what is in memory or on this disk can be read: it is the stream that is wrong
                let read =
                    stream.read(&mut self.ahead[start..]).map_err(|_| Stop::Odd("its compression is damaged"))?;
                if !budget.inflate(read as u64) {
                    return Err(Stop::Odd("more than 256 MiB come out of what is compressed"));
                }
                read
            }
        };
        self.ahead.truncate(start + read);
        Ok(read > 0)
    }
}
