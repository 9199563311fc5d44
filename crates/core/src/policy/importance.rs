//! What a better answer and a faster one are worth: `[model.<name>.importance]` of `stemma.toml`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The weights of an improvement, and of a second that an answer takes longer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportanceSpec {
    /// Of the primary metric's improvement, in its own units.
    #[serde(default = "improvement")]
    pub improvement: f64,
    #[serde(default = "latency")]
    pub latency: f64,
}

impl Default for ImportanceSpec {
    fn default() -> Self {
        Self { improvement: improvement(), latency: latency() }
    }
}

impl ImportanceSpec {
    /// Says which key is wrong, and what is wrong about it.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        for (key, weight) in [("improvement", self.improvement), ("latency", self.latency)] {
            if !weight.is_finite() || weight < 0.0 {
                return Err((key, format!("the weight {weight} is not a number of 0 or more")));
            }
        }
        if self.improvement == 0.0 && self.latency == 0.0 {
            return Err(("improvement", "both weights are 0: then nothing has an importance".to_owned()));
        }
        Ok(())
    }
}

const fn improvement() -> f64 {
    0.7
}

const fn latency() -> f64 {
    0.3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_those_that_are_said_or_the_usual_ones() {
        let read = |text: &str| serde_json::from_str::<ImportanceSpec>(text).unwrap();
        assert_eq!(read("{}"), ImportanceSpec::default());
        assert_eq!(read(r#"{"latency":0}"#), ImportanceSpec { improvement: 0.7, latency: 0.0 });
        assert!(read(r#"{"latency":0}"#).check().is_ok());
        for (text, key) in [
            (r#"{"latency":-1}"#, "latency"),
            (r#"{"improvement":-0.5}"#, "improvement"),
            (r#"{"improvement":0,"latency":0}"#, "improvement"),
        ] {
            assert_eq!(read(text).check().unwrap_err().0, key, "{text}");
        }
        assert!(ImportanceSpec { improvement: f64::NAN, latency: 1.0 }.check().is_err());
    }
}
