//! Content from the workspace's store on its way to the home: what the home lacks, many small contents in one request.

use std::collections::HashSet;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, channel::Channel};
use indicatif::ProgressBar;
use stemma_api::{
    bundle::{BUNDLE_BYTES_MAX, Item, RECORD_BYTES_MAX, RECORD_HEAD_BYTES, RECORDS_MAX, Record},
    client::{Body, body_from},
    types::{ContentClaim, ContentList},
};
use stemma_core::{Digest, ErrorKind, Problem};
use stemma_store::{Store, StoreError, TreeChild};

use super::{blocking::blocking, open::Session};
use crate::print::Output;

/// Contents named in one question to the home.
const ASKED_MAX: usize = 10_000;
/// Bytes read from the store at a time while uploading.
const UPLOAD_CHUNK_BYTES: usize = 1 << 20;
/// Chunks that wait for the network.
const UPLOAD_CHUNKS_MAX: usize = 4;

/// Something that the home lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Piece {
    pub digest: Digest,
    pub size: u64,
    /// A node of a folder's tree.
    is_node: bool,
}

impl Session {
    /// Makes the project able to read these contents: claims them where the store is shared, else sends what is missing.
    /// A folder goes with all that is in it.
    pub async fn ensure_content(&self, contents: &[ContentClaim], output: &Output) -> Result<(), Problem> {
        if self.client.is_local() {
            return self.claim(contents).await;
        }
        let lacking = self.lacking(self.store()?, contents).await?;
        self.send(self.store()?, lacking, output).await
    }

    /// The same for contents of another store, such as that of a scratch folder.
    pub async fn ensure_content_of(
        &self,
        store: &Store,
        contents: &[ContentClaim],
        output: &Output,
    ) -> Result<(), Problem> {
        if self.client.is_local() {
            let (from, to) = (store.clone(), self.store()?.clone());
            let digests: Vec<Digest> = contents.iter().map(|content| content.digest).collect();
            blocking(move || copy(&from, &to, &digests)).await?;
            return self.claim(contents).await;
        }
        let lacking = self.lacking(store, contents).await?;
        self.send(store, lacking, output).await
    }

    async fn claim(&self, contents: &[ContentClaim]) -> Result<(), Problem> {
        for part in contents.chunks(ASKED_MAX) {
            let list = ContentList { contents: part.to_vec() };
            let answer = self.client.claim_content(&self.project, &list).await?;
            if let Some(digest) = answer.missing.first() {
                return Err(lost(digest));
            }
        }
        Ok(())
    }

    /// What the project can't read at the home yet of contents and all that is in folders among them, in an order in
    /// which nothing comes before what it names. One question for each level of the trees: what a node names is not
    /// asked for where the node is there.
    pub async fn lacking(&self, store: &Store, contents: &[ContentClaim]) -> Result<Vec<Piece>, Problem> {
        let (from, asked) = (store.clone(), contents.to_vec());
        let mut waiting: Vec<Piece> = blocking(move || asked.iter().map(|claim| piece(&from, claim)).collect()).await?;
        let (mut files, mut nodes) = (Vec::new(), Vec::new());
        while !waiting.is_empty() {
            let missing = self.missing(&waiting).await?;
            let (below, rest): (Vec<Piece>, Vec<Piece>) = missing.into_iter().partition(|piece| piece.is_node);
            files.extend(rest);
            let (from, opened) = (store.clone(), below.clone());
            waiting = blocking(move || children(&from, &opened)).await?;
            nodes.extend(below);
        }
        let mut seen = HashSet::new();
        Ok(files.into_iter().chain(nodes.into_iter().rev()).filter(|piece| seen.insert(piece.digest)).collect())
    }

