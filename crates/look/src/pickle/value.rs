//! What lies on the stack while a pickle is read: only as much of it as tells what is imported, and how long arrays are.

use std::rc::Rc;

use super::array::{ArrayState, Dtype};

/// No value holds another one of any depth, so that nesting is no trouble.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Something that can't be the name of an import.
    Other,
    /// A text that was not kept, or something else that could be a name.
    Lost,
    Int(u64),
    Text(Rc<str>),
    /// `module.name`
    Global(Rc<str>),
    Tuple(Tuple),
    Dtype(Dtype),
    /// joblib's note that an array follows.
    Wrapper,
    /// The dictionary with which such a note is filled.
    State(ArrayState),
}

/// What is kept of a tuple.
#[derive(Debug, Clone)]
pub(super) struct Tuple {
    /// Its first value, if it is a text.
    pub text: Option<Rc<str>>,
    /// Its values multiplied with each other, if all are numbers: the elements of a shape.
    pub product: Option<u64>,
}

impl Value {
    /// Takes in what is set in a note's dictionary; other keys say nothing about length.
    pub fn set_in(&self, state: &mut ArrayState, key: &Self) {
        let Self::Text(key) = key else { return };
        match (&**key, self) {
            ("shape", Self::Tuple(shape)) => state.elements = shape.product,
            ("dtype", Self::Dtype(dtype)) => state.dtype = Some(*dtype),
            ("numpy_array_alignment_bytes", Self::Int(_)) => state.is_aligned = true,
            _ => {}
        }
    }
}

impl Tuple {
    pub fn of(values: &[Value]) -> Self {
        let text = match values.first() {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let product = values.iter().try_fold(1u64, |product, value| match value {
            Value::Int(number) => product.checked_mul(*number),
            _ => None,
        });
        Self { text, product }
    }
}
