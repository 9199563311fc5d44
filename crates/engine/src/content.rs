//! Content in a project: a digest grants nothing, only a reference in a project that the caller may read does.

use std::{collections::HashSet, io::Read as _, sync::Arc};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use stemma_api::types::{ContentClaim, ContentStored};
use stemma_core::{
    ContentId, Digest, ErrorKind, Problem, Sha256,
    name::ProjectName,
    pointer::{POINTER_BYTES_MAX, Pointer},
};
use stemma_onnx::Model;
use stemma_store::{BlobInfo, Store, StoreError};
use stemma_table::Source;

use crate::{
    Caller, Engine,
    problem::{internal, no_room},
    table::Table,
};

/// Largest model that is loaded into this process.
const MODEL_BYTES_MAX: u64 = 1 << 30;
/// Pieces in which content is sent.
const SEND_BYTES: usize = 256 << 10;
/// Most digests in one question.
const LIST_MAX: usize = 100_000;

/// Content that the project may read.
#[derive(Debug, Clone, Copy)]
pub struct Content {
    pub digest: Digest,
    pub sha256: Option<Sha256>,
    /// Of a folder the bytes of all its files.
    pub size: u64,
    /// It is a tree.
    pub is_folder: bool,
}

impl Engine {
    /// Which of the contents this project can't read; the answer says nothing about other projects.
    pub async fn missing_content(&self, project: &ProjectName, list: &[ContentClaim]) -> Result<Vec<Digest>, Problem> {
        if list.len() > LIST_MAX {
            return Err(Problem::invalid(format!("more than {LIST_MAX} digests in one question")));
        }
        let digests: Vec<Digest> = list.iter().map(|claim| claim.digest).collect();
        let missing = self.ungranted(project, &digests).await?;
        let unknown: HashSet<Digest> = missing.iter().copied().collect();
        let granted: Vec<Digest> = digests.iter().copied().filter(|digest| !unknown.contains(digest)).collect();
        let gone = self.keep_content(granted).await?;
        Ok(digests.into_iter().filter(|digest| unknown.contains(digest) || gone.contains(digest)).collect())
    }

    /// Makes sure that contents stay for a caller who is told that they need not be sent; returns what is not here.
    pub(crate) async fn keep_content(&self, digests: Vec<Digest>) -> Result<HashSet<Digest>, Problem> {
        if digests.is_empty() {
            return Ok(HashSet::new());
        }
        self.promise_content().await?;
        let store = self.store().clone();
        let kept = tokio::task::spawn_blocking(move || {
            let mut batch = store.batch();
            let mut gone = HashSet::new();
            for digest in digests {
                if !batch.keep(&digest)? {
                    gone.insert(digest);
                }
            }
            batch.commit().map(|()| gone)
        });
        kept.await.map_err(internal)?.map_err(store_problem)
    }

    /// Lets the project read contents that lie in the store already. For callers who can read the store's files anyway.
    pub async fn claim_content(&self, project: &ProjectName, list: &[ContentClaim]) -> Result<Vec<Digest>, Problem> {
        let wanted = self.missing_content(project, list).await?;
        let gone = self.keep_content(wanted.clone()).await?;
        let (mut present, mut absent) = (Vec::new(), Vec::new());
        for digest in wanted {
            match self.store_info(digest).await?.filter(|_| !gone.contains(&digest)) {
                Some(content) if content.is_folder => {
                    let like = list.iter().find(|claim| claim.digest == digest).and_then(|claim| claim.like);
                    present.extend(self.below(project, digest, like).await?);
                }
                Some(content) => present.push((digest, content.size)),
                None => absent.push(digest),
            }
        }
        self.grant_all(project, &present).await?;
        Ok(absent)
    }

