//! A condition on the values of a record, and how it is written.

use std::fmt;

use crate::condition::{self, Comparison, Condition, word};

/// A condition on the values of a record, as in `limit < 3000 and not inputs.housing = 'own'`.
///
/// Read by [`parse`](super::parse); what it prints reads back as the same.
pub type Filter = Condition<Compare>;

/// A value of a record, and what it must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Compare {
    pub name: Name,
    pub comparison: Comparison,
    pub with: Literal,
}

/// What a value is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// Where it is looked for; without one among outputs, inputs and the record's own columns.
    pub section: Option<Section>,
    pub field: String,
    /// Index into the last dimension.
    pub column: Option<usize>,
}

/// A part of a record that has values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// What the caller sent; `inputs`, or `request` as in declarations.
    Inputs,
    /// What the caller got.
    Outputs,
    /// What the record says of itself, as `latency_us`.
    Record,
    /// What a step gave.
    Step(String),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// Finite. Numbers are compared as doubles, whatever their type.
    Number(f64),
    Text(String),
    Bool(bool),
}

pub const INPUTS: &str = "inputs";
pub const OUTPUTS: &str = "outputs";
pub const RECORD: &str = "record";

impl Filter {
    /// Every name that it asks for, each as often as it does.
    pub fn names(&self) -> Vec<&Name> {
        self.terms().into_iter().map(|term| &term.name).collect()
    }
}

impl fmt::Display for Compare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, comparison, with } = self;
        write!(f, "{name} {} {with}", comparison.as_str())
    }
}

impl fmt::Display for Name {
    /// `limit`, `inputs.limit`, `` `a name` ``, `score.probabilities[1]`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.section {
            None => {}
            Some(Section::Inputs) => write!(f, "{INPUTS}.")?,
            Some(Section::Outputs) => write!(f, "{OUTPUTS}.")?,
            Some(Section::Record) => write!(f, "{RECORD}.")?,
            Some(Section::Step(step)) => {
                word(f, step)?;
                f.write_str(".")?;
            }
        }
        word(f, &self.field)?;
        match self.column {
            Some(column) => write!(f, "[{column}]"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => f.write_str(&condition::number(*number)),
            Self::Text(text) => f.write_str(&condition::quoted(text)),
            Self::Bool(flag) => write!(f, "{flag}"),
        }
    }
}
