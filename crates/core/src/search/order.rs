//! In which order things are listed.

use std::fmt;

use super::{
    field::{Field, Realm, Section},
    parse::{RULES, key},
    query::Key,
};
use crate::{
    Problem,
    condition::{ConditionError, Reader},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Ascending,
    Descending,
}

/// By what things are listed; those that lack it come last, and of equals the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub by: Key,
    pub direction: Direction,
}

impl Default for Order {
    /// The newest first.
    fn default() -> Self {
        Self { by: Key::Field(Field::Registered), direction: Direction::Descending }
    }
}

impl Order {
    /// Reads `auc desc`, `name`, `params.lr asc`.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        let mut reader = Reader::new(text, &RULES)?;
        let by = key(&mut reader)?;
        let direction = match reader.take_keyword("desc") {
            true => Direction::Descending,
            false => {
                reader.take_keyword("asc");
                Direction::Ascending
            }
        };
        match reader.peek() {
            None => Ok(Self { by, direction }),
            Some(_) => Err(reader.expected("expected `asc`, `desc` or the end")),
        }
    }

    /// Refuses what nothing can be ordered by.
    pub fn check(&self, realm: Realm) -> Result<(), Problem> {
        let (is_there, is_one) = match &self.by {
            Key::Field(field) => (field.is_in(realm), *field != Field::Alias && field.aspect().is_none()),
            Key::Of(section, _) => (section.is_in(realm), !matches!(section, Section::Gates | Section::Tags)),
            Key::Named(_) => (Section::Metrics.is_in(realm), true),
        };
        match (is_there, is_one) {
            (true, true) => Ok(()),
            (false, _) => Err(Problem::invalid(format!("{} have no `{}` to be ordered by", realm.as_str(), self.by))),
            (true, false) => Err(Problem::invalid(format!("nothing can be ordered by `{}`", self.by))
                .hint("by `registered`, `name`, `stage`, a metric or a parameter it can")),
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = match self.direction {
            Direction::Ascending => "asc",
            Direction::Descending => "desc",
        };
        write!(f, "{} {direction}", self.by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_a_key_and_a_direction() {
        let read = |text: &str| Order::parse(text).map(|order| order.to_string());
        assert_eq!(read("auc desc").unwrap(), "auc desc");
        assert_eq!(read("metrics.auc").unwrap(), "metrics.auc asc");
        assert_eq!(read("time DESC").unwrap(), "registered desc");
        assert!(read("auc down").unwrap_err().to_string().contains("column 5, at `down`: expected `asc`"));
        assert!(read("").is_err());
    }

    #[test]
    fn what_things_lack_orders_nothing() {
        let refused = |text: &str, realm| Order::parse(text).unwrap().check(realm).unwrap_err().message;
        assert_eq!(refused("stage", Realm::Runs), "runs have no `stage` to be ordered by");
        assert_eq!(refused("auc", Realm::Datasets), "datasets have no `auc` to be ordered by");
        assert_eq!(refused("alias", Realm::Versions), "nothing can be ordered by `alias`");
        assert!(Order::parse("status desc").unwrap().check(Realm::Runs).is_ok());
    }
}
