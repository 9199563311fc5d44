//! What a pickle would import, read off its opcodes. Nothing is imported, called or made.
//!
//! Opcodes: <https://github.com/python/cpython/blob/3.13/Lib/pickletools.py>. Every import is an opcode of its own, so
//! the list is complete if the pickle was followed to its end. Only between the parts of joblib's files lie bytes that
//! are no opcodes: how many is told by what the pickle has just made (`pickle/array`).

mod array;
mod harmless;
mod machine;
mod value;

pub(crate) use self::{
    harmless::{is_harmless, is_refused},
    machine::{Scanned, scan},
};
