//! How a request ended.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a request ended, and what its caller was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Outcome {
    Answered,
    /// The request was well-formed, and there was no answer.
    Failed {
        /// Absent in records of version 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<FailureKind>,
        message: String,
    },
    /// It was the request's own fault, or there was no room for it.
    Refused {
        kind: RefusalKind,
        message: String,
    },
}

/// Declares an enumeration of words, with the text of each.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $name {
            $($(#[$each])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == text)
            }
        }
    };
}

words! {
    /// Why there was no answer to a well-formed request.
    FailureKind {
        /// A model, or another thing that a step asks, failed on inputs that fit.
        Model = "model",
        /// The steps gave what can't be an answer.
        Output = "output",
        /// A step or the whole took too long.
        TimedOut = "timed_out",
        /// What computes was not there: a process that died, a server that is not reached.
        Runtime = "runtime",
        /// Our own fault.
        Internal = "internal",
    }
}

words! {
    /// Why a request was refused.
    RefusalKind {
        /// It is no question, or does not fit the endpoint's contract.
        Input = "input",
        /// It came in a form that is not spoken.
        Media = "media",
        /// It, or what would have to be kept of it, is too long.
        Size = "size",
        /// Too much was asked at once.
        Overloaded = "overloaded",
        /// A rule of people says so.
        Rule = "rule",
    }
}

impl Outcome {
    /// As in columns and tables.
    pub const fn status(&self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed { .. } => "failed",
            Self::Refused { .. } => "refused",
        }
    }

    /// The kind of failure or refusal, if it is known.
    pub fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Answered => None,
            Self::Failed { kind, .. } => kind.map(FailureKind::as_str),
            Self::Refused { kind, .. } => Some(kind.as_str()),
        }
    }

    /// What its caller was told instead of an answer.
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Answered => None,
            Self::Failed { message, .. } | Self::Refused { message, .. } => Some(message),
        }
    }
}
