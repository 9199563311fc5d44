//! What a query is, and how it is written.

use std::fmt;

use super::field::{Field, Section};
use crate::{
    condition::{self, Comparison, Condition},
    meaning::Aspect,
    name::DatasetName,
    written_time::WrittenTime,
};

/// What must hold of a thing, as in `auc > 0.8 and stage = production and not has gate:equal-by-sex`.
///
/// Read by [`parse`](super::parse); what it prints reads back as the same.
pub type Query = Condition<Term>;

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// What is not there compares with nothing: then this does not hold, also with `!=`.
    Compare { key: Key, is: Operator },
    /// There is one of this name; of a gate, its newest verdict is that it passed.
    Has { section: Section, name: String },
    /// This is said of it, or of its model.
    Said(Aspect),
    /// The contract has this input; of a run, it read this file.
    Input(String),
    /// The contract has this output; of a run, it wrote this file.
    Output(String),
    /// The run that made it, or the run itself, read this dataset, or something that was made from it; without a number any
    /// version of it.
    TrainedOn { dataset: DatasetName, number: Option<u32> },
    /// The environment of the run has this package, in this version if one is named.
    Package { name: String, version: Option<String> },
    /// Each of these words begins a word of its name, of what is said of it, or of a reason that somebody gave.
    Text(Vec<String>),
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    Field(Field),
    Of(Section, String),
    /// A metric or a parameter, whichever has this name.
    Named(String),
}

/// With what, and how.
#[derive(Debug, Clone, PartialEq)]
pub enum Operator {
    Number(Comparison, f64),
    Text(TextOperator, String),
    Time(Comparison, WrittenTime),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextOperator {
    Equal,
    NotEqual,
    /// A pattern: `%` stands for any text, `_` for one letter.
    Like,
    /// The same, whether letters of ASCII are upper or lower case.
    ILike,
}

/// A value as it was written behind an operator.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Number(f64),
    Text(String),
    Time(WrittenTime),
}

impl TextOperator {
    pub const ALL: [Self; 4] = [Self::Equal, Self::NotEqual, Self::Like, Self::ILike];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Like => "like",
            Self::ILike => "ilike",
        }
    }
}

/// Words that are no names here unless they stand in backticks, besides those that never are.
pub const KEYWORDS: [&str; 4] = ["has", "like", "ilike", "in"];

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare { key, is } => write!(f, "{key} {is}"),
            Self::Has { section, name } => write!(f, "has {}", labelled(section.one(), name)),
            Self::Said(aspect) => write!(f, "has {aspect}"),
            Self::Input(name) => f.write_str(&labelled("input", name)),
            Self::Output(name) => f.write_str(&labelled("output", name)),
            Self::TrainedOn { dataset, number: None } => f.write_str(&labelled("trained_on", dataset.as_str())),
            Self::TrainedOn { dataset, number: Some(number) } => {
                f.write_str(&labelled("trained_on", &format!("{dataset}@{number}")))
            }
            Self::Package { name, version: None } => f.write_str(&labelled("package", name)),
            Self::Package { name, version: Some(version) } => {
                f.write_str(&labelled("package", &format!("{name}=={version}")))
            }
            Self::Text(words) => f.write_str(&condition::quoted(&words.join(" "))),
        }
    }
}

/// A label with what it is about; in quotes unless it is plain.
fn labelled(label: &str, about: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_.@=/+".contains(letter);
    match about.chars().all(is_plain) {
        true => format!("{label}:{about}"),
        false => format!("{label}:{}", condition::quoted(about)),
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => f.write_str(field.as_str()),
            Self::Of(section, name) => {
                write!(f, "{}.", section.as_str())?;
                word(f, name)
            }
            // as a field it would be something else
            Self::Named(name) if Field::parse(name).is_some() => write!(f, "`{name}`"),
            Self::Named(name) => word(f, name),
        }
    }
}

fn word(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    match KEYWORDS.iter().any(|keyword| name.eq_ignore_ascii_case(keyword)) {
        true => write!(f, "`{name}`"),
        false => condition::word(f, name),
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(comparison, number) => write!(f, "{} {}", comparison.as_str(), condition::number(*number)),
            Self::Text(operator, text) => write!(f, "{} {}", operator.as_str(), condition::quoted(text)),
            Self::Time(comparison, WrittenTime::Day(day)) => {
                let text = day.to_string();
                let date = text.split_once('T').map_or(text.as_str(), |(date, _)| date);
                write!(f, "{} '{date}'", comparison.as_str())
            }
            Self::Time(comparison, WrittenTime::Moment(time)) => write!(f, "{} '{time}'", comparison.as_str()),
        }
    }
}
