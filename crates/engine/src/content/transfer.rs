//! Content in a project: a digest grants nothing, only a reference in a project that the caller may read does.

use std::{collections::HashSet, io::Read as _};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use stemma_api::types::{ContentClaim, ContentStored};
use stemma_core::{ContentId, Digest, ErrorKind, Problem, name::ProjectName};
use stemma_store::{Store, StoreError};

use crate::{
    Caller, Engine, Known,
    content::folder::{below, tree_node},
    known::content::{Content, as_asked, no_content},
    problem::{internal, store_problem},
};

/// Pieces in which content is sent.
const SEND_BYTES: usize = 256 << 10;
/// Most digests in one question.
const LIST_MAX: usize = 100_000;

impl Known {
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
            let node = Bytes::from(tree_node(self, digest).await?);
            let length = node.len() as u64;
            // the channel has room, and its other end is here
            let _ = sender.send(Ok(node)).await;
            return Ok((length, receive(receiver)));
        }
        tokio::task::spawn_blocking(move || send_blob(&store, digest, &sender));
        Ok((content.size, receive(receiver)))
    }

    /// The same, and what only some who may read the project may read: the log of its predictions.
    async fn content_for(&self, caller: &Caller, project: &ProjectName, digest: Digest) -> Result<Content, Problem> {
        match self.readable_content(project, digest).await {
            Err(problem) if problem.kind == ErrorKind::NotFound => {
                self.sealed_content(caller, project, digest).await?.ok_or(problem)
            }
            found => found,
        }
    }
}

impl Engine {
    /// Which of the contents this project can't read; the answer says nothing about other projects.
    pub async fn missing_content(&self, project: &ProjectName, list: &[ContentClaim]) -> Result<Vec<Digest>, Problem> {
        if list.len() > LIST_MAX {
            return Err(Problem::invalid(format!("more than {LIST_MAX} digests in one question")));
        }
        let digests: Vec<Digest> = list.iter().map(|claim| claim.digest).collect();
        let missing = self.known().ungranted(project, &digests).await?;
        let unknown: HashSet<Digest> = missing.iter().copied().collect();
        let granted: Vec<Digest> = digests.iter().copied().filter(|digest| !unknown.contains(digest)).collect();
        let gone = keep_content(self, granted).await?;
        Ok(digests.into_iter().filter(|digest| unknown.contains(digest) || gone.contains(digest)).collect())
    }

    /// Lets the project read contents that lie in the store already. For callers who can read the store's files anyway.
    pub async fn claim_content(&self, project: &ProjectName, list: &[ContentClaim]) -> Result<Vec<Digest>, Problem> {
        let wanted = self.missing_content(project, list).await?;
        let gone = keep_content(self, wanted.clone()).await?;
        let (mut present, mut absent) = (Vec::new(), Vec::new());
        for digest in wanted {
            match self.known().store_info(digest).await?.filter(|_| !gone.contains(&digest)) {
                Some(content) if content.is_folder => {
                    let like = list.iter().find(|claim| claim.digest == digest).and_then(|claim| claim.like);
                    present.extend(below(self.known(), project, digest, like).await?);
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
        self.known().check_not_purged(project, announced).await?;
        self.promise_content().await?;
        let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(8);
        let store = self.known().store().clone();
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
}

/// Makes sure that contents stay for a caller who is told that they need not be sent; returns what is not here.
pub(crate) async fn keep_content(engine: &Engine, digests: Vec<Digest>) -> Result<HashSet<Digest>, Problem> {
    if digests.is_empty() {
        return Ok(HashSet::new());
    }
    engine.promise_content().await?;
    let store = engine.known().store().clone();
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
