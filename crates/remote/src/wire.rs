//! Requests to an object store that survive what networks do: each is watched, tried again, and bounded.

use std::{fmt, future::Future, io, ops::Range, os::unix::fs::FileExt as _, sync::Arc};

use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::{
    Error, GetOptions, GetRange, GetResultPayload, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload,
    multipart::{MultipartStore, PartId},
    path::Path,
};
use stemma_core::ErrorKind;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    buffers::Buffers,
    error::{RemoteError, Result},
    http::{PULSE, Pulse},
    policy::{Budget, Policy},
};

/// Longest text of a server that is repeated to a person.
const REASON_MAX: usize = 400;

/// An object store behind one policy. Clones share its budget.
#[derive(Clone)]
pub(crate) struct Wire {
    store: Arc<dyn ObjectStore>,
    /// For stores whose parts can be sent again one by one.
    multipart: Option<Arc<dyn MultipartStore>>,
    pub policy: Policy,
    pub budget: Budget,
    buffers: Buffers,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wire({})", self.store)
    }
}

/// Why one attempt failed.
enum AttemptError {
    Store(Error),
    Length { expected: u64, got: u64 },
    Idle,
}

impl From<Error> for AttemptError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl Wire {
    pub fn new(store: Arc<dyn ObjectStore>, multipart: Option<Arc<dyn MultipartStore>>, policy: Policy) -> Self {
        Self { store, multipart, policy, budget: Budget::new(policy.budget), buffers: Buffers::default() }
    }

    /// Reads a range of an object, or all of it, which must be `len` bytes.
    pub async fn get(&self, object: &Path, range: Option<Range<u64>>, len: u64) -> Result<Bytes> {
        self.attempts(object, || self.get_once(object, range.clone(), len)).await
    }

