//! Reads off a pickle which tensors it would make, without making anything.
//!
//! Opcodes: <https://github.com/python/cpython/blob/3.13/Lib/pickletools.py>. A small machine that knows containers,
//! text, numbers and torch's own words (`_rebuild_tensor_v2` and its kin); all else becomes an opaque value. Nothing is
//! imported or called. Steps, values and names have bounds; what goes beyond them, or is not understood, gives nothing.

use std::{collections::HashMap, rc::Rc};

use crate::{Dtype, PARTS_MAX};

const STEPS_MAX: usize = 2 << 20;
/// Bytes of all names, shapes and strides together.
const FOUND_LEN_MAX: usize = 64 << 20;
const GLOBAL_LEN_MAX: usize = 512;
const NAME_LEN_MAX: usize = 4 << 10;
const DIMENSIONS_MAX: usize = 64;
/// Containers inside of each other that are looked into for tensors.
const DEPTH_MAX: usize = 32;
/// Attributes in which torch's modules keep what they are made of: no part of a tensor's name.
const MODULE_ATTRIBUTES: [&str; 3] = ["_parameters", "_buffers", "_modules"];

/// A tensor and where its elements lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tensor {
    /// The keys that lead to it, joined by dots.
    pub name: String,
    /// Key of the storage.
    pub storage: Rc<str>,
    pub dtype: Dtype,
    /// In elements from the storage's begin, as are the strides.
    pub offset: u64,
    pub shape: Vec<u64>,
    pub stride: Vec<u64>,
}

/// The tensors in the order in which they are found; `None` if the pickle makes no sense.
pub(crate) fn tensors(pickle: &[u8]) -> Option<Vec<Tensor>> {
    let mut machine = Machine { rest: pickle, ..Machine::default() };
    let top = machine.run()?;
    let mut names = Names::new(&machine);
    names.visit(&top, &mut Vec::new())?;
    Some(names.found)
}

#[derive(Debug, Clone)]
enum Value {
    Opaque,
    Int(i64),
    Text(Rc<str>),
    /// `module name`
    Global(Rc<str>),
    /// A place among the machine's tuples: a value holds no other value, so that depth and cycles are no trouble.
    Tuple(usize),
    /// A place among the machine's containers.
    Container(usize),
    Storage(Rc<Storage>),
    Tensor(Rc<Tensor>),
}

#[derive(Debug)]
struct Storage {
    key: Rc<str>,
    /// `None` if it is just bytes and each tensor says its own type.
    dtype: Option<Dtype>,
}

/// What a list (by number), a dictionary or an object holds.
type Container = Vec<(Value, Value)>;

#[derive(Default)]
struct Machine<'p> {
    rest: &'p [u8],
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    containers: Vec<Container>,
    tuples: Vec<Vec<Value>>,
}

