//! Sealing: parts of the prediction log become Parquet content, and the ledger says so.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use parquet::{
    errors::ParquetError,
    file::reader::{ChunkReader, Length},
};
use stemma_core::{
    Digest, ErrorKind, Problem,
    event::{Event, SegmentSealed},
    id::RequestId,
    name::ProjectName,
    policy::Action,
    prediction::{PredictionAddress, PredictionRecord},
    record::Actor,
};
use stemma_gateway::{Extent, LogError, SealedPart, SegmentId};
use stemma_store::{BlobReader, StoreError};

use crate::{
    Caller, Engine,
    content::{Content, store_problem},
    facts::ledger_problem,
    problem::internal,
};

/// How often the housekeeping looks round.
const ROUND: Duration = Duration::from_secs(2);
/// The open segment is closed when it is older than this, so that predictions become content soon.
const SEGMENT_AGE_MAX: Duration = Duration::from_secs(600);
/// How often feedback, rights to content, and what the open segment holds are made facts.
const NOTE_EVERY: Duration = Duration::from_secs(30);
/// A command that owned the home for a moment seals when this many segments wait.
pub(crate) const WAITING_SEGMENTS_MAX: usize = 16;

impl Engine {
    /// Seals segments, batches of runs and the ledger's head from time to time, until it is dropped.
    ///
    /// What fails is tried again in the next round; nothing is lost meanwhile.
    pub async fn keep_house(self) {
        let mut rounds = tokio::time::interval(ROUND);
        let mut opened = tokio::time::Instant::now();
        let mut noted = opened;
        loop {
            rounds.tick().await;
            if opened.elapsed() > SEGMENT_AGE_MAX {
                opened = tokio::time::Instant::now();
                warn_if_failed(self.rotate_predictions().await);
            }
            warn_if_failed(self.seal_predictions().await);
            warn_if_failed(self.seal_runs().await);
            if noted.elapsed() > NOTE_EVERY {
                noted = tokio::time::Instant::now();
                warn_if_failed(self.seal_rows().await);
                warn_if_failed(self.note_predictions().await);
            }
            warn_if_failed(self.checkpoint().await);
        }
    }

    /// Seals every segment that is not written any more. Content first, then the facts, then the segment goes.
    pub async fn seal_predictions(&self) -> Result<u64, Problem> {
        let mut sealed = 0;
        let mut failed = Ok(());
        // a damaged segment stays as it is, for a person to look at: what is whole in it can still be read
        let damaged = |segment: &SegmentId| {
            self.log().recovered().iter().any(|found| found.segment == *segment && found.damage.is_some())
        };
        for segment in self.log().unsealed().into_iter().filter(|segment| !damaged(segment)) {
            match self.seal_segment(segment).await {
                Ok(()) => sealed += 1,
                // one that can't be sealed must not keep the others from it
                Err(problem) => failed = Err(problem),
            }
        }
        failed.map(|()| sealed)
    }

    /// Makes a fact of what segments hold that are not sealed yet, so that what goes of it is noticed.
    pub(crate) async fn note_predictions(&self) -> Result<(), Problem> {
        self.log().flush().await.map_err(log_problem)?;
        let key = Digest::of(self.prediction_key().as_bytes());
        let mut events = Vec::new();
        for extent in self.log().extents() {
            let noted = self.ledger().now().noted_records(extent.segment).await.map_err(ledger_problem)?;
            if extent.records > noted {
                let Extent { segment, records, bytes, digest } = extent;
                events.push(Event::PredictionsNoted { segment, records, bytes, digest, key });
            }
        }
        if events.is_empty() {
            return Ok(());
        }
        let events = &events;
        self.change_as(&Actor::system(), RequestId::generate(), || async move { Ok(events.clone()) }).await.map(drop)
    }

    pub(crate) async fn seal_rows(&self) -> Result<u64, Problem> {
        self.ledger().seal_rows(&Actor::system()).await.map_err(ledger_problem)
    }

    /// Closes the open segment of the log, so that everything in it can be sealed.
    pub async fn rotate_predictions(&self) -> Result<(), Problem> {
        self.log().rotate().await.map(drop).map_err(log_problem)
    }

    async fn seal_segment(&self, segment: SegmentId) -> Result<(), Problem> {
        let log = self.log().clone();
        let parts =
            tokio::task::spawn_blocking(move || log.seal(segment)).await.map_err(internal)?.map_err(log_problem)?;
        let mut events = Vec::new();
        for part in parts {
            let first = PredictionAddress { segment, endpoint: part.ordinal, row: part.first_row };
            // a crash came between the commit and the removal of the segment: the fact is there already
            if self.sealed_part(first).await?.is_none() {
                events.push(self.store_part(segment, part).await?);
            }
        }
        if !events.is_empty() {
            let events = &events;
            self.change_as(&Actor::system(), RequestId::generate(), || async move { Ok(events.clone()) }).await?;
        }
        let log = self.log().clone();
        tokio::task::spawn_blocking(move || log.remove(segment)).await.map_err(internal)?.map_err(log_problem)
    }