    async fn get_once(
        &self,
        object: &Path,
        range: Option<Range<u64>>,
        len: u64,
    ) -> std::result::Result<Bytes, AttemptError> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let found = self.store.get_opts(object, options).await?;
        check_len(found.range.end - found.range.start, len)?;
        let mut bytes = self.buffers.take();
        // as a stream, a file would come in pieces of 8 KiB, each read by a task of its own
        if let GetResultPayload::File(file, _) = found.payload {
            let read = move || {
                bytes.resize(usize::try_from(len).unwrap_or(usize::MAX), 0);
                file.read_exact_at(&mut bytes, found.range.start).map(|()| bytes)
            };
            let read = tokio::task::spawn_blocking(read).await.map_err(Error::from)?;
            return Ok(self.buffers.lend(read.map_err(local_error)?));
        }
        bytes.clear();
        bytes.reserve_exact(usize::try_from(len).unwrap_or(0));
        let mut pieces = found.into_stream();
        while let Some(piece) = pieces.try_next().await? {
            beat();
            if bytes.len() as u64 + piece.len() as u64 > len {
                return Err(AttemptError::Length { expected: len, got: bytes.len() as u64 + piece.len() as u64 });
            }
            bytes.extend_from_slice(&piece);
        }
        check_len(bytes.len() as u64, len)?;
        Ok(self.buffers.lend(bytes))
    }

    /// Lists the objects below a folder; `most` bounds how many there may be.
    pub async fn list(&self, folder: &Path, most: usize) -> Result<Vec<ObjectMeta>> {
        self.attempts(folder, || async {
            let mut pages = self.store.list(Some(folder));
            let mut objects = Vec::new();
            while let Some(object) = pages.try_next().await? {
                beat();
                if objects.len() == most {
                    let source = format!("there are more than {most} objects").into();
                    return Err(AttemptError::Store(Error::NotSupported { source }));
                }
                objects.push(object);
            }
            Ok(objects)
        })
        .await
    }

    /// Writes an object whose name is ours alone, so that writing it again does no harm.
    pub async fn put(&self, object: &Path, bytes: Bytes) -> Result<()> {
        self.attempts(object, || async {
            self.store.put(object, PutPayload::from_bytes(bytes.clone())).await?;
            Ok(())
        })
        .await
    }

    /// Writes an object unless there is one of this name; `false` if there is. After an attempt of unknown outcome
    /// that may be our own.
    pub async fn create(&self, object: &Path, bytes: Bytes) -> Result<bool> {
        let created = self.attempts(object, || async {
            let payload = PutPayload::from_bytes(bytes.clone());
            match self.store.put_opts(object, payload, PutMode::Create.into()).await {
                Ok(_) => Ok(true),
                Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(false),
                Err(error) => Err(error.into()),
            }
        });
        created.await
    }

    // ---- long objects --------------------------------------------------------------------------------------------

    /// Begins an object that is sent in parts and appears when it is whole.
    pub async fn begin(&self, object: &Path) -> Result<Upload> {
        let way = match &self.multipart {
            Some(store) => {
                let id = self.attempts(object, || async { Ok(store.create_multipart(object).await?) }).await?;
                Way::Parts { store: Arc::clone(store), id }
            }
            None => {
                let upload = self.attempts(object, || async { Ok(self.store.put_multipart(object).await?) }).await?;
                Way::Stream(Arc::new(tokio::sync::Mutex::new(upload)))
            }
        };
        Ok(Upload { wire: self.clone(), object: object.clone(), way })
    }

    // ---- the policy ----------------------------------------------------------------------------------------------

    /// Makes attempts until one succeeds, fails for good, or patience ends.
    async fn attempts<T, F, R>(&self, object: &Path, once: F) -> Result<T>
    where
        F: Fn() -> R,
        R: Future<Output = std::result::Result<T, AttemptError>>,
    {
        let pulse = Pulse::new();
        let mut last = None;
        for attempt in 1.. {
            let fault = match PULSE.scope(Arc::clone(&pulse), self.watched(&pulse, once())).await {
                Ok(value) => return Ok(value),
                Err(fault) => fault,
            };
            let status = pulse.take_status();
            if let AttemptError::Store(error) = &fault
                && let Some(kind) = permanent(error, status)
            {
                return Err(RemoteError::Refused { object: object.to_string(), reason: reason(error), kind });
            }
            let text = fault.text(self.policy);
            let patience_ends = pulse.last() + self.policy.idle;
            if Instant::now() >= patience_ends {
                return Err(RemoteError::Stalled { object: object.to_string(), idle: self.policy.idle, last });
            }
            if attempt >= self.policy.attempts {
                return Err(RemoteError::GaveUp { object: object.to_string(), attempts: attempt, reason: text });
            }
            last = Some(text);
            let pause = self.policy.pause(attempt, random());
            sleep(pause.min(patience_ends - Instant::now())).await;
        }
        unreachable!("the loop ends only by returning")
    }

    /// Gives an attempt up when nothing has moved for too long.
    async fn watched<T>(
        &self,
        pulse: &Pulse,
        attempt: impl Future<Output = std::result::Result<T, AttemptError>>,
    ) -> std::result::Result<T, AttemptError> {
        let begun = Instant::now();
        let mut attempt = std::pin::pin!(attempt);
        loop {
            let last = pulse.last();
            let given_up = (last.max(begun) + self.policy.attempt_idle).min(last + self.policy.idle);
            tokio::select! {
                biased;
                outcome = &mut attempt => return outcome,
                () = sleep_until(given_up) => {}
            }
            if pulse.last() == last {
                return Err(AttemptError::Idle);
            }
        }
    }
}

fn check_len(got: u64, expected: u64) -> std::result::Result<(), AttemptError> {
    if got == expected { Ok(()) } else { Err(AttemptError::Length { expected, got }) }
}

fn beat() {
    let _ = PULSE.try_with(|pulse| pulse.beat());
}