impl Machine<'_> {
    fn run(&mut self) -> Option<Value> {
        for _ in 0..STEPS_MAX {
            let opcode = self.byte()?;
            if opcode == b'.' {
                return self.pop();
            }
            self.step(opcode)?;
        }
        None
    }

    fn step(&mut self, opcode: u8) -> Option<()> {
        match opcode {
            0x80 => self.take(1).map(drop),
            0x95 => self.take(8).map(drop),
            b'(' => {
                self.marks.push(self.stack.len());
                Some(())
            }
            b'0' => self.pop().map(drop),
            b'1' => self.pop_mark().map(drop),
            b'2' => {
                let top = self.stack.last()?.clone();
                self.push(top)
            }
            b'g' | b'h' | b'j' | b'p' | b'q' | b'r' | 0x94 => self.remember(opcode),
            b']' | b'}' | 0x8f | b'a' | b'e' | 0x90 | b's' | b'u' | b'l' | b'd' | 0x91 => self.contain(opcode),
            b')' | b't' | 0x85 | 0x86 | 0x87 => self.tuple(opcode),
            b'c' | 0x93 | b'P' | b'Q' | b'R' | b'b' | 0x81 | 0x92 | b'i' | b'o' => self.build(opcode),
            _ => {
                let value = self.literal(opcode)?;
                self.push(value)
            }
        }
    }

    fn literal(&mut self, opcode: u8) -> Option<Value> {
        Some(match opcode {
            b'N' => Value::Opaque,
            0x88 => Value::Int(1),
            0x89 => Value::Int(0),
            b'J' => Value::Int(i32::from_le_bytes(self.take(4)?.try_into().ok()?).into()),
            b'K' => Value::Int(self.byte()?.into()),
            b'M' => Value::Int(u16::from_le_bytes(self.take(2)?.try_into().ok()?).into()),
            0x8a => {
                let len = self.byte()?.into();
                long(self.take(len)?)
            }
            0x8b => {
                let len = self.len(4)?;
                long(self.take(len)?)
            }
            b'I' | b'L' => {
                let line = self.line()?;
                line.trim_end_matches('L').parse().map_or(Value::Opaque, Value::Int)
            }
            b'F' | b'S' | b'V' => {
                self.line()?;
                Value::Opaque
            }
            b'G' => {
                self.take(8)?;
                Value::Opaque
            }
            0x8c => self.text(1)?,
            b'X' => self.text(4)?,
            0x8d => self.text(8)?,
            b'U' | b'C' => self.skip_bytes(1)?,
            b'T' | b'B' => self.skip_bytes(4)?,
            0x8e | 0x96 => self.skip_bytes(8)?,
            _ => return None,
        })
    }

    fn remember(&mut self, opcode: u8) -> Option<()> {
        let key = match opcode {
            b'g' | b'p' => self.line()?.parse().ok()?,
            b'h' | b'q' => self.byte()?.into(),
            0x94 => u32::try_from(self.memo.len()).ok()?,
            _ => u32::from_le_bytes(self.take(4)?.try_into().ok()?),
        };
        if matches!(opcode, b'g' | b'h' | b'j') {
            let value = self.memo.get(&key)?.clone();
            return self.push(value);
        }
        self.memo.insert(key, self.stack.last()?.clone());
        Some(())
    }

    fn contain(&mut self, opcode: u8) -> Option<()> {
        match opcode {
            b']' | b'}' | 0x8f => self.push_container(Vec::new()),
            b'l' | 0x91 => {
                let items = self.pop_mark()?;
                self.push_container(numbered(0, items))
            }
            b'd' => {
                let items = self.pop_mark()?;
                self.push_container(pairs(items)?)
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])
            }
            b'e' | 0x90 => {
                let items = self.pop_mark()?;
                self.append(items)
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.insert(vec![(key, value)])
            }
            _ => {
                let items = self.pop_mark()?;
                self.insert(pairs(items)?)
            }
        }
    }

    fn tuple(&mut self, opcode: u8) -> Option<()> {
        let items = match opcode {
            b')' => Vec::new(),
            b't' => self.pop_mark()?,
            count => {
                let start = self.stack.len().checked_sub(usize::from(count - 0x84))?;
                self.check_mark(start)?;
                self.stack.split_off(start)
            }
        };
        self.tuples.push(items);
        self.push(Value::Tuple(self.tuples.len() - 1))
    }

    /// Where a real unpickler would import and call.
    fn build(&mut self, opcode: u8) -> Option<()> {
        match opcode {
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push_global(&module, &name)
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (module, name) else { return None };
                self.push_global(&module, &name)
            }
            b'P' => {
                self.line()?;
                self.push(Value::Opaque)
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(&id);
                self.push(storage.map_or(Value::Opaque, |storage| Value::Storage(storage.into())))
            }
            b'R' => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                self.call(&function, &arguments)
            }
            b'b' => {
                let state = self.pop()?;
                self.set_state(state)
            }
            0x92 => {
                self.pop()?;
                self.new_object()
            }
            0x81 => self.new_object(),
            b'i' => {
                self.line()?;
                self.line()?;
                self.pop_mark()?;
                self.push_container(Vec::new())
            }
            _ => {
                self.pop_mark()?;
                self.push_container(Vec::new())
            }
        }
    }

    /// An object of any class: its state, which may come later, is what it holds.
    fn new_object(&mut self) -> Option<()> {
        let (_arguments, _class) = (self.pop()?, self.pop()?);
        self.push_container(Vec::new())
    }

    fn call(&mut self, function: &Value, arguments: &Value) -> Option<()> {
        let Value::Global(name) = function else {
            return self.push_container(Vec::new());
        };
        match (&**name, self.items(arguments)?) {
            (
                "torch._utils _rebuild_tensor" | "torch._utils _rebuild_tensor_v2" | "torch._utils _rebuild_tensor_v3",
                items,
            ) => {
                let made = self.tensor(items).map_or(Value::Opaque, |tensor| Value::Tensor(tensor.into()));
                self.push(made)
            }
            ("torch._utils _rebuild_parameter" | "torch._utils _rebuild_parameter_with_state", [inner, ..]) => {
                self.push(inner.clone())
            }
            // calls another one, but not itself
            ("torch._tensor _rebuild_from_type_v2", [function, _, arguments, ..]) => {
                let (function, arguments) = (function.clone(), arguments.clone());
                match &function {
                    Value::Global(inner) if inner != name => self.call(&function, &arguments),
                    _ => self.push(Value::Opaque),
                }
            }
            _ => self.push_container(Vec::new()),
        }
    }

    /// A persistent id: `('storage', type, key, device, elements)`.
    fn storage(&self, id: &Value) -> Option<Storage> {
        match self.items(id)? {
            [Value::Text(word), Value::Global(class), Value::Text(key), ..] if &**word == "storage" => {
                Some(Storage { key: key.clone(), dtype: storage_dtype(class) })
            }
            _ => None,
        }
    }

    /// `(storage, offset, shape, stride, requires_grad, hooks[, dtype])`
    fn tensor(&self, arguments: &[Value]) -> Option<Tensor> {
        let [Value::Storage(storage), offset, shape, stride, more @ ..] = arguments else { return None };
        let own = more.iter().find_map(|argument| match argument {
            Value::Global(name) => tensor_dtype(name),
            _ => None,
        });
        Some(Tensor {
            name: String::new(),
            storage: storage.key.clone(),
            dtype: own.or(storage.dtype)?,
            offset: count(offset)?,
            shape: self.counts(shape)?,
            stride: self.counts(stride)?,
        })
    }

    fn counts(&self, value: &Value) -> Option<Vec<u64>> {
        let items = self.items(value).filter(|items| items.len() <= DIMENSIONS_MAX)?;
        items.iter().map(count).collect()
    }

    fn items(&self, value: &Value) -> Option<&[Value]> {
        match value {
            Value::Tuple(at) => self.tuples.get(*at).map(Vec::as_slice),
            _ => None,
        }
    }

    fn set_state(&mut self, state: Value) -> Option<()> {
        // a pair: the dictionary, and the slots
        let state = match self.items(&state) {
            Some(pair) => pair.first().cloned(),
            None => Some(state),
        };
        let (Some(&Value::Container(object)), Some(Value::Container(state))) = (self.stack.last(), state) else {
            return Some(());
        };
        // by reference, not copied: a state that is set twice must not double
        self.containers[object].push((Value::Opaque, Value::Container(state)));
        Some(())
    }

    fn append(&mut self, items: Vec<Value>) -> Option<()> {
        let container = self.top_container()?;
        let start = container.len();
        container.extend(numbered(start, items));
        Some(())
    }

    fn insert(&mut self, items: Container) -> Option<()> {
        self.top_container()?.extend(items);
        Some(())
    }

    fn top_container(&mut self) -> Option<&mut Container> {
        match self.stack.last()? {
            Value::Container(at) => self.containers.get_mut(*at),
            _ => None,
        }
    }

    fn push_container(&mut self, container: Container) -> Option<()> {
        self.containers.push(container);
        self.push(Value::Container(self.containers.len() - 1))
    }

    fn push_global(&mut self, module: &str, name: &str) -> Option<()> {
        let is_short = module.len() + name.len() <= GLOBAL_LEN_MAX;
        self.push(if is_short { Value::Global(format!("{module} {name}").into()) } else { Value::Opaque })
    }

    fn push(&mut self, value: Value) -> Option<()> {
        self.stack.push(value);
        Some(())
    }

    fn pop(&mut self) -> Option<Value> {
        self.check_mark(self.stack.len().checked_sub(1)?)?;
        self.stack.pop()
    }

    /// Nothing below the last mark is for the taking.
    fn check_mark(&self, start: usize) -> Option<()> {
        self.marks.last().is_none_or(|mark| *mark <= start).then_some(())
    }

    fn pop_mark(&mut self) -> Option<Vec<Value>> {
        let mark = self.marks.pop()?;
        (mark <= self.stack.len()).then(|| self.stack.split_off(mark))
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn take(&mut self, len: usize) -> Option<&[u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    fn len(&mut self, width: usize) -> Option<usize> {
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(self.take(width)?);
        usize::try_from(u64::from_le_bytes(bytes)).ok()
    }

    fn text(&mut self, width: usize) -> Option<Value> {
        let len = self.len(width)?;
        std::str::from_utf8(self.take(len)?).ok().map(|text| Value::Text(text.into()))
    }

    fn skip_bytes(&mut self, width: usize) -> Option<Value> {
        let len = self.len(width)?;
        self.take(len)?;
        Some(Value::Opaque)
    }

    fn line(&mut self) -> Option<String> {
        let end = self.rest.iter().position(|byte| *byte == b'\n')?;
        let line = self.take(end + 1)?;
        String::from_utf8(line[..end].to_vec()).ok()
    }
}

fn numbered(start: usize, items: Vec<Value>) -> Container {
    let numbers = (start..).map(|number| Value::Int(i64::try_from(number).unwrap_or(i64::MAX)));
    numbers.zip(items).collect()
}

fn pairs(items: Vec<Value>) -> Option<Container> {
    let mut items = items.into_iter();
    let mut pairs = Vec::with_capacity(items.len() / 2);
    while let Some(key) = items.next() {
        pairs.push((key, items.next()?));
    }
    Some(pairs)
}

/// Two's complement, lowest byte first.
fn long(bytes: &[u8]) -> Value {
    if bytes.len() > 8 {
        return Value::Opaque;
    }
    let is_negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
    let mut all = [if is_negative { 0xff } else { 0 }; 8];
    all[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(all))
}

fn count(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

fn storage_dtype(class: &str) -> Option<Dtype> {
    Some(match class.strip_prefix("torch ")?.strip_suffix("Storage")? {
        "Bool" => Dtype::Bool,
        "Byte" => Dtype::U8,
        "Char" => Dtype::I8,
        "Short" => Dtype::I16,
        "Int" => Dtype::I32,
        "Long" => Dtype::I64,
        "Half" => Dtype::F16,
        "BFloat16" => Dtype::Bf16,
        "Float" => Dtype::F32,
        "Double" => Dtype::F64,
        _ => return None,
    })
}

fn tensor_dtype(name: &str) -> Option<Dtype> {
    Some(match name.strip_prefix("torch ")? {
        "bool" => Dtype::Bool,
        "uint8" => Dtype::U8,
        "int8" => Dtype::I8,
        "uint16" => Dtype::U16,
        "int16" => Dtype::I16,
        "uint32" => Dtype::U32,
        "int32" => Dtype::I32,
        "uint64" => Dtype::U64,
        "int64" => Dtype::I64,
        "float8_e4m3fn" => Dtype::F8E4M3,
        "float8_e5m2" => Dtype::F8E5M2,
        "float16" => Dtype::F16,
        "bfloat16" => Dtype::Bf16,
        "float32" => Dtype::F32,
        "float64" => Dtype::F64,
        _ => return None,
    })
}

/// Walks from the top value to all tensors. Each container is entered once, however many ways lead to it.
struct Names<'m> {
    machine: &'m Machine<'m>,
    seen_containers: Vec<bool>,
    seen_tuples: Vec<bool>,
    found: Vec<Tensor>,
    found_len: usize,
}

impl<'m> Names<'m> {
    fn new(machine: &'m Machine<'m>) -> Self {
        let seen_containers = vec![false; machine.containers.len()];
        let seen_tuples = vec![false; machine.tuples.len()];
        Self { machine, seen_containers, seen_tuples, found: Vec::new(), found_len: 0 }
    }

    fn visit(&mut self, value: &Value, path: &mut Vec<Key<'m>>) -> Option<()> {
        let machine = self.machine;
        match value {
            _ if path.len() > DEPTH_MAX => Some(()),
            Value::Tensor(tensor) => self.add(tensor, path),
            Value::Container(at) if !std::mem::replace(self.seen_containers.get_mut(*at)?, true) => {
                machine.containers[*at].iter().try_for_each(|(key, value)| self.visit_item(Key::of(key), value, path))
            }
            Value::Tuple(at) if !std::mem::replace(self.seen_tuples.get_mut(*at)?, true) => {
                let mut numbered = (0..).map(Key::Number).zip(&machine.tuples[*at]);
                numbered.try_for_each(|(key, item)| self.visit_item(key, item, path))
            }
            _ => Some(()),
        }
    }

    fn visit_item(&mut self, key: Key<'m>, value: &Value, path: &mut Vec<Key<'m>>) -> Option<()> {
        path.push(key);
        self.visit(value, path)?;
        path.pop();
        Some(())
    }

    fn add(&mut self, tensor: &Tensor, path: &[Key<'_>]) -> Option<()> {
        let name_len: usize = path.iter().map(Key::len).sum();
        self.found_len += name_len + 8 * (tensor.shape.len() + tensor.stride.len());
        if name_len > NAME_LEN_MAX || self.found_len > FOUND_LEN_MAX || self.found.len() == PARTS_MAX {
            return None;
        }
        let name = path.iter().filter_map(Key::text).collect::<Vec<_>>().join(".");
        self.found.push(Tensor { name, ..tensor.clone() });
        Some(())
    }
}

/// One step of the way to a tensor.
enum Key<'m> {
    Text(&'m str),
    Number(i64),
    Nameless,
}

impl<'m> Key<'m> {
    fn of(value: &'m Value) -> Self {
        match value {
            Value::Text(text) if !MODULE_ATTRIBUTES.contains(&&**text) => Self::Text(text),
            Value::Int(number) => Self::Number(*number),
            _ => Self::Nameless,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len() + 1,
            Self::Number(_) => 21,
            Self::Nameless => 0,
        }
    }

    fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some((*text).to_owned()),
            Self::Number(number) => Some(number.to_string()),
            Self::Nameless => None,
        }
    }
}
