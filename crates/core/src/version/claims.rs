//! What whoever registers a version says about it, and nobody saw.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Problem, name::check_shown};

const ENTRIES_MAX: usize = 1000;
const NAME_LEN_MAX: usize = 256;
const VALUE_LEN_MAX: usize = 4096;

/// Parameters and metrics of a model that was made where nothing was captured. They decide nothing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Claims {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
}

impl Claims {
    pub fn is_empty(&self) -> bool {
        self.params.is_empty() && self.metrics.is_empty()
    }

    /// Refuses what can't be kept or shown.
    pub fn check(&self) -> Result<(), Problem> {
        for (what, count) in [("params", self.params.len()), ("metrics", self.metrics.len())] {
            if count > ENTRIES_MAX {
                let message = format!("{count} {what} are declared, at most {ENTRIES_MAX} are taken");
                return Err(Problem::invalid(message));
            }
        }
        for name in self.params.keys().chain(self.metrics.keys()) {
            check_name(name)?;
        }
        for (name, value) in &self.params {
            if value.len() > VALUE_LEN_MAX || value.chars().any(char::is_control) {
                let message = format!("the value of `{name}` is longer than {VALUE_LEN_MAX} bytes or can't be shown");
                return Err(Problem::invalid(message));
            }
        }
        match self.metrics.iter().find(|(_, value)| !value.is_finite()) {
            Some((name, value)) => Err(Problem::invalid(format!("metric `{name}` is {value}, which is not a number"))),
            None => Ok(()),
        }
    }

    /// All that somebody may have written a secret into.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let names = self.params.keys().chain(self.metrics.keys());
        names.chain(self.params.values()).map(String::as_str)
    }
}

fn check_name(name: &str) -> Result<(), Problem> {
    let problem =
        |reason: &str| Err(Problem::invalid(format!("the name `{}` can't be used: {reason}", name.escape_debug())));
    if name.is_empty() || name.len() > NAME_LEN_MAX {
        return problem(&format!("it has 1 to {NAME_LEN_MAX} bytes"));
    }
    if name.chars().any(char::is_control) {
        return problem("it can't be shown");
    }
    check_shown(name).or_else(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(params: &[(&str, &str)], metrics: &[(&str, f64)]) -> Claims {
        Claims {
            params: params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            metrics: metrics.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
        }
    }

    #[test]
    fn what_can_not_be_shown_or_is_no_number_is_refused() {
        assert!(claims(&[("train.max_depth", "3"), ("note", "")], &[("macro f1", 0.5)]).check().is_ok());
        for (claims, word) in [
            (claims(&[("", "3")], &[]), "1 to 256 bytes"),
            (claims(&[("a\u{1b}", "3")], &[]), "can't be used"),
            (claims(&[("a", "\u{7}")], &[]), "can't be shown"),
            (claims(&[("a", &"x".repeat(5000))], &[]), "longer than 4096 bytes"),
            (claims(&[], &[("auc", f64::NAN)]), "metric `auc` is NaN"),
        ] {
            let problem = claims.check().unwrap_err();
            assert!(problem.message.contains(word), "{problem}");
        }
        let many = (0..1001).map(|n| (n.to_string(), String::new())).collect();
        let problem = Claims { params: many, ..Claims::default() }.check().unwrap_err();
        assert_eq!(problem.message, "1001 params are declared, at most 1000 are taken");
    }
}
