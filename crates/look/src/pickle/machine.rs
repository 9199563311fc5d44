//! Follows a pickle opcode by opcode.

use std::collections::{HashMap, HashSet};

use super::{
    array::{ArrayState, Dtype, Follows, is_wrapper},
    harmless::is_refused,
    value::{Tuple, Value},
};
use crate::tape::{Budget, Stop, Taken, Tape};

/// Values that are held at once, of a pickle and those that it lies in.
const HELD_MAX: usize = 4 << 20;
/// Texts that can be names of imports; others are not kept.
const TEXT_LEN_MAX: usize = 256;
const LINE_LEN_MAX: usize = 512;
/// Imports that are told apart.
const IMPORTS_MAX: usize = 10_000;
/// Pickles one behind the other.
const PICKLES_MAX: usize = 1000;
/// Arrays of objects in arrays of objects.
const NESTING_MAX: usize = 16;
const PROTOCOL: u8 = 0x80;
const TOO_LARGE: &str = "it is too large to be followed";
const CUT: Stop = Stop::Odd(TOO_LARGE);
const SENSELESS: Stop = Stop::Odd("it makes no sense");
const ENDLESS: &str = "how long an array is can't be told";

/// What was found in the pickles of a file.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    /// `module.name` of each, in the order in which they are met; once.
    pub imports: Vec<String>,
    /// Why it was not followed to its end, and up to where.
    pub lost: Option<String>,
    /// It has joblib's arrays.
    pub has_arrays: bool,
    /// Pickles that were read to their end.
    pub pickles: usize,
    /// Bytes follow that are no pickle.
    pub has_rest: bool,
    /// It was followed no further, though Python would go on.
    is_cut: bool,
    /// What is in `imports`.
    known: HashSet<String>,
}

impl Scanned {
    /// Whether Python would take at least the beginning for a pickle, or get as far as an import: what it meets up to
    /// there is run, whatever comes behind it.
    pub fn may_be_loaded(&self) -> bool {
        self.pickles > 0 || !self.imports.is_empty() || self.is_cut
    }

    pub fn is_dangerous(&self) -> bool {
        self.imports.iter().any(|import| is_refused(import))
    }

    fn import(&mut self, name: &str) -> Taken<()> {
        if self.known.contains(name) {
            return Ok(());
        }
        if self.imports.len() == IMPORTS_MAX {
            return Err(CUT);
        }
        self.known.insert(name.to_owned());
        self.imports.push(name.to_owned());
        Ok(())
    }
}

/// Follows all pickles that lie one behind the other.
pub(crate) fn scan(tape: &mut Tape<'_>, budget: &Budget) -> std::io::Result<Scanned> {
    let mut found = Scanned::default();
    match scan_all(tape, budget, &mut found) {
        Ok(()) => {}
        Err(Stop::Odd(why)) => {
            found.is_cut = [TOO_LARGE, ENDLESS].contains(&why);
            found.lost = Some(format!("{why} (at byte {})", tape.at()));
        }
        Err(Stop::Io(error)) => return Err(error),
    }
    Ok(found)
}

fn scan_all(tape: &mut Tape<'_>, budget: &Budget, found: &mut Scanned) -> Taken<()> {
    loop {
        scan_one(tape, budget, found, Outer::default())?;
        found.pickles += 1;
        match tape.peek(1)? {
            [] => return Ok(()),
            [PROTOCOL] if found.pickles < PICKLES_MAX => {}
            _ => {
                found.has_rest = true;
                return Ok(());
            }
        }
    }
}

/// The pickles that one lies in.
#[derive(Clone, Copy, Default)]
struct Outer {
    nesting: usize,
    /// Values that they hold.
    held: usize,
}

