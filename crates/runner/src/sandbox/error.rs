//! Why a program could not be contained.

use std::{io, path::PathBuf};

use stemma_core::{ErrorKind, Problem};

use super::wall::Missing;

#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("this machine can't contain a program: {why}")]
    Unsupported { why: String },
    #[error("this machine can't keep what is run from everything: {}", listed(.0))]
    Missing(Vec<Missing>),
    #[error("`{program}` could not be contained, {what}: {source}")]
    Contain { program: String, what: String, source: io::Error },
    #[error("`{program}` could not be started in the sandbox: {source}")]
    Start { program: String, source: io::Error },
    #[error("`{}` can't be opened to the sandbox: {source}", path.display())]
    Path { path: PathBuf, source: io::Error },
    #[error("the contained program can't be watched: {0}")]
    Watch(#[source] io::Error),
}

fn listed(missing: &[Missing]) -> String {
    let one = |one: &Missing| format!("`{}`: it could {} ({})", one.wall, one.wall.opening(), one.why);
    missing.iter().map(one).collect::<Vec<_>>().join("; ")
}

impl SandboxError {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Unsupported { .. } | Self::Path { .. } | Self::Contain { .. } => ErrorKind::Config,
            Self::Missing(_) => ErrorKind::Refused,
            Self::Start { source, .. } if source.kind() == io::ErrorKind::NotFound => ErrorKind::Config,
            Self::Start { .. } | Self::Watch(_) => ErrorKind::Internal,
        }
    }
}

impl From<SandboxError> for Problem {
    fn from(error: SandboxError) -> Self {
        let kind = error.kind();
        Problem::new(kind, error.to_string())
    }
}
