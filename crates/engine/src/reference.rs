//! What a person may type for a thing: `credit-score@champion`, `german-credit@3`, `b3:…`, `sha256:…`, a run id, a prediction id.

use std::str::FromStr;

use stemma_core::{ContentId, Problem, id::RunId, policy::Stage, prediction::PredictionId, version::VersionNumber};

/// A reference, read but not looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    Content(ContentId),
    Run(RunId),
    Prediction(PredictionId),
    /// `name@selector`; a model or a dataset.
    Versioned {
        name: String,
        selector: String,
    },
    /// A name alone: the newest version.
    Name(String),
}

/// How a version of a model was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    Number(VersionNumber),
    Stage(Stage),
    Alias(String),
    Newest,
}

impl FromStr for Reference {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        if text.starts_with("b3:") || text.starts_with("sha256:") {
            return Ok(Self::Content(text.parse()?));
        }
        if text.starts_with("pred_") {
            let parsed = text
                .parse()
                .map_err(|error: stemma_core::prediction::PredictionIdError| Problem::invalid(error.to_string()))?;
            return Ok(Self::Prediction(parsed));
        }
        if let Ok(run) = text.parse() {
            return Ok(Self::Run(run));
        }
        match text.split_once('@') {
            Some((name, selector)) if !name.is_empty() && !selector.is_empty() => {
                Ok(Self::Versioned { name: name.to_owned(), selector: selector.to_owned() })
            }
            Some(_) => Err(Problem::invalid(format!("`{text}` is not a reference"))
                .hint("write `name@1.2.0`, `name@alias`, `name@3`, `b3:…` or `sha256:…`")),
            None => Ok(Self::Name(text.to_owned())),
        }
    }
}

impl Selector {
    /// A number, a stage's name, `newest`, or else an alias.
    pub fn parse(text: &str) -> Self {
        if let Ok(number) = text.parse() {
            return Self::Number(number);
        }
        match Stage::parse(text) {
            Some(stage) => Self::Stage(stage),
            None if text == "newest" => Self::Newest,
            None => Self::Alias(text.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_apart() {
        let versioned =
            |name: &str, selector: &str| Reference::Versioned { name: name.into(), selector: selector.into() };
        assert_eq!("m@1.0.0".parse(), Ok(versioned("m", "1.0.0")));
        assert_eq!("m@champion".parse(), Ok(versioned("m", "champion")));
        assert_eq!("m".parse(), Ok(Reference::Name("m".into())));
        let run = RunId::generate();
        assert_eq!(run.to_string().parse(), Ok(Reference::Run(run)));
        assert!("b3:12".parse::<Reference>().is_err());
        assert!("pred_12".parse::<Reference>().is_err());
        assert!("m@".parse::<Reference>().is_err());
        assert_eq!(Selector::parse("production"), Selector::Stage(Stage::Production));
        assert_eq!(Selector::parse("1.2.3"), Selector::Number("1.2.3".parse().unwrap()));
    }
}
