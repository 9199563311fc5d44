//! What can go wrong with content, each with the thing that failed.

use std::{
    io,
    path::{Path, PathBuf},
};

use stemma_core::Digest;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    #[error("content `{0}` is not in the store")]
    NotFound(Digest),
    /// What is stored under this digest is not what was put there; no byte of it was handed out.
    #[error("content `{digest}` is damaged: {what}")]
    Corrupt { digest: Digest, what: String },
    #[error("`{}` changed while it was being read", .0.display())]
    Changed(PathBuf),
    #[error("content `{digest}` has {size} bytes, more than the {limit} allowed here")]
    TooLarge { digest: Digest, size: u64, limit: u64 },
    /// A file, a name or a link that the store will not take in or write out.
    #[error("`{}` is refused: {reason}", .path.display())]
    Refused { path: PathBuf, reason: String },
    #[error("no space left on the disk that holds `{}`", .path.display())]
    DiskFull { path: PathBuf },
    #[error("`{}`: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    /// The reader that the caller gave failed; nothing is wrong with the store.
    #[error("the content to store could not be read: {0}")]
    Source(#[source] io::Error),
    /// Written by a newer program; nothing was changed.
    #[error("`{}` has {what} {version}, which this program does not know", .path.display())]
    UnsupportedVersion { path: PathBuf, what: &'static str, version: u32 },
    /// What is needed can't be followed, so what hangs on it would look like garbage; nothing was removed.
    #[error("content `{digest}` is needed and can't be read: {what}")]
    Needed { digest: Digest, what: String },
    #[error("another collection of garbage is under way in `{}`", .0.display())]
    Collecting(PathBuf),
    /// Somebody may rely on what is to be removed; nothing was removed.
    #[error("content is being added by {0} others, who may rely on what is to be removed")]
    InUse(u64),
    /// The caller could not say what is needed; nothing was removed.
    #[error("what is needed could not be read: {0}")]
    Roots(#[source] io::Error),
    #[error("the batch failed before and can only be dropped")]
    BatchFailed,
}

pub(crate) type Result<T> = std::result::Result<T, StoreError>;

impl StoreError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        let path = path.to_owned();
        match source.kind() {
            StorageFull | QuotaExceeded => Self::DiskFull { path },
            _ => Self::Io { path, source },
        }
    }

    pub(crate) fn corrupt(digest: Digest, what: impl Into<String>) -> Self {
        Self::Corrupt { digest, what: what.into() }
    }

    pub(crate) fn refused(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self::Refused { path: path.into(), reason: reason.into() }
    }
}

/// Attaches the path to an I/O error.
pub(crate) trait IoContext<T> {
    fn at(self, path: &Path) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T> {
        self.map_err(|source| StoreError::io(path, source))
    }
}

impl<T> IoContext<T> for rustix::io::Result<T> {
    fn at(self, path: &Path) -> Result<T> {
        self.map_err(|errno| StoreError::io(path, errno.into()))
    }
}

impl From<StoreError> for io::Error {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::NotFound(_) => io::ErrorKind::NotFound,
            StoreError::Corrupt { .. } => io::ErrorKind::InvalidData,
            StoreError::DiskFull { .. } => io::ErrorKind::StorageFull,
            StoreError::Io { source, .. } => source.kind(),
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_spent_quota_are_told_apart_from_other_failures() {
        let of = |errno: rustix::io::Errno| StoreError::io(Path::new("packs"), errno.into());
        for errno in [rustix::io::Errno::NOSPC, rustix::io::Errno::DQUOT] {
            assert!(matches!(of(errno), StoreError::DiskFull { .. }));
        }
        assert!(matches!(of(rustix::io::Errno::IO), StoreError::Io { .. }));
    }
}
