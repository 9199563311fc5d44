//! Folders on their way to the home and back: node by node, so that what the other side has is not sent.

use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use stemma_api::{
    client::body_from,
    types::{ContentClaim, ContentList, Resolved},
};
use stemma_core::{Digest, ErrorKind, Problem};
use stemma_store::{StoreError, TreeChild};

use super::{Session, blocking};
use crate::print::Output;

/// Digests in one question to the home.
const ASKED_MAX: usize = 1000;
/// Longest node of a tree that is taken in.
const NODE_BYTES_MAX: usize = 64 << 20;

impl Session {
    /// Sends of a folder what the home lacks, files first.
    pub async fn send_folder(&self, tree: Digest, output: &Output) -> Result<(), Problem> {
        let (mut nodes, mut files) = (Vec::new(), Vec::new());
        let mut waiting = vec![tree];
        while !waiting.is_empty() {
            let missing = self.lacking(&waiting).await?;
            waiting.clear();
            let store = self.store()?.clone();
            let asked = missing.clone();
            let children = move || asked.iter().map(|node| store.tree_children(node)).collect::<Result<Vec<_>, _>>();
            for child in blocking(children).await?.into_iter().flatten() {
                match child {
                    TreeChild::Node(digest) => waiting.push(digest),
                    TreeChild::File { digest, size } => files.push(ContentClaim { digest, size }),
                }
            }
            nodes.extend(missing);
        }
        files.sort_by_key(|file| file.digest);
        files.dedup_by_key(|file| file.digest);
        self.ensure_blobs(&files, output).await?;
        for node in nodes.into_iter().rev() {
            let store = self.store()?.clone();
            let bytes = blocking(move || store.tree_node(&node)).await?;
            let body = body_from(Full::new(Bytes::from(bytes)).map_err(|never| match never {}));
            self.client.upload_tree_node(&self.project, &node, body).await?;
        }
        Ok(())
    }

    async fn lacking(&self, digests: &[Digest]) -> Result<Vec<Digest>, Problem> {
        let mut missing = Vec::new();
        for part in digests.chunks(ASKED_MAX) {
            let contents = part.iter().map(|digest| ContentClaim { digest: *digest, size: 0 }).collect();
            missing.extend(self.client.missing_content(&self.project, &ContentList { contents }).await?.missing);
        }
        Ok(missing)
    }

    /// Brings of a folder what the workspace's store lacks, the nodes last.
    pub async fn fetch_folder(&self, tree: Digest, output: &Output) -> Result<(), Problem> {
        let (mut nodes, mut waiting) = (Vec::new(), vec![tree]);
        let store = self.store()?.clone();
        while let Some(node) = waiting.pop() {
            let bytes = self.node(&node).await?;
            let (kept, checked) = (bytes.clone(), store.clone());
            let children = blocking(move || checked.batch().put_tree_node(&node, kept)).await?;
            for child in children.into_iter().filter(|child| !store.contains(&child.digest())) {
                match child {
                    TreeChild::Node(digest) => waiting.push(digest),
                    TreeChild::File { digest, size } => self.fetch_file(digest, size, output).await?,
                }
            }
            nodes.push((node, bytes));
        }
        blocking(move || {
            let mut batch = store.batch();
            for (node, bytes) in nodes.into_iter().rev() {
                batch.put_tree_node(&node, bytes)?;
            }
            batch.commit()
        })
        .await
    }

    async fn fetch_file(&self, digest: Digest, size: u64, output: &Output) -> Result<(), Problem> {
        let (name, kind) = (digest.to_string(), "content".to_owned());
        let file_name = digest.short();
        let content = Resolved { name, kind, digest, sha256: None, size, file_name, is_folder: false };
        let file = self.download(&content, &self.workspace()?.home_dir(), output).await?;
        let store = self.store()?.clone();
        blocking(move || store.put_file(file.path())).await?;
        Ok(())
    }

    async fn node(&self, digest: &Digest) -> Result<Vec<u8>, Problem> {
        let mut body = self.client.download_content(&self.project, digest).await?;
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                Problem::new(ErrorKind::Unavailable, format!("the folder `{digest}` broke off: {error}"))
            })?;
            bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
            if bytes.len() > NODE_BYTES_MAX {
                return Err(Problem::new(ErrorKind::Corrupt, format!("what came is not `{digest}`")));
            }
        }
        Ok(bytes)
    }

    /// Writes a folder that the workspace's store has, or brings it there first.
    pub async fn write_folder(&self, tree: Digest, place: &Path, output: &Output) -> Result<(), Problem> {
        let store = self.store()?.clone();
        let checked = store.clone();
        let whole = blocking(move || match checked.require_tree(&tree) {
            Err(StoreError::NotFound(_)) => Ok(false),
            whole => whole.map(|()| true),
        });
        if !whole.await? {
            self.fetch_folder(tree, output).await?;
        }
        let place = place.to_owned();
        blocking(move || store.materialize_tree(&tree, &place)).await
    }
}