fn scan_one(tape: &mut Tape<'_>, budget: &Budget, found: &mut Scanned, outer: Outer) -> Taken<()> {
    if outer.nesting > NESTING_MAX {
        return Err(CUT);
    }
    let mut machine =
        Machine { tape, budget, found, outer, stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
    loop {
        if !machine.budget.step() || machine.held() > HELD_MAX {
            return Err(CUT);
        }
        match machine.tape.byte()? {
            b'.' => return machine.pop().map(drop),
            opcode => machine.step(opcode)?,
        }
    }
}

struct Machine<'m, 't> {
    tape: &'m mut Tape<'t>,
    budget: &'m Budget,
    found: &'m mut Scanned,
    outer: Outer,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<i64, Value>,
}

impl Machine<'_, '_> {
    fn held(&self) -> usize {
        self.outer.held + self.stack.len() + self.marks.len() + self.memo.len()
    }

    fn step(&mut self, opcode: u8) -> Taken<()> {
        match opcode {
            PROTOCOL => self.tape.skip(1),
            // a frame's length; what is in it follows
            0x95 => self.tape.skip(8),
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => self.pop_or_mark(),
            b'1' => self.pop_mark().map(drop),
            b'2' => {
                let top = self.top()?.clone();
                self.push(top)
            }
            b'g' | b'h' | b'j' | b'p' | b'q' | b'r' | 0x94 => self.remember(opcode),
            b']' | b'}' | 0x8f | b'a' | b'e' | 0x90 | b's' | b'u' | b'l' | b'd' | 0x91 => self.contain(opcode),
            b')' | b't' | 0x85 | 0x86 | 0x87 => self.tuple(opcode),
            b'c' | 0x93 | b'i' | b'o' | 0x82..=0x84 => self.import(opcode),
            b'P' | b'Q' | b'R' | b'b' | 0x81 | 0x92 => self.build(opcode),
            _ => {
                let value = self.literal(opcode)?;
                self.push(value)
            }
        }
    }

    fn literal(&mut self, opcode: u8) -> Taken<Value> {
        Ok(match opcode {
            b'N' | 0x88 | 0x89 | 0x97 => Value::Other,
            // makes the buffer below it read-only
            0x98 => self.pop()?,
            b'J' => u64::try_from(i32::from_le_bytes(self.tape.array()?)).map_or(Value::Other, Value::Int),
            b'K' => Value::Int(self.tape.byte()?.into()),
            b'M' => Value::Int(u16::from_le_bytes(self.tape.array()?).into()),
            0x8a => {
                let len = self.tape.byte()?;
                long(&self.tape.bytes(len.into())?)
            }
            0x8b => self.passed(4)?,
            b'G' => {
                self.tape.skip(8)?;
                Value::Other
            }
            b'I' | b'L' | b'F' => {
                self.tape.line(LINE_LEN_MAX)?;
                Value::Other
            }
            // with escapes, which nobody uses for names
            b'S' | b'V' => {
                self.tape.line(0)?;
                Value::Lost
            }
            0x8c | b'U' => self.text(1)?,
            b'X' | b'T' => self.text(4)?,
            0x8d => self.text(8)?,
            b'C' => self.passed(1)?,
            b'B' => self.passed(4)?,
            0x8e | 0x96 => self.passed(8)?,
            _ => return Err(SENSELESS),
        })
    }

    fn remember(&mut self, opcode: u8) -> Taken<()> {
        let key = match opcode {
            b'g' | b'p' => {
                let line = self.tape.line(LINE_LEN_MAX)?.ok_or(CUT)?;
                number(&line).ok_or(SENSELESS)?
            }
            b'h' | b'q' => self.tape.byte()?.into(),
            0x94 => self.memo.len() as i64,
            _ => u32::from_le_bytes(self.tape.array()?).into(),
        };
        if matches!(opcode, b'g' | b'h' | b'j') {
            let value = self.memo.get(&key).ok_or(SENSELESS)?.clone();
            return self.push(value);
        }
        let value = self.top()?.clone();
        self.memo.insert(key, value);
        Ok(())
    }

    fn contain(&mut self, opcode: u8) -> Taken<()> {
        match opcode {
            b'}' => self.push(Value::State(ArrayState::default())),
            b']' | 0x8f => self.push(Value::Other),
            b'l' | 0x91 => {
                self.pop_mark()?;
                self.push(Value::Other)
            }
            b'd' => {
                let items = self.pop_mark()?;
                self.push(Value::State(ArrayState::default()))?;
                self.set(&items)
            }
            b'a' => {
                self.pop()?;
                self.top().map(drop)
            }
            b'e' | 0x90 => {
                self.pop_mark()?;
                self.top().map(drop)
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(&[key, value])
            }
            _ => {
                let items = self.pop_mark()?;
                self.set(&items)
            }
        }
    }

    /// Sets keys of the dictionary on top.
    fn set(&mut self, items: &[Value]) -> Taken<()> {
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(SENSELESS);
        }
        self.top()?;
        if let Some(Value::State(state)) = self.stack.last_mut() {
            pairs.iter().for_each(|[key, value]| value.set_in(state, key));
        }
        Ok(())
    }

    fn tuple(&mut self, opcode: u8) -> Taken<()> {
        let items = match opcode {
            b')' => Vec::new(),
            b't' => self.pop_mark()?,
            count => {
                let start = self.stack.len().checked_sub(usize::from(count - 0x84)).ok_or(SENSELESS)?;
                self.check_mark(start)?;
                self.stack.split_off(start)
            }
        };
        self.push(Value::Tuple(Tuple::of(&items)))
    }

    fn import(&mut self, opcode: u8) -> Taken<()> {
        let name = match opcode {
            b'c' | b'i' => {
                let (module, name) = (self.tape.line(LINE_LEN_MAX)?, self.tape.line(LINE_LEN_MAX)?);
                joined(module.as_deref(), name.as_deref())
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (&module, &name) {
                    (Value::Text(module), Value::Text(name)) => format!("{module}.{name}"),
                    _ => UNREADABLE.to_owned(),
                }
            }
            b'o' => {
                // the class stands behind the mark, and was imported as such
                self.pop_mark()?;
                return self.push(Value::Other);
            }
            _ => {
                let code = match opcode {
                    0x82 => self.tape.byte()?.into(),
                    0x83 => u16::from_le_bytes(self.tape.array()?).into(),
                    _ => u32::from_le_bytes(self.tape.array()?),
                };
                format!("what is registered under code {code}")
            }
        };
        self.found.import(&name)?;
        if opcode == b'i' {
            self.pop_mark()?;
            return self.push(Value::Other);
        }
        self.push(Value::Global(name.into()))
    }

    /// Where a real unpickler would call something.
    fn build(&mut self, opcode: u8) -> Taken<()> {
        match opcode {
            b'P' => {
                self.tape.line(0)?;
                self.push(Value::Other)
            }
            b'Q' => {
                self.pop()?;
                self.push(Value::Other)
            }
            b'R' | 0x81 => {
                let (arguments, called) = (self.pop()?, self.pop()?);
                let made = made(&called, &arguments);
                self.push(made)
            }
            0x92 => {
                let (_keywords, _arguments, _class) = (self.pop()?, self.pop()?, self.pop()?);
                self.push(Value::Other)
            }
            _ => {
                let state = self.pop()?;
                match self.top()? {
                    Value::Wrapper => self.pass_array(&state),
                    _ => Ok(()),
                }
            }
        }
    }

    fn pass_array(&mut self, state: &Value) -> Taken<()> {
        self.found.has_arrays = true;
        let follows = match state {
            Value::State(state) => state.follows(),
            _ => None,
        };
        match follows.ok_or(Stop::Odd(ENDLESS))? {
            Follows::Pickle => {
                let outer = Outer { nesting: self.outer.nesting + 1, held: self.held() };
                scan_one(self.tape, self.budget, self.found, outer)
            }
            Follows::Bytes { len, is_padded } => {
                if is_padded {
                    let padding = self.tape.byte()?;
                    self.tape.skip(padding.into())?;
                }
                self.tape.skip(len)
            }
        }
    }

    fn text(&mut self, width: usize) -> Taken<Value> {
        let len = self.len(width)?;
        if len > TEXT_LEN_MAX as u64 {
            self.tape.skip(len)?;
            return Ok(Value::Lost);
        }
        let bytes = self.tape.bytes(len as usize)?;
        Ok(std::str::from_utf8(&bytes).map_or(Value::Lost, |text| Value::Text(text.into())))
    }

    /// Goes over bytes whose length stands before them.
    fn passed(&mut self, width: usize) -> Taken<Value> {
        let len = self.len(width)?;
        self.tape.skip(len)?;
        Ok(Value::Other)
    }

    fn len(&mut self, width: usize) -> Taken<u64> {
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(&self.tape.bytes(width)?);
        Ok(u64::from_le_bytes(bytes))
    }

    fn push(&mut self, value: Value) -> Taken<()> {
        self.stack.push(value);
        Ok(())
    }

    fn top(&self) -> Taken<&Value> {
        self.check_mark(self.stack.len().checked_sub(1).ok_or(SENSELESS)?)?;
        self.stack.last().ok_or(SENSELESS)
    }

    fn pop(&mut self) -> Taken<Value> {
        self.check_mark(self.stack.len().checked_sub(1).ok_or(SENSELESS)?)?;
        self.stack.pop().ok_or(SENSELESS)
    }

    /// With nothing above the last mark, the mark goes.
    fn pop_or_mark(&mut self) -> Taken<()> {
        match self.marks.last() {
            Some(mark) if *mark == self.stack.len() => {
                self.marks.pop();
                Ok(())
            }
            _ => self.pop().map(drop),
        }
    }

    /// Nothing below the last mark is for the taking.
    fn check_mark(&self, start: usize) -> Taken<()> {
        if self.marks.last().is_none_or(|mark| *mark <= start) { Ok(()) } else { Err(SENSELESS) }
    }

    fn pop_mark(&mut self) -> Taken<Vec<Value>> {
        let mark = self.marks.pop().ok_or(SENSELESS)?;
        if mark > self.stack.len() {
            return Err(SENSELESS);
        }
        Ok(self.stack.split_off(mark))
    }
}

