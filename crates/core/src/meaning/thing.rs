//! Of what something is said, and how people name it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Problem,
    name::{DatasetName, EndpointName, ModelName, NAME_BYTES_MAX},
    version::VersionNumber,
};

/// A longer text names nothing.
const NAMED_BYTES_MAX: usize = 3 * NAME_BYTES_MAX;

/// A thing in a project, of which something can be said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Thing {
    /// The project itself.
    Project,
    Model(ModelName),
    Version(ModelName, VersionNumber),
    /// A dataset with all its versions.
    Dataset(DatasetName),
    /// An endpoint with all its revisions.
    Endpoint(EndpointName),
}

impl Thing {
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Model(_) => "model",
            Self::Version(..) => "version",
            Self::Dataset(_) => "dataset",
            Self::Endpoint(_) => "endpoint",
        }
    }

    /// The name that it has, without its version; empty of the project.
    pub fn name(&self) -> &str {
        match self {
            Self::Project => "",
            Self::Model(model) | Self::Version(model, _) => model.as_str(),
            Self::Dataset(dataset) => dataset.as_str(),
            Self::Endpoint(endpoint) => endpoint.as_str(),
        }
    }

    /// The number of a model's version; empty of others.
    pub fn version(&self) -> String {
        match self {
            Self::Version(_, number) => number.to_string(),
            _ => String::new(),
        }
    }
}

/// As it is named so that nothing else can be meant: `model:credit-score`, `credit-score@1.1.0`, `project`.
impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project => f.write_str("project"),
            Self::Version(model, number) => write!(f, "{model}@{number}"),
            other => write!(f, "{}:{}", other.kind(), other.name()),
        }
    }
}

/// A thing as somebody typed it, not looked up yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedThing {
    Project,
    Model(ModelName),
    /// What behind the `@` may be a number, an alias or a stage.
    Version(ModelName, String),
    Dataset(DatasetName),
    Endpoint(EndpointName),
    /// A name alone, of whichever thing has it.
    Any(String),
}

impl NamedThing {
    /// Reads `project`, `model:NAME`, `dataset:NAME`, `endpoint:NAME`, `MODEL@VERSION`, or a name alone.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        if text.len() > NAMED_BYTES_MAX {
            return Err(Problem::invalid(format!("a thing's name has {} bytes", text.len())));
        }
        let named = match text.split_once(':') {
            Some(("model", name)) => return with_version(name).unwrap_or_else(|| Ok(Self::Model(name.parse()?))),
            Some(("dataset", name)) => Self::Dataset(name.parse()?),
            Some(("endpoint", name)) => Self::Endpoint(name.parse()?),
            Some((kind, _)) => {
                let kind: String = kind.chars().take(40).flat_map(char::escape_debug).collect();
                return Err(Problem::invalid(format!("there are no things of the kind `{kind}`"))
                    .hint("there are `model:`, `dataset:`, `endpoint:` and `project`"));
            }
            None if text == "project" => Self::Project,
            None => return with_version(text).unwrap_or_else(|| any(text)),
        };
        Ok(named)
    }
}

fn with_version(text: &str) -> Option<Result<NamedThing, Problem>> {
    let (model, version) = text.split_once('@')?;
    Some(match (model.parse(), version) {
        (Ok(_), "") => Err(Problem::invalid(format!("`{text}` names no version")).hint("write `model@1.2.0`")),
        (Ok(model), version) => Ok(NamedThing::Version(model, version.to_owned())),
        (Err(error), _) => Err(Problem::from(error)),
    })
}

fn any(text: &str) -> Result<NamedThing, Problem> {
    // the rules for names of models are those of all
    let name: ModelName = text.parse()?;
    Ok(NamedThing::Any(name.as_str().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_read_as_they_are_written() {
        let things = [
            Thing::Project,
            Thing::Model("m".parse().unwrap()),
            Thing::Version("m".parse().unwrap(), "1.2.0".parse().unwrap()),
            Thing::Dataset("d".parse().unwrap()),
            Thing::Endpoint("e".parse().unwrap()),
        ];
        let named = things.map(|thing| NamedThing::parse(&thing.to_string()).unwrap());
        let expected = [
            NamedThing::Project,
            NamedThing::Model("m".parse().unwrap()),
            NamedThing::Version("m".parse().unwrap(), "1.2.0".into()),
            NamedThing::Dataset("d".parse().unwrap()),
            NamedThing::Endpoint("e".parse().unwrap()),
        ];
        assert_eq!(named, expected);
        assert_eq!(NamedThing::parse("m"), Ok(NamedThing::Any("m".into())));
        assert_eq!(NamedThing::parse("model:project"), Ok(NamedThing::Model("project".parse().unwrap())));
        assert!(NamedThing::parse(&"x".repeat(10 << 20)).unwrap_err().message.len() < 100);
        for (text, word) in [("run:x", "kind `run`"), ("m@", "names no version"), ("", "empty"), ("a/b", "separator")] {
            let problem = NamedThing::parse(text).unwrap_err();
            assert!(problem.message.contains(word), "{problem}");
        }
    }
}
