//! When two cells say the same.

use std::{collections::hash_map::DefaultHasher, hash::Hasher as _};

use crate::{cell::Cell, number::Number, time::Time};

/// By which rule cells are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sameness {
    /// As they are written, without spaces around them: `007` is not `7`, and `1.0` not `1`.
    Text,
    /// Numbers as numbers, exactly (`1` and `1.0`, but not `007`, which is a text); times as moments; `true`, `True` and
    /// `TRUE`; nothing is nothing, however it is said (no value, an empty text, NaN).
    Value,
    /// As values, but numbers with a fraction as far as 32-bit floats hold them, which many programs compute with; and
    /// true and false as 1 and 0.
    Rounded,
    /// As rounded, whole numbers too: what was held in 32-bit floats has no more digits.
    Single,
}

impl Sameness {
    const fn is_rounded(self) -> bool {
        matches!(self, Self::Rounded | Self::Single)
    }
}

/// A 128-bit hash of some cells; the same cells have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub u128);

impl Key {
    pub fn of<'c>(cells: impl IntoIterator<Item = Cell<'c>>, sameness: Sameness) -> Self {
        Self::of_each(cells.into_iter().map(|cell| (cell, sameness)))
    }

    /// Of cells that are compared in different ways.
    pub fn of_each<'c>(cells: impl IntoIterator<Item = (Cell<'c>, Sameness)>) -> Self {
        let mut hash = Hash::new();
        for (cell, sameness) in cells {
            cell.hash_into(sameness, &mut hash);
        }
        hash.finish()
    }
}

impl Cell<'_> {
    /// What is nothing as a value.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.trim().is_empty(),
            Self::Float32(value) => value.is_nan(),
            Self::Float(value) => value.is_nan(),
            _ => false,
        }
    }

    fn hash_into(&self, sameness: Sameness, hash: &mut Hash) {
        if sameness == Sameness::Text {
            return hash.add(b't', self.text().trim().as_bytes());
        }
        if self.is_missing() {
            return hash.add(b'0', b"");
        }
        if let Some(number) = self.number() {
            return hash_number(&number, sameness, hash);
        }
        match self.bool() {
            Some(value) if sameness.is_rounded() => {
                return hash_number(&Number::Whole(value.into()), sameness, hash);
            }
            Some(value) => return hash.add(b'b', &[value.into()]),
            None => {}
        }
        if let Some(nanos) = self.time().and_then(|time| time.nanos()) {
            return hash.add(b'm', &nanos.to_le_bytes());
        }
        match self {
            Self::List(list) => {
                hash.add(b'[', b"");
                (0..list.len()).for_each(|at| Cell::at(list, at).hash_into(sameness, hash));
                hash.add(b']', b"");
            }
            Self::Text(text) if sameness.is_rounded() && matches!(text.trim(), "nan" | "NaN" | "NAN") => {
                hash.add(b'0', b"");
            }
            cell => hash.add(b't', cell.text().trim().as_bytes()),
        }
    }

    fn bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Text(text) => match text.trim() {
                "true" | "True" | "TRUE" => Some(true),
                "false" | "False" | "FALSE" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    fn time(&self) -> Option<Time> {
        match self {
            Self::Time(time) => Some(*time),
            Self::Text(text) => Time::parse(text),
            _ => None,
        }
    }
}

fn hash_number(number: &Number, sameness: Sameness, hash: &mut Hash) {
    match number {
        Number::Whole(value) if sameness != Sameness::Single => hash.add(b'n', &value.to_le_bytes()),
        Number::Other { is_negative, digits, exponent } if !sameness.is_rounded() => {
            hash.add(b'd', &[u8::from(*is_negative)]);
            hash.add(b'd', digits.as_bytes());
            hash.add(b'd', &exponent.to_le_bytes());
        }
        number => hash_single(number.to_f64(), hash),
    }
}