/// An import is there, but what it is can't be read off.
const UNREADABLE: &str = "something whose name it makes up";

fn joined(module: Option<&[u8]>, name: Option<&[u8]>) -> String {
    let text = |bytes: Option<&[u8]>| bytes.and_then(|bytes| std::str::from_utf8(bytes).ok().map(str::to_owned));
    match (text(module), text(name)) {
        (Some(module), Some(name)) => format!("{module}.{name}"),
        _ => UNREADABLE.to_owned(),
    }
}

/// A number as Python reads it: with a sign, with `_` between digits, with white space around.
fn number(line: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(line).ok()?;
    text.trim().replace('_', "").parse().ok()
}

fn made(called: &Value, arguments: &Value) -> Value {
    let Value::Global(name) = called else { return Value::Other };
    match arguments {
        _ if is_wrapper(name) => Value::Wrapper,
        Value::Tuple(tuple) if &**name == "numpy.dtype" => Value::Dtype(Dtype::named(tuple.text.as_deref())),
        _ => Value::Other,
    }
}

/// Little-endian and signed; only lengths are of interest.
fn long(bytes: &[u8]) -> Value {
    let is_negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    if bytes.len() > 8 || is_negative {
        return Value::Other;
    }
    let mut whole = [0; 8];
    whole[..bytes.len()].copy_from_slice(bytes);
    Value::Int(u64::from_le_bytes(whole))
}
