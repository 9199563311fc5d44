//! What a person may type for a thing: `credit-score@champion`, `german-credit@3`, `b3:…`, `sha256:…`, a run id, a prediction id.

use std::str::FromStr;

use stemma_core::{
    ContentId, Digest, Problem, endpoint::prediction::PredictionId, id::RunId, policy::Stage, version::VersionNumber,
};

/// Fewest digits by which content is found.
const SHORT_DIGITS_MIN: usize = 6;
/// Hex digits of a whole digest.
const DIGITS: usize = 64;

/// A reference, read but not looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    Content(ContentId),
    /// The first digits of a digest, as they are printed.
    ShortContent(String),
    /// Content that lies, or lay, at a path.
    ContentAt {
        digest: Digest,
        path: String,
    },
    Run(RunId),
    /// A file as a run wrote it.
    WrittenBy {
        run: RunId,
        path: String,
    },
    /// A URL or the like that data came from.
    Source(String),
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
    Newest,
    /// An alias, or a name that never moves.
    Name(String),
}

impl FromStr for Reference {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        if let Some(digits) = text.strip_prefix("b3:") {
            return content(text, digits);
        }
        if text.starts_with("sha256:") {
            return Ok(Self::Content(text.parse()?));
        }
        if text.starts_with("external:") || text.contains("://") {
            return Ok(Self::Source(text.to_owned()));
        }
        if let Some((run, path)) = text.split_once(':')
            && let Ok(run) = run.parse()
        {
            return Ok(Self::WrittenBy { run, path: path.to_owned() });
        }
        if text.starts_with("pred_") {
            let parsed = text.parse().map_err(|error: stemma_core::endpoint::prediction::PredictionIdError| {
                Problem::invalid(error.to_string())
            })?;
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

fn content(text: &str, digits: &str) -> Result<Reference, Problem> {
    if let Some((digits, path)) = digits.split_once(':') {
        let digest = format!("b3:{digits}").parse::<ContentId>()?;
        let ContentId::Blake3(digest) = digest else {
            return Err(Problem::invalid(format!("`{text}` is not content at a path")));
        };
        return Ok(Reference::ContentAt { digest, path: path.to_owned() });
    }
    let is_short = (SHORT_DIGITS_MIN..DIGITS).contains(&digits.len());
    if is_short && digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
        return Ok(Reference::ShortContent(digits.to_owned()));
    }
    Ok(Reference::Content(text.parse()?))
}

impl Selector {
    /// A number, a stage's name, `newest`, or else an alias or a name.
    pub fn parse(text: &str) -> Self {
        if let Ok(number) = text.parse() {
            return Self::Number(number);
        }
        match Stage::parse(text) {
            Some(stage) => Self::Stage(stage),
            None if text == "newest" => Self::Newest,
            None => Self::Name(text.to_owned()),
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
        assert_eq!("b3:2d1e951c271b".parse(), Ok(Reference::ShortContent("2d1e951c271b".into())));
        assert!("b3:2d1e951c271B".parse::<Reference>().is_err());
        let digest = Digest::of(b"x");
        assert_eq!(format!("{digest}:a/b.csv").parse(), Ok(Reference::ContentAt { digest, path: "a/b.csv".into() }));
        assert_eq!(format!("{run}:a/b.csv").parse(), Ok(Reference::WrittenBy { run, path: "a/b.csv".into() }));
        assert_eq!("https://x.org/@a".parse(), Ok(Reference::Source("https://x.org/@a".into())));
        assert!("pred_12".parse::<Reference>().is_err());
        assert!("m@".parse::<Reference>().is_err());
        assert_eq!(Selector::parse("production"), Selector::Stage(Stage::Production));
        assert_eq!(Selector::parse("1.2.3"), Selector::Number("1.2.3".parse().unwrap()));
        for name in ["champion", "7", "v1.2.3", "v20261130231200_2d1e951c"] {
            assert_eq!(Selector::parse(name), Selector::Name(name.into()));
        }
    }
}
