//! The data contract of a model: the names, types and shapes of what goes in and what comes out.

use std::{collections::HashSet, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Problem;

const FIELDS_MAX: usize = 10_000;
const NAME_LEN_MAX: usize = 256;
const DIMENSIONS_MAX: usize = 32;

/// Element types, spelled as the Open Inference Protocol spells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Datatype {
    Bool,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Int8,
    Int16,
    Int32,
    Int64,
    Fp16,
    Fp32,
    Fp64,
    /// Strings, in JSON as UTF-8.
    Bytes,
}

impl Datatype {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "BOOL",
            Self::Uint8 => "UINT8",
            Self::Uint16 => "UINT16",
            Self::Uint32 => "UINT32",
            Self::Uint64 => "UINT64",
            Self::Int8 => "INT8",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Fp16 => "FP16",
            Self::Fp32 => "FP32",
            Self::Fp64 => "FP64",
            Self::Bytes => "BYTES",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        const ALL: [Datatype; 13] = [
            Datatype::Bool,
            Datatype::Uint8,
            Datatype::Uint16,
            Datatype::Uint32,
            Datatype::Uint64,
            Datatype::Int8,
            Datatype::Int16,
            Datatype::Int32,
            Datatype::Int64,
            Datatype::Fp16,
            Datatype::Fp32,
            Datatype::Fp64,
            Datatype::Bytes,
        ];
        ALL.into_iter().find(|datatype| datatype.as_str() == text)
    }
}

impl fmt::Display for Datatype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One named tensor of a contract; `-1` in the shape stands for any size.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Field {
    pub name: String,
    pub datatype: Datatype,
    pub shape: Vec<i64>,
    /// A caller may leave an optional input out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}{:?}", self.name, self.datatype, self.shape)
    }
}

/// What a model takes and gives.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub struct Signature {
    pub inputs: Vec<Field>,
    pub outputs: Vec<Field>,
}

/// Where a version's contract is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Contract {
    /// Its content states it: an ONNX graph, an `MLmodel`.
    #[default]
    Content,
    /// Whoever registered it said so: `[model.<name>.signature]` or `--signature`.
    Declared,
    /// Nobody said; its signature is empty, and that means nothing.
    Unknown,
}

/// One way in which a contract broke, or merely grew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContractChange {
    /// Existing callers break.
    pub breaking: bool,
    /// For people: "input `age` removed".
    pub what: String,
}

impl Signature {
    /// Refuses what no contract can be: names that are missing, doubled or can't be read, and sizes that there are not.
    pub fn check(&self) -> Result<(), Problem> {
        if self.inputs.is_empty() {
            return Err(Problem::invalid("a signature needs at least one input"));
        }
        for (role, fields) in [("input", &self.inputs), ("output", &self.outputs)] {
            if fields.len() > FIELDS_MAX {
                let message = format!("a signature has {} {role}s, at most {FIELDS_MAX} are taken", fields.len());
                return Err(Problem::invalid(message));
            }
            let mut names = HashSet::new();
            for field in fields {
                check_field(role, field)?;
                if !names.insert(&field.name) {
                    return Err(Problem::invalid(format!("the signature has two {role}s `{}`", field.name)));
                }
            }
        }
        Ok(())
    }

    /// Lists how `new` differs from `self` for somebody who calls or reads by name.
    ///
    /// Order does not count. A removed, renamed, retyped, reshaped or newly required input breaks callers, and so does
    /// a removed or changed output; a new optional input and an added output do not.
    pub fn changes_to(&self, new: &Signature) -> Vec<ContractChange> {
        let mut changes = Vec::new();
        for old in &self.inputs {
            match new.inputs.iter().find(|field| field.name == old.name) {
                None => changes.push(breaking(format!("input `{}` removed", old.name))),
                Some(now) => changes.extend(field_change("input", old, now)),
            }
        }
        for now in &new.inputs {
            if !self.inputs.iter().any(|field| field.name == now.name) {
                let required = if now.optional { "optional" } else { "required" };
                changes.push(ContractChange {
                    breaking: !now.optional,
                    what: format!("{required} input `{}` added", now.name),
                });
            }
        }
        for old in &self.outputs {
            match new.outputs.iter().find(|field| field.name == old.name) {
                None => changes.push(breaking(format!("output `{}` removed", old.name))),
                Some(now) => changes.extend(field_change("output", old, now)),
            }
        }
        for now in &new.outputs {
            if !self.outputs.iter().any(|field| field.name == now.name) {
                changes.push(ContractChange { breaking: false, what: format!("output `{}` added", now.name) });
            }
        }
        changes
    }
}