    /// Stores a stream and grants it to the project; what arrives must have the digest that was announced.
    pub async fn upload_content(
        &self,
        project: &ProjectName,
        announced: Digest,
        stream: impl Stream<Item = Result<Bytes, Problem>> + Send + 'static,
    ) -> Result<ContentStored, Problem> {
        self.check_not_purged(project, announced).await?;
        self.promise_content().await?;
        let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(8);
        let store = self.store().clone();
        let writer = tokio::task::spawn_blocking(move || {
            let mut batch = store.batch();
            let info = batch.put_reader(ChannelReader { receiver, current: Bytes::new() })?;
            // content under another name than announced is not kept
            if info.digest == announced {
                batch.commit()?;
            }
            Ok::<_, StoreError>(info)
        });
        let mut stream = std::pin::pin!(stream);
        let mut broken = None;
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(|problem| {
                let failed = std::io::Error::other(problem.message.clone());
                broken = Some(problem);
                failed
            });
            if sender.send(piece).await.is_err() {
                break;
            }
        }
        drop(sender);
        let written = writer.await.map_err(internal)?;
        if let Some(problem) = broken {
            return Err(problem);
        }
        let info = written.map_err(store_problem)?;
        if info.digest != announced {
            return Err(Problem::invalid(format!("what arrived is {}, announced was {announced}", info.digest))
                .hint("the file changed while it was sent, or the connection damaged it; send it again"));
        }
        let content = Content::of_blob(info);
        self.grant(project, &content).await?;
        Ok(ContentStored { digest: content.digest, sha256: content.sha256, size: content.size })
    }

    /// Opens content as a stream that is verified piece by piece while it is read.
    pub async fn download_content(
        &self,
        caller: &Caller,
        project: &ProjectName,
        id: ContentId,
    ) -> Result<(u64, impl Stream<Item = Result<Bytes, std::io::Error>> + Send + use<>), Problem> {
        let digest = self.resolve_content(project, id).await?.ok_or_else(|| no_content(project, id))?;
        let content =
            self.content_for(caller, project, digest).await.map_err(|problem| as_asked(problem, project, id))?;
        let store = self.store().clone();
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        if content.is_folder {
            let node = Bytes::from(self.tree_node(digest).await?);
            let length = node.len() as u64;
            // the channel has room, and its other end is here
            let _ = sender.send(Ok(node)).await;
            return Ok((length, receive(receiver)));
        }
        tokio::task::spawn_blocking(move || send_blob(&store, digest, &sender));
        Ok((content.size, receive(receiver)))
    }

    /// Returns what is known of content that the project may read; anything else does not exist for it.
    pub(crate) async fn readable_content(&self, project: &ProjectName, digest: Digest) -> Result<Content, Problem> {
        let unknown = || no_content(project, digest);
        self.check_not_purged(project, digest).await?;
        if !self.ungranted(project, &[digest]).await?.is_empty() {
            return Err(unknown());
        }
        self.store_info(digest).await?.ok_or_else(unknown)
    }

    /// The same, and what only some who may read the project may read: the log of its predictions.
    pub(crate) async fn content_for(
        &self,
        caller: &Caller,
        project: &ProjectName,
        digest: Digest,
    ) -> Result<Content, Problem> {
        match self.readable_content(project, digest).await {
            Err(problem) if problem.kind == ErrorKind::NotFound => {
                self.sealed_content(caller, project, digest).await?.ok_or(problem)
            }
            found => found,
        }
    }

    /// The digest of content that is here; says so if it was removed for good.
    pub(crate) async fn resolve_content(
        &self,
        project: &ProjectName,
        id: ContentId,
    ) -> Result<Option<Digest>, Problem> {
        if let ContentId::Blake3(digest) = id {
            self.check_not_purged(project, digest).await?;
        }
        let store = self.store().clone();
        let resolved = tokio::task::spawn_blocking(move || store.resolve(&id));
        resolved.await.map_err(internal)?.map_err(store_problem)
    }

    pub(crate) async fn store_info(&self, digest: Digest) -> Result<Option<Content>, Problem> {
        let store = self.store().clone();
        let found = tokio::task::spawn_blocking(move || match store.tree_summary(&digest)? {
            Some(tree) => Ok(Some(Content { digest, sha256: None, size: tree.size, is_folder: true })),
            None => Ok(store.info(&digest)?.map(Content::of_blob)),
        });
        found.await.map_err(internal)?.map_err(store_problem)
    }

    /// Stores bytes that we made ourselves and grants them to the project.
    pub(crate) async fn put_content(&self, project: &ProjectName, bytes: Vec<u8>) -> Result<Digest, Problem> {
        self.promise_content().await?;
        let store = self.store().clone();
        let stored = tokio::task::spawn_blocking(move || store.put_bytes(&bytes));
        let info = stored.await.map_err(internal)?.map_err(store_problem)?;
        let content = Content::of_blob(info);
        self.grant(project, &content).await?;
        Ok(info.digest)
    }

    /// Reads whole content, verified. Callers have checked that the project may read it.
    pub(crate) async fn read_content(&self, digest: Digest, most: u64) -> Result<Vec<u8>, Problem> {
        let store = self.store().clone();
        let read = tokio::task::spawn_blocking(move || store.read(&digest, most));
        read.await.map_err(internal)?.map_err(store_problem)
    }

    pub(crate) async fn read_table(&self, name: &str, digest: Digest) -> Result<Table, Problem> {
        let (store, name) = (self.store().clone(), name.to_owned());
        let read = move || {
            let blob = store.open_blob(&digest).map_err(store_problem)?;
            if blob.len() <= POINTER_BYTES_MAX {
                refuse_pointer(&format!("`{name}`"), &store.read(&digest, POINTER_BYTES_MAX).map_err(store_problem)?)?;
            }
            let source: Source = Arc::new(blob);
            Table::read(&name, &source)
        };
        tokio::task::spawn_blocking(read).await.map_err(internal)?
    }

    /// Loads a model from its content; loaded ones are kept while an endpoint or an evaluation holds them.
    pub(crate) async fn load_model(&self, digest: Digest) -> Result<Arc<Model>, Problem> {
        if let Some(model) = self.loaded_model(digest) {
            return Ok(model);
        }
        let bytes = self.read_content(digest, MODEL_BYTES_MAX).await?;
        refuse_pointer(&format!("`{digest}`"), &bytes)?;
        let parsed = tokio::task::spawn_blocking(move || Model::parse(&bytes)).await.map_err(internal)?;
        let model = parsed.map_err(|error| {
            let problem = Problem::invalid(format!("`{digest}` can't be loaded as a model: {error}"));
            problem.hint("Stemma evaluates ONNX; export scikit-learn pipelines with skl2onnx")
        })?;
        Ok(self.keep_model(digest, model))
    }
}

