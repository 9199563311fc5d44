//! Why content is not taken for a model at all.

use std::io;

use stemma_core::{ErrorKind, Problem, pointer::Pointer};

/// Content that no version can be made of.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("it is empty")]
    Empty,
    #[error("loading {place} would call `{import}`, which no model needs")]
    Dangerous { place: String, import: String },
    #[error("`{path}` in it is {pointer}, not the content")]
    Pointer { path: String, pointer: Pointer },
    #[error("its `MLmodel` can't be read: {0}")]
    Mlmodel(String),
    #[error("its `MLmodel` names `{path}`, which is not in the folder")]
    Lacks { path: String },
    #[error("its `MLmodel` names `{path}`, which leads out of the folder")]
    Outside { path: String },
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Fault {
    /// As a refusal to register `what`.
    pub fn refused(self, what: &str) -> Problem {
        let hint = match &self {
            Self::Empty => "is it written to its end?",
            Self::Dangerous { .. } => "to keep it for an examination, add it as data with `stemma add`",
            Self::Pointer { pointer, .. } => pointer.hint(),
            Self::Mlmodel(_) | Self::Lacks { .. } | Self::Outside { .. } => "save the model again with MLflow",
            Self::Io(_) => {
                return Problem::new(ErrorKind::Internal, format!("{what} can't be read: {self}"));
            }
        };
        Problem::invalid(format!("{what} can't be registered: {self}")).hint(hint)
    }
}