fn check_field(role: &str, field: &Field) -> Result<(), Problem> {
    let Field { name, shape, .. } = field;
    if name.is_empty() || name.len() > NAME_LEN_MAX || name.chars().any(char::is_control) {
        let message = format!("`{}` can't be the name of an {role}", name.escape_debug());
        return Err(Problem::invalid(message).hint(format!("1 to {NAME_LEN_MAX} bytes that can be read")));
    }
    if shape.len() > DIMENSIONS_MAX || shape.iter().any(|side| *side < -1) {
        return Err(Problem::invalid(format!("{role} `{name}` can't have the shape {shape:?}"))
            .hint(format!("up to {DIMENSIONS_MAX} sides, with -1 for any size")));
    }
    Ok(())
}

fn breaking(what: String) -> ContractChange {
    ContractChange { breaking: true, what }
}

fn field_change(role: &str, old: &Field, now: &Field) -> Option<ContractChange> {
    if old.datatype != now.datatype {
        let what = format!("{role} `{}` changed from {} to {}", old.name, old.datatype, now.datatype);
        return Some(breaking(what));
    }
    if old.shape != now.shape {
        let what = format!("{role} `{}` changed shape from {:?} to {:?}", old.name, old.shape, now.shape);
        return Some(breaking(what));
    }
    if old.optional && !now.optional {
        return Some(breaking(format!("{role} `{}` is now required", old.name)));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, datatype: Datatype) -> Field {
        Field { name: name.into(), datatype, shape: vec![-1, 1], optional: false }
    }

    fn signature(inputs: Vec<Field>) -> Signature {
        Signature { inputs, outputs: vec![field("p", Datatype::Fp32)] }
    }

    fn check(old: Vec<Field>, new: Vec<Field>, expected: &[(bool, &str)]) {
        let changes = signature(old).changes_to(&signature(new));
        let found: Vec<(bool, &str)> = changes.iter().map(|c| (c.breaking, c.what.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn reordered_inputs_are_the_same_contract() {
        let (a, b) = (field("a", Datatype::Fp32), field("b", Datatype::Bytes));
        check(vec![a.clone(), b.clone()], vec![b, a], &[]);
    }

    #[test]
    fn what_breaks_callers_is_named() {
        let (a, b) = (field("a", Datatype::Fp32), field("b", Datatype::Fp32));
        check(vec![a.clone(), b.clone()], vec![a.clone()], &[(true, "input `b` removed")]);
        check(vec![a.clone()], vec![a.clone(), b.clone()], &[(true, "required input `b` added")]);
        let optional = Field { optional: true, ..b.clone() };
        check(vec![a.clone()], vec![a.clone(), optional], &[(false, "optional input `b` added")]);
        check(vec![b], vec![field("b", Datatype::Int64)], &[(true, "input `b` changed from FP32 to INT64")]);
    }

    #[test]
    fn what_can_be_no_contract_is_refused() {
        let problem = |fields: Vec<Field>| signature(fields).check().unwrap_err().message;
        let good = || field("a", Datatype::Fp32);
        assert!(signature(vec![good()]).check().is_ok());
        assert_eq!(problem(vec![]), "a signature needs at least one input");
        assert_eq!(problem(vec![good(), good()]), "the signature has two inputs `a`");
        assert_eq!(problem(vec![field("a\n", Datatype::Fp32)]), "`a\\n` can't be the name of an input");
        let negative = Field { shape: vec![-2], ..good() };
        assert_eq!(problem(vec![negative]), "input `a` can't have the shape [-2]");
    }

    #[test]
    fn datatype_names_round_trip() {
        for name in ["BOOL", "UINT8", "INT64", "FP16", "FP32", "FP64", "BYTES"] {
            assert_eq!(Datatype::parse(name).unwrap().as_str(), name);
        }
        assert_eq!(serde_json::to_string(&Datatype::Uint16).unwrap(), "\"UINT16\"");
    }
}
