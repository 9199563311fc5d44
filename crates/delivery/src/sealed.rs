//! Sealed files of the logs, opened for whoever's right was checked.

use std::sync::Arc;

use bytes::Bytes;
use parquet::{
    errors::ParquetError,
    file::reader::{ChunkReader, Length},
};
use stemma_core::{Digest, ErrorKind, Problem, endpoint::search::Wanted, name::ProjectName};
use stemma_engine::problem::{internal, store_problem};
use stemma_gateway::{OpenPart, SealedError};
use stemma_store::{BlobReader, StoreError};

use crate::Delivery;

/// A sealed file that is there.
pub struct SealedFile {
    digest: Digest,
    chunks: BlobChunks,
}

impl SealedFile {
    /// Reads from it; what can't be read is damage. Blocks.
    pub fn read<T>(&self, read: impl FnOnce(BlobChunks) -> Result<T, SealedError>) -> Result<T, Problem> {
        read(self.chunks.clone()).map_err(|error| unreadable(self.digest, error))
    }

    /// Whether filters, statistics and columns leave a prediction over that may be one of those; `first_row` is the
    /// first of the file. Blocks.
    pub fn may_hold(&self, first_row: u32, wanted: &[Wanted]) -> Result<bool, Problem> {
        self.read(|chunks| {
            let part = OpenPart::open(chunks, first_row)?;
            for one in wanted {
                if !part.sift(one)?.rows.is_empty() {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }
}

/// Opens a sealed file; one that was purged is refused, and one that nobody has is lost.
pub async fn open_sealed(delivery: &Delivery, project: &ProjectName, digest: Digest) -> Result<SealedFile, Problem> {
    delivery.known().check_not_purged(project, digest).await?;
    let reader = delivery.known().store().open_blob(&digest).map_err(|error| lost(digest, error))?;
    Ok(SealedFile { digest, chunks: BlobChunks(Arc::new(reader)) })
}

/// Looks into a sealed file with something that grows by what it meets, and hands that back; with the reason if the file
/// could not be looked through, since it was purged, is lost or damaged.
pub async fn look_into<S: Send + 'static>(
    delivery: &Delivery,
    (project, digest): (&ProjectName, Digest),
    mut growing: S,
    look: impl FnOnce(&SealedFile, &mut S) -> Result<(), Problem> + Send + 'static,
) -> Result<(S, Option<Problem>), Problem> {
    let file = match open_sealed(delivery, project, digest).await {
        Err(problem) if is_gap(&problem) => return Ok((growing, Some(problem))),
        opened => opened?,
    };
    let look = move || {
        let looked = look(&file, &mut growing);
        (growing, looked)
    };
    match tokio::task::spawn_blocking(look).await.map_err(internal)? {
        (grown, Ok(())) => Ok((grown, None)),
        (grown, Err(problem)) if is_gap(&problem) => Ok((grown, Some(problem))),
        (_, Err(problem)) => Err(problem),
    }
}

/// What can't be read any more, unlike what can't be read now.
pub fn is_gap(problem: &Problem) -> bool {
    matches!(problem.kind, ErrorKind::Gone | ErrorKind::Corrupt)
}

/// A sealed file that a fact names and nobody has is lost.
fn lost(digest: Digest, error: StoreError) -> Problem {
    match error {
        StoreError::NotFound(_) => {
            let message = format!("the sealed file {digest}, which holds it, is lost: it is not in the store");
            Problem::new(ErrorKind::Corrupt, message).hint("bring the content back from a backup")
        }
        error => store_problem(error),
    }
}

fn unreadable(digest: Digest, error: impl std::fmt::Display) -> Problem {
    Problem::new(ErrorKind::Corrupt, format!("the sealed file {digest}, which holds it, can't be read: {error}"))
        .hint("`stemma verify` says what is damaged; bring the content back from a backup")
}

/// A blob of the store as what the Parquet reader reads from: every piece verified.
#[derive(Clone)]
pub struct BlobChunks(pub Arc<BlobReader>);

impl Length for BlobChunks {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl ChunkReader for BlobChunks {
    type T = std::io::BufReader<BlobFrom>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(std::io::BufReader::new(BlobFrom { blob: self.0.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let bytes = self.0.read_at(start, length).map_err(|error| ParquetError::External(Box::new(error)))?;
        Ok(Bytes::from(bytes))
    }
}

/// Reads a blob from a position on.
pub struct BlobFrom {
    blob: Arc<BlobReader>,
    at: u64,
}

impl std::io::Read for BlobFrom {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.blob.read_into_at(self.at, buffer).map_err(std::io::Error::other)?;
        self.at += read as u64;
        Ok(read)
    }
}