    async fn store_part(&self, segment: SegmentId, part: SealedPart) -> Result<Event, Problem> {
        let store = self.store().clone();
        let file = part.file.clone();
        let stored = tokio::task::spawn_blocking(move || store.put_file(&file));
        let info = stored.await.map_err(internal)?.map_err(store_problem)?;
        Ok(Event::SegmentSealed(SegmentSealed {
            segment,
            project: part.project,
            endpoint: part.endpoint,
            ordinal: part.ordinal,
            day: part.day,
            first_row: part.first_row,
            last_row: part.last_row,
            rows: part.rows,
            first_time: part.first_time,
            last_time: part.last_time,
            digest: info.digest,
            size: info.size,
        }))
    }

    pub(crate) async fn unsealed_prediction(
        &self,
        address: PredictionAddress,
    ) -> Result<Option<PredictionRecord>, Problem> {
        let log = self.log().clone();
        tokio::task::spawn_blocking(move || log.get(address)).await.map_err(internal)?.map_err(read_problem)
    }

    /// Reads one record out of a sealed file, and says which file.
    pub(crate) async fn sealed_prediction(
        &self,
        address: PredictionAddress,
    ) -> Result<Option<(PredictionRecord, Digest)>, Problem> {
        let Some(part) = self.sealed_part(address).await? else {
            return Ok(None);
        };
        self.check_not_purged(&part.project, part.digest).await?;
        let store = self.store().clone();
        let read = move || {
            let reader = store.open_blob(&part.digest).map_err(|error| lost_part(part.digest, error))?;
            stemma_gateway::read_sealed(BlobChunks(Arc::new(reader)), part.first_row, address.row)
                .map_err(|error| unreadable_part(part.digest, error))
        };
        let record = tokio::task::spawn_blocking(read).await.map_err(internal)??;
        Ok(Some((record, part.digest)))
    }

    /// A sealed part of a project's log, for whoever may read its predictions; for others it does not exist.
    pub(crate) async fn sealed_content(
        &self,
        caller: &Caller,
        project: &ProjectName,
        digest: Digest,
    ) -> Result<Option<Content>, Problem> {
        if caller.may(Action::ReadPredictions, Some(project)).is_err() {
            return Ok(None);
        }
        for endpoint in self.ledger().now().endpoints(project).await.map_err(ledger_problem)? {
            let parts = self.sealed_parts(&endpoint.value.endpoint).await?;
            if parts.iter().any(|part| part.digest == digest) {
                return self.store_info(digest).await;
            }
        }
        Ok(None)
    }

    /// Counts the answers in a sealed file by revision and arm.
    pub(crate) async fn count_sealed_part(&self, digest: Digest) -> Result<stemma_gateway::ArmCounts, Problem> {
        let store = self.store().clone();
        let count = move || {
            let reader = store.open_blob(&digest).map_err(store_problem)?;
            stemma_gateway::count_sealed(BlobChunks(Arc::new(reader))).map_err(log_problem)
        };
        tokio::task::spawn_blocking(count).await.map_err(internal)?
    }
}

fn warn_if_failed<T>(result: Result<T, Problem>) {
    if let Err(problem) = result {
        tracing::warn!(%problem, "housekeeping failed and will be tried again");
    }
}

/// A sealed file that a fact names and nobody has is lost.
fn lost_part(digest: Digest, error: StoreError) -> Problem {
    match error {
        StoreError::NotFound(_) => {
            let message = format!("the sealed file {digest}, which holds it, is lost: it is not in the store");
            Problem::new(ErrorKind::Corrupt, message).hint("bring the content back from a backup")
        }
        error => store_problem(error),
    }
}

fn unreadable_part(digest: Digest, error: impl std::fmt::Display) -> Problem {
    Problem::new(ErrorKind::Corrupt, format!("the sealed file {digest}, which holds it, can't be read: {error}"))
        .hint("`stemma verify` says what is damaged; bring the content back from a backup")
}

/// What reading the open log has met: altered bytes are another thing than a disk that does not answer.
fn read_problem(error: LogError) -> Problem {
    let message = error.to_string();
    match error {
        LogError::Corrupt { .. } => Problem::new(ErrorKind::Corrupt, message)
            .hint("`stemma audit verify` says what else is gone; bring the segment back from a backup"),
        error => log_problem(error),
    }
}

pub(crate) fn log_problem(error: impl std::fmt::Display) -> Problem {
    Problem::new(ErrorKind::Unavailable, error.to_string())
        .hint("the prediction log can't be read or written; see the server's log")
}

/// A blob of the store as what the Parquet reader reads from: every piece verified.
pub(crate) struct BlobChunks(pub Arc<BlobReader>);

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
pub(crate) struct BlobFrom {
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