/// Refuses what another tool left in the place of content.
/// Content that a project can't read, in the same words whether it is in another project or nowhere.
pub(crate) fn no_content(project: &ProjectName, id: impl std::fmt::Display) -> Problem {
    Problem::not_found(format!("there is no content `{id}` in project `{project}`"))
        .hint("upload it first; `stemma add` and `stemma register` do so")
}

/// The same of content that was asked for by another id than the one that is known here: a SHA-256 tells no digest.
pub(crate) fn as_asked(problem: Problem, project: &ProjectName, id: ContentId) -> Problem {
    if problem.kind == ErrorKind::NotFound { no_content(project, id) } else { problem }
}

pub(crate) fn refuse_pointer(what: &str, bytes: &[u8]) -> Result<(), Problem> {
    Pointer::read(bytes).map_or(Ok(()), |pointer| Err(pointer.refused(what)))
}

impl Content {
    fn of_blob(info: BlobInfo) -> Self {
        Self { digest: info.digest, sha256: Some(info.sha256), size: info.size, is_folder: false }
    }
}

pub(crate) fn receive(
    receiver: tokio::sync::mpsc::Receiver<Result<Bytes, std::io::Error>>,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send + use<> {
    futures::stream::unfold(receiver, |mut receiver| async move {
        let piece = receiver.recv().await?;
        Some((piece, receiver))
    })
}

fn send_blob(store: &Store, digest: Digest, sender: &tokio::sync::mpsc::Sender<Result<Bytes, std::io::Error>>) {
    let mut reader = match store.open_blob(&digest) {
        Ok(reader) => reader,
        Err(error) => {
            let _ = sender.blocking_send(Err(std::io::Error::other(error)));
            return;
        }
    };
    loop {
        let mut piece = vec![0; SEND_BYTES];
        let sent = match reader.read(&mut piece) {
            Ok(0) => return,
            Ok(read) => {
                piece.truncate(read);
                sender.blocking_send(Ok(Bytes::from(piece)))
            }
            Err(error) => {
                let _ = sender.blocking_send(Err(error));
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Reads what another task sends, on a blocking thread.
struct ChannelReader {
    receiver: tokio::sync::mpsc::Receiver<Result<Bytes, std::io::Error>>,
    current: Bytes,
}

impl std::io::Read for ChannelReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.current.is_empty() {
            match self.receiver.blocking_recv() {
                None => return Ok(0),
                Some(piece) => self.current = piece?,
            }
        }
        let length = buffer.len().min(self.current.len());
        buffer[..length].copy_from_slice(&self.current.split_to(length));
        Ok(length)
    }
}

pub(crate) fn store_problem(error: StoreError) -> Problem {
    let text = error.to_string();
    match error {
        StoreError::NotFound(_) => Problem::not_found(text),
        StoreError::Corrupt { .. } => Problem::new(ErrorKind::Corrupt, text)
            .hint("bring the content back: `stemma verify --repair` puts back what a tracked file still has"),
        StoreError::TooLarge { .. } => Problem::new(ErrorKind::TooLarge, text),
        StoreError::DiskFull { .. } => no_room("the disk that holds the content is full"),
        _ => Problem::new(ErrorKind::Config, text),
    }
}