    async fn missing(&self, pieces: &[Piece]) -> Result<Vec<Piece>, Problem> {
        let mut missing = Vec::new();
        for part in pieces.chunks(ASKED_MAX) {
            let contents =
                part.iter().map(|piece| ContentClaim { digest: piece.digest, size: piece.size, like: None }).collect();
            let answer = self.client.missing_content(&self.project, &ContentList { contents }).await?;
            let named: HashSet<Digest> = answer.missing.into_iter().collect();
            missing.extend(part.iter().filter(|piece| named.contains(&piece.digest)));
        }
        Ok(missing)
    }

    /// Sends pieces in their order, but long files first. What has arrived before an interruption is not lacking then.
    pub async fn send(&self, store: &Store, pieces: Vec<Piece>, output: &Output) -> Result<(), Problem> {
        let bar = output.progress(pieces.iter().map(|piece| piece.size).sum(), "sending");
        for load in loads(pieces) {
            match load.as_slice() {
                [piece] if is_long(piece) => self.send_alone(store, piece, &bar).await?,
                pieces => self.send_bundle(store, pieces, &bar).await?,
            }
        }
        bar.finish_and_clear();
        Ok(())
    }

    async fn send_bundle(&self, store: &Store, pieces: &[Piece], bar: &ProgressBar) -> Result<(), Problem> {
        let (from, packed) = (store.clone(), pieces.to_vec());
        let bundle = blocking(move || bundle(&from, &packed)).await?;
        self.client.upload_contents(&self.project, bundle).await?;
        bar.inc(pieces.iter().map(|piece| piece.size).sum());
        Ok(())
    }

    async fn send_alone(&self, store: &Store, piece: &Piece, bar: &ProgressBar) -> Result<(), Problem> {
        let digest = piece.digest;
        if piece.is_node {
            let from = store.clone();
            let node = blocking(move || from.tree_node(&digest)).await?;
            self.client.upload_tree_node(&self.project, &digest, body_from(Full::new(Bytes::from(node)))).await?;
            bar.inc(piece.size);
            return Ok(());
        }
        let watched = bar.clone();
        let body = stream(store, digest).await?.map_frame(move |frame| {
            watched.inc(frame.data_ref().map_or(0, |data| data.len() as u64));
            frame
        });
        self.client.upload_content(&self.project, &digest, body_from(body)).await?;
        Ok(())
    }
}

fn piece(store: &Store, claim: &ContentClaim) -> Result<Piece, StoreError> {
    match store.tree_node(&claim.digest) {
        Ok(node) => Ok(Piece { digest: claim.digest, size: node.len() as u64, is_node: true }),
        Err(StoreError::NotFound(_)) => Ok(Piece { digest: claim.digest, size: claim.size, is_node: false }),
        Err(error) => Err(error),
    }
}

fn children(store: &Store, nodes: &[Piece]) -> Result<Vec<Piece>, StoreError> {
    let mut seen = HashSet::new();
    let mut pieces = Vec::new();
    for node in nodes {
        for child in store.tree_children(&node.digest)?.into_iter().filter(|child| seen.insert(child.digest())) {
            pieces.push(match child {
                TreeChild::File { digest, size } => Piece { digest, size, is_node: false },
                TreeChild::Node(digest) => {
                    Piece { digest, size: store.tree_node(&digest)?.len() as u64, is_node: true }
                }
            });
        }
    }
    Ok(pieces)
}

fn is_long(piece: &Piece) -> bool {
    piece.size > RECORD_BYTES_MAX as u64
}

/// What goes in one request each: long contents alone, others together within the bounds of a bundle.
fn loads(pieces: Vec<Piece>) -> Vec<Vec<Piece>> {
    let is_long_file = |piece: &Piece| is_long(piece) && !piece.is_node;
    let (long, rest): (Vec<Piece>, Vec<Piece>) = pieces.into_iter().partition(is_long_file);
    let mut loads: Vec<Vec<Piece>> = long.into_iter().map(|piece| vec![piece]).collect();
    let (mut load, mut bytes) = (Vec::new(), 0);
    for piece in rest {
        let length = piece.size + RECORD_HEAD_BYTES as u64;
        let is_full = bytes + length > BUNDLE_BYTES_MAX as u64 || load.len() == RECORDS_MAX;
        if is_full || is_long(&piece) || load.last().is_some_and(is_long) {
            loads.push(std::mem::take(&mut load));
            bytes = 0;
        }
        bytes += length;
        load.push(piece);
    }
    loads.push(load);
    loads.retain(|load| !load.is_empty());
    loads
}