/// A whole float is the whole number, as fine fractions are lost in it.
#[expect(clippy::cast_possible_truncation, reason = "that is the rule")]
fn hash_single(value: f64, hash: &mut Hash) {
    let single = value as f32;
    if single.is_finite() && single.fract() == 0.0 && single.abs() < 1e38 {
        return hash.add(b'n', &(single as i128).to_le_bytes());
    }
    hash.add(b'f', &single.to_bits().to_le_bytes());
}

/// Two hashes of the same bytes, which together are not met twice by chance.
struct Hash(DefaultHasher, DefaultHasher);

impl Hash {
    fn new() -> Self {
        let mut high = DefaultHasher::new();
        high.write_u8(1);
        Self(DefaultHasher::new(), high)
    }

    fn add(&mut self, kind: u8, bytes: &[u8]) {
        for hasher in [&mut self.0, &mut self.1] {
            hasher.write_u8(kind);
            hasher.write_usize(bytes.len());
            hasher.write(bytes);
        }
    }

    fn finish(&self) -> Key {
        Key(u128::from(self.0.finish()) << 64 | u128::from(self.1.finish()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(one: Cell<'_>, other: Cell<'_>, same_as: &[Sameness]) {
        for sameness in [Sameness::Text, Sameness::Value, Sameness::Rounded, Sameness::Single] {
            let same = Key::of([one.clone()], sameness) == Key::of([other.clone()], sameness);
            assert_eq!(same, same_as.contains(&sameness), "{one:?} {other:?} {sameness:?}");
        }
    }

    #[test]
    fn cells_are_the_same_by_rule() {
        use Sameness::{Rounded, Single, Text, Value};
        check(Cell::Text("1"), Cell::Text("1.0"), &[Value, Rounded, Single]);
        check(Cell::Text("1"), Cell::Int(1), &[Text, Value, Rounded, Single]);
        check(Cell::Float(1.0), Cell::Uint(1), &[Value, Rounded, Single]);
        check(Cell::Text("01067"), Cell::Text("1067"), &[]);
        check(Cell::Text("1e5"), Cell::Text("100000"), &[Value, Rounded, Single]);
        check(Cell::Int(9_007_199_254_740_993), Cell::Int(9_007_199_254_740_992), &[Single]);
        check(Cell::Text("9007199254740993"), Cell::Text("9007199254740992"), &[Single]);
        check(Cell::Text("16777217"), Cell::Float32(16_777_216.0), &[Single]);
        check(Cell::Uint(u64::MAX), Cell::Text("18446744073709551615"), &[Text, Value, Rounded, Single]);
        check(Cell::Text("0.1234567891"), Cell::Float32(0.123_456_79), &[Rounded, Single]);
        check(Cell::Text("0.1"), Cell::Float32(0.1), &[Text, Value, Rounded, Single]);
        check(Cell::Text("0.1"), Cell::Text("0.2"), &[]);
        check(Cell::Bool(true), Cell::Text("True"), &[Value, Rounded, Single]);
        check(Cell::Bool(true), Cell::Int(1), &[Rounded, Single]);
        check(Cell::Null, Cell::Text(" "), &[Text, Value, Rounded, Single]);
        check(Cell::Float(f64::NAN), Cell::Null, &[Value, Rounded, Single]);
        check(Cell::Text("NaN"), Cell::Null, &[Rounded, Single]);
        check(Cell::Time(Time::Date(19_783)), Cell::Text("2024-03-01 00:00:00"), &[Value, Rounded, Single]);
        check(Cell::Text(" a"), Cell::Text("a"), &[Text, Value, Rounded, Single]);
        check(Cell::Text("a"), Cell::Text("A"), &[]);
    }

    #[test]
    fn cells_do_not_run_together() {
        let key = |cells: [&'static str; 2]| Key::of(cells.map(Cell::Text), Sameness::Value);
        assert_ne!(key(["ab", "c"]), key(["a", "bc"]));
        assert_ne!(key(["a", "b"]), key(["b", "a"]));
    }
}
