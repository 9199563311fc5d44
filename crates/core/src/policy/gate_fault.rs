//! What can be wrong with the declaration of a gate.

use std::fmt::Display;

/// What is wrong with the declaration of a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateFault {
    pub message: String,
    pub hint: Option<String>,
}

impl From<String> for GateFault {
    fn from(message: String) -> Self {
        Self { message, hint: None }
    }
}

impl From<&str> for GateFault {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

pub(super) fn check_range<T: PartialOrd + Display>(
    what: &str,
    min: Option<T>,
    max: Option<T>,
) -> Result<(), GateFault> {
    match (min, max) {
        (Some(min), Some(max)) if min > max => {
            Err(format!("nothing is between the `min` {min} and the `max` {max} of `{what}`").into())
        }
        _ => Ok(()),
    }
}

pub(super) fn check_share(what: &str, share: f64) -> Result<(), GateFault> {
    if (0.0..=1.0).contains(&share) {
        return Ok(());
    }
    Err(format!("{what} is {share}, expected a number from 0 to 1").into())
}