/// Only spreads pauses; nothing depends on it being hard to guess.
fn random() -> u64 {
    let mut bytes = [0; 8];
    let _ = getrandom::fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

impl AttemptError {
    fn text(&self, policy: Policy) -> String {
        match self {
            Self::Store(error) => reason(error),
            Self::Length { expected, got } => format!("{got} bytes came instead of {expected}"),
            Self::Idle => format!("nothing moved for {} s", policy.attempt_idle.as_secs_f32()),
        }
    }
}

/// What the failure is if another attempt can't change it.
fn permanent(error: &Error, status: Option<u16>) -> Option<ErrorKind> {
    let server_may_recover = matches!(status, Some(408 | 425 | 429 | 500..));
    match error {
        _ if server_may_recover => None,
        Error::NotFound { .. } => Some(ErrorKind::NotFound),
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Some(ErrorKind::Forbidden),
        Error::Generic { .. } | Error::JoinError { .. } => match status {
            Some(300..=499) => Some(ErrorKind::Config),
            _ => is_local(error).then_some(ErrorKind::Config),
        },
        // a conflict between two requests under way at once
        Error::AlreadyExists { .. } => None,
        _ => Some(ErrorKind::Config),
    }
}

const LOCAL: &str = "LocalFileSystem";

/// A folder's failure (full, read-only) does not pass by itself within seconds.
fn is_local(error: &Error) -> bool {
    matches!(error, Error::Generic { store: LOCAL, .. })
}

fn local_error(source: io::Error) -> Error {
    Error::Generic { store: LOCAL, source: Box::new(source) }
}

fn reason(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text.chars().take(REASON_MAX).collect()
}

/// An object on its way. It is seen by nobody before [`finish`](Self::finish); whoever does not finish must abort.
#[derive(Clone)]
pub(crate) struct Upload {
    wire: Wire,
    object: Path,
    way: Way,
}

#[derive(Clone)]
enum Way {
    Parts { store: Arc<dyn MultipartStore>, id: String },
    Stream(Arc<tokio::sync::Mutex<Box<dyn object_store::MultipartUpload>>>),
}

/// What the store calls a part that has arrived.
pub(crate) type Part = Option<PartId>;

impl Upload {
    /// Sends one part; parts are numbered from 0, and for some stores must come in order.
    pub async fn part(&self, number: usize, bytes: Bytes) -> Result<Part> {
        match &self.way {
            Way::Parts { store, id } => {
                let sent = self.wire.attempts(&self.object, || async {
                    Ok(store.put_part(&self.object, id, number, PutPayload::from_bytes(bytes.clone())).await?)
                });
                sent.await.map(Some)
            }
            Way::Stream(upload) => {
                let mut upload = upload.lock().await;
                let sent = upload.put_part(PutPayload::from_bytes(bytes)).await;
                sent.map(|()| None).map_err(|error| self.refused(&error))
            }
        }
    }

    /// Whether parts may be sent at once.
    pub fn is_parallel(&self) -> bool {
        matches!(self.way, Way::Parts { .. })
    }

    pub async fn finish(&self, parts: Vec<Part>, len: u64) -> Result<()> {
        match &self.way {
            Way::Parts { store, id } => {
                let parts: Vec<PartId> = parts.into_iter().flatten().collect();
                let finished = self.wire.attempts(&self.object, || async {
                    match store.complete_multipart(&self.object, id, parts.clone()).await {
                        Ok(_) => Ok(()),
                        // an attempt of unknown outcome may have succeeded
                        Err(error @ Error::NotFound { .. }) => match self.wire.store.head(&self.object).await {
                            Ok(meta) if meta.size == len => Ok(()),
                            _ => Err(error.into()),
                        },
                        Err(error) => Err(error.into()),
                    }
                });
                finished.await
            }
            Way::Stream(upload) => upload.lock().await.complete().await.map(drop).map_err(|error| self.refused(&error)),
        }
    }

    /// Frees what has arrived. Best effort: what is left is seen by nobody.
    pub async fn abort(&self) {
        let aborted = async {
            match &self.way {
                Way::Parts { store, id } => drop(store.abort_multipart(&self.object, id).await),
                Way::Stream(upload) => drop(upload.lock().await.abort().await),
            }
        };
        let _ = tokio::time::timeout(self.wire.policy.attempt_idle, aborted).await;
    }

    fn refused(&self, error: &Error) -> RemoteError {
        RemoteError::Refused { object: self.object.to_string(), reason: reason(error), kind: ErrorKind::Config }
    }
}