fn bundle(store: &Store, pieces: &[Piece]) -> Result<Bytes, StoreError> {
    let mut body = Vec::new();
    for Piece { digest, is_node, .. } in pieces {
        let item = match is_node {
            true => Item::Node(store.tree_node(digest)?.into()),
            false => Item::File(store.read(digest, RECORD_BYTES_MAX as u64)?.into()),
        };
        Record { digest: *digest, item }.write(&mut body);
    }
    Ok(body.into())
}

fn copy(from: &Store, to: &Store, digests: &[Digest]) -> Result<(), StoreError> {
    let mut batch = to.batch();
    for digest in digests.iter().filter(|digest| !to.contains(digest)) {
        batch.put_reader(from.open_blob(digest)?)?;
    }
    batch.commit()
}

/// Reads a blob as a stream with a bounded number of chunks in memory; verified chunk by chunk by the store.
async fn stream(store: &Store, digest: Digest) -> Result<Body, Problem> {
    let opened = store.clone();
    let reader = blocking(move || opened.open_blob(&digest)).await?;
    let (mut sender, body) = Channel::<Bytes, stemma_api::client::BoxError>::new(UPLOAD_CHUNKS_MAX);
    tokio::spawn(async move {
        let reader = std::sync::Arc::new(reader);
        let mut offset = 0;
        while offset < reader.len() {
            let part = reader.clone();
            let read = blocking(move || part.read_at(offset, UPLOAD_CHUNK_BYTES)).await;
            match read {
                Ok(bytes) => {
                    offset += bytes.len() as u64;
                    if sender.send_data(Bytes::from(bytes)).await.is_err() {
                        return; // the receiver went away and says why itself
                    }
                }
                Err(problem) => return sender.abort(Box::new(problem)),
            }
        }
    });
    Ok(body_from(body))
}

fn lost(digest: &Digest) -> Problem {
    Problem::new(ErrorKind::Corrupt, format!("content `{digest}` is not in the store any more"))
        .hint("add the file again, and see `stemma verify`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(n: u32, size: u64, is_node: bool) -> Piece {
        Piece { digest: Digest::of(&n.to_le_bytes()), size, is_node }
    }

    #[test]
    fn small_contents_go_together_and_nodes_after_what_they_name() {
        let long = RECORD_BYTES_MAX as u64 + 1;
        let pieces: Vec<Piece> = [(9, false), (long, false), (long - 1, false), (8, true), (long, true), (7, true)]
            .into_iter()
            .zip(0..)
            .map(|((size, is_node), n)| piece(n, size, is_node))
            .collect();
        let [file, long_file, other, node, long_node, root] = pieces[..] else { unreachable!() };
        assert_eq!(loads(pieces), [vec![long_file], vec![file, other, node], vec![long_node], vec![root]]);
        assert!(loads(Vec::new()).is_empty());
    }

    #[test]
    fn no_load_is_longer_than_a_bundle() {
        let many: Vec<Piece> = (0..10_000).map(|n| piece(n, 1000, false)).collect();
        assert_eq!(loads(many).iter().map(Vec::len).collect::<Vec<_>>(), [RECORDS_MAX, RECORDS_MAX, 1808]);
        let large: Vec<Piece> = (0..20).map(|n| piece(n, RECORD_BYTES_MAX as u64, false)).collect();
        assert_eq!(loads(large).iter().map(Vec::len).collect::<Vec<_>>(), [7, 7, 6]);
    }
}
