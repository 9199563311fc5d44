//! What a condition is.

use std::fmt;

/// Terms that must hold; what it prints reads back as the same.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition<T> {
    Term(T),
    Not(Box<Self>),
    /// At least two.
    And(Vec<Self>),
    /// At least two.
    Or(Vec<Self>),
}

impl<T> Condition<T> {
    /// Every term in the order in which they are written.
    pub fn terms(&self) -> Vec<&T> {
        let mut terms = Vec::new();
        self.add_terms(&mut terms);
        terms
    }

    fn add_terms<'a>(&'a self, terms: &mut Vec<&'a T>) {
        match self {
            Self::Term(term) => terms.push(term),
            Self::Not(inner) => inner.add_terms(terms),
            Self::And(all) | Self::Or(all) => all.iter().for_each(|one| one.add_terms(terms)),
        }
    }

    /// The same condition of what its terms become.
    pub fn map<U>(self, become_other: &impl Fn(T) -> U) -> Condition<U> {
        let each = |all: Vec<Self>| all.into_iter().map(|one| one.map(become_other)).collect();
        match self {
            Self::Term(term) => Condition::Term(become_other(term)),
            Self::Not(inner) => Condition::Not(Box::new(inner.map(become_other))),
            Self::And(all) => Condition::And(each(all)),
            Self::Or(all) => Condition::Or(each(all)),
        }
    }
}

impl<T: fmt::Display> fmt::Display for Condition<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Term(term) => term.fmt(f),
            Self::Not(inner) => match **inner {
                Self::And(_) | Self::Or(_) => write!(f, "not ({inner})"),
                Self::Term(_) | Self::Not(_) => write!(f, "not {inner}"),
            },
            Self::And(all) => joined(f, all, " and ", |one| matches!(one, Self::And(_) | Self::Or(_))),
            Self::Or(all) => joined(f, all, " or ", |one| matches!(one, Self::Or(_))),
        }
    }
}

fn joined<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    all: &[Condition<T>],
    word: &str,
    in_parentheses: impl Fn(&Condition<T>) -> bool,
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
