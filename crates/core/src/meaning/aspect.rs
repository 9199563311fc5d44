//! What can be said of a thing.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::thing::Thing;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// What it is, in prose.
    Description,
    /// Who answers for it: a team or a person.
    Owner,
    /// As in `Apache-2.0`.
    Licence,
    /// What it is for, and what it is not for.
    IntendedUse,
    /// What a model was made on top of: `model@version` of this project, or any other name.
    BaseModel,
    /// A value under a key.
    Tag,
    /// The part of a model card that people write, in Markdown.
    Card,
}

impl Aspect {
    pub const ALL: [Self; 7] =
        [Self::Description, Self::Owner, Self::Licence, Self::IntendedUse, Self::BaseModel, Self::Tag, Self::Card];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Description => "description",
            Self::Owner => "owner",
            Self::Licence => "licence",
            Self::IntendedUse => "intended_use",
            Self::BaseModel => "base_model",
            Self::Tag => "tag",
            Self::Card => "card",
        }
    }

    /// As people read it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::IntendedUse => "intended use",
            Self::BaseModel => "base model",
            other => other.as_str(),
        }
    }

    /// Reads one by its name, or by the American one.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "license" => Some(Self::Licence),
            text => Self::ALL.into_iter().find(|aspect| aspect.as_str() == text),
        }
    }

    /// Longest text, in bytes.
    pub const fn bytes_max(self) -> usize {
        match self {
            Self::Description | Self::IntendedUse => 16 << 10,
            Self::Card => 64 << 10,
            Self::Owner | Self::Licence | Self::BaseModel => 256,
            Self::Tag => 1024,
        }
    }

    /// Whether it has lines and paragraphs; what has not is compared and looked for as a whole.
    pub const fn is_prose(self) -> bool {
        matches!(self, Self::Description | Self::IntendedUse | Self::Card)
    }

    /// Whether it can be said of a thing.
    pub const fn is_of(self, thing: &Thing) -> bool {
        match self {
            Self::BaseModel | Self::Card => matches!(thing, Thing::Model(_) | Thing::Version(..)),
            Self::Licence | Self::IntendedUse => !matches!(thing, Thing::Project),
            Self::Description | Self::Owner | Self::Tag => true,
        }
    }
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
