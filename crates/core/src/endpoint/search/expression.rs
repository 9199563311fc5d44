//! A condition on the values of a record, and how it is written.

use std::fmt;

/// A condition on the values of a record, as in `limit < 3000 and not inputs.housing = 'own'`.
///
/// Read by [`Filter::parse`]; what it prints reads back as the same.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    Compare {
        name: Name,
        comparison: Comparison,
        with: Literal,
    },
    Not(Box<Filter>),
    /// At least two.
    And(Vec<Filter>),
    /// At least two.
    Or(Vec<Filter>),
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// Finite. Numbers are compared as doubles, whatever their type.
    Number(f64),
    Text(String),
    Bool(bool),
}

/// Words that are no names unless they stand in backticks.
const KEYWORDS: [&str; 5] = ["and", "or", "not", "true", "false"];

pub const INPUTS: &str = "inputs";
pub const OUTPUTS: &str = "outputs";
pub const RECORD: &str = "record";

impl Filter {
    /// Every name that it asks for, each as often as it does.
    pub fn names(&self) -> Vec<&Name> {
        let mut names = Vec::new();
        self.add_names(&mut names);
        names
    }

    fn add_names<'a>(&'a self, names: &mut Vec<&'a Name>) {
        match self {
            Self::Compare { name, .. } => names.push(name),
            Self::Not(inner) => inner.add_names(names),
            Self::And(all) | Self::Or(all) => all.iter().for_each(|one| one.add_names(names)),
        }
    }
}

impl Comparison {
    pub const ALL: [Self; 6] =
        [Self::Equal, Self::NotEqual, Self::Less, Self::LessOrEqual, Self::Greater, Self::GreaterOrEqual];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare { name, comparison, with } => write!(f, "{name} {} {with}", comparison.as_str()),
            Self::Not(inner) => match **inner {
                Self::And(_) | Self::Or(_) => write!(f, "not ({inner})"),
                Self::Compare { .. } | Self::Not(_) => write!(f, "not {inner}"),
            },
            Self::And(all) => joined(f, all, " and ", |one| matches!(one, Self::And(_) | Self::Or(_))),
            Self::Or(all) => joined(f, all, " or ", |one| matches!(one, Self::Or(_))),
        }
    }
}

fn joined(
    f: &mut fmt::Formatter<'_>,
    all: &[Filter],
    word: &str,
    in_parentheses: impl Fn(&Filter) -> bool,
) -> fmt::Result {
    for (at, one) in all.iter().enumerate() {
        if at > 0 {
            f.write_str(word)?;
        }
        match in_parentheses(one) {
            true => write!(f, "({one})")?,
            false => write!(f, "{one}")?,
        }
    }
    Ok(())
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

fn word(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    if is_plain(text) { f.write_str(text) } else { write!(f, "`{}`", text.replace('`', "``")) }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Self::Bool(flag) => write!(f, "{flag}"),
        }
    }
}

/// Whether a word is a name without backticks.
fn is_plain(text: &str) -> bool {
    text.starts_with(begins_name) && text.chars().all(goes_on_name) && !is_keyword(text)
}

pub fn is_keyword(text: &str) -> bool {
    KEYWORDS.iter().any(|keyword| text.eq_ignore_ascii_case(keyword))
}

pub fn begins_name(letter: char) -> bool {
    letter.is_alphabetic() || letter == '_'
}

pub fn goes_on_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '-'
}
