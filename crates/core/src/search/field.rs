//! What can be asked of a thing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meaning::Aspect;

/// What kind of thing is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Realm {
    /// Versions of models.
    #[default]
    Versions,
    /// Versions of datasets.
    Datasets,
    Runs,
}

impl Realm {
    pub const ALL: [Self; 3] = [Self::Versions, Self::Datasets, Self::Runs];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Versions => "versions",
            Self::Datasets => "datasets",
            Self::Runs => "runs",
        }
    }
}

/// What every thing of a realm has one of, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    Project,
    /// Of the model or the dataset; of a run its command.
    Name,
    /// `1.2.0` of a model, `3` of a dataset.
    Version,
    Stage,
    /// A version may have several.
    Alias,
    /// Of a dataset the ending of its file's name.
    Format,
    /// Who registered, added or ran it.
    By,
    /// When it was registered or added, or the run began.
    Registered,
    /// The run itself, or the one that made the version.
    Run,
    Digest,
    /// `ok` or `failed`.
    Status,
    /// `training`, `evaluation` or `stage`.
    Kind,
    /// As it is said of the thing itself, or else of its model.
    Owner,
    Licence,
    BaseModel,
}

impl Field {
    pub const ALL: [Self; 15] = [
        Self::Project,
        Self::Name,
        Self::Version,
        Self::Stage,
        Self::Alias,
        Self::Format,
        Self::By,
        Self::Registered,
        Self::Run,
        Self::Digest,
        Self::Status,
        Self::Kind,
        Self::Owner,
        Self::Licence,
        Self::BaseModel,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Name => "name",
            Self::Version => "version",
            Self::Stage => "stage",
            Self::Alias => "alias",
            Self::Format => "format",
            Self::By => "by",
            Self::Registered => "registered",
            Self::Run => "run",
            Self::Digest => "digest",
            Self::Status => "status",
            Self::Kind => "kind",
            Self::Owner => "owner",
            Self::Licence => "licence",
            Self::BaseModel => "base_model",
        }
    }

    /// Reads a field by its name, or by another one that it has.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "time" | "started" => Some(Self::Registered),
            "command" => Some(Self::Name),
            "license" => Some(Self::Licence),
            text => Self::ALL.into_iter().find(|field| field.as_str() == text),
        }
    }

    pub const fn is_time(self) -> bool {
        matches!(self, Self::Registered)
    }

    /// What somebody says of a thing, if it is that.
    pub const fn aspect(self) -> Option<Aspect> {
        match self {
            Self::Owner => Some(Aspect::Owner),
            Self::Licence => Some(Aspect::Licence),
            Self::BaseModel => Some(Aspect::BaseModel),
            _ => None,
        }
    }

    pub const fn is_in(self, realm: Realm) -> bool {
        match self {
            Self::Project | Self::Name | Self::By | Self::Registered | Self::Run => true,
            Self::Version | Self::Format | Self::Digest | Self::Owner | Self::Licence => {
                matches!(realm, Realm::Versions | Realm::Datasets)
            }
            Self::Stage | Self::Alias | Self::BaseModel => matches!(realm, Realm::Versions),
            Self::Status | Self::Kind => matches!(realm, Realm::Runs),
        }
    }
}

/// What a thing may have any number of, by names that people chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// Of a version, as its newest evaluation here measured them; of a run, as its `metrics.json` claims them.
    Metrics,
    /// Of a version, those of the run that made it and those that were declared with it.
    Params,
    /// Metrics that somebody says a version has: the run that made it, or whoever registered it.
    Claimed,
    /// `passed` or `failed`: the newest verdict of a gate.
    Gates,
    /// Of the thing itself, or else of its model.
    Tags,
}

impl Section {
    pub const ALL: [Self; 5] = [Self::Metrics, Self::Params, Self::Claimed, Self::Gates, Self::Tags];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Params => "params",
            Self::Claimed => "claimed",
            Self::Gates => "gates",
            Self::Tags => "tags",
        }
    }

    /// What one of it is called, as in `has gate:x`.
    pub const fn one(self) -> &'static str {
        match self {
            Self::Metrics => "metric",
            Self::Params => "param",
            Self::Claimed => "claimed",
            Self::Gates => "gate",
            Self::Tags => "tag",
        }
    }

    /// Reads a section by either of its names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.as_str() == text || section.one() == text)
    }

    pub const fn is_of_numbers(self) -> bool {
        matches!(self, Self::Metrics | Self::Claimed)
    }

    pub const fn is_in(self, realm: Realm) -> bool {
        match self {
            Self::Metrics | Self::Params => matches!(realm, Realm::Versions | Realm::Runs),
            Self::Claimed | Self::Gates => matches!(realm, Realm::Versions),
            Self::Tags => matches!(realm, Realm::Versions | Realm::Datasets),
        }
    }
}
