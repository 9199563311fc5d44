//! Content from the workspace's store on its way to the home.

use bytes::Bytes;
use http_body_util::{BodyExt as _, channel::Channel};
use stemma_api::{
    client::{Body, body_from},
    types::{ContentClaim, ContentList},
};
use stemma_core::{Digest, ErrorKind, Problem};
use stemma_store::{Store, StoreError};

use super::{Session, blocking};
use crate::print::Output;

/// Contents named in one question to the home.
const CLAIMS_MAX: usize = 1000;
/// Bytes read from the store at a time while uploading.
const UPLOAD_CHUNK_BYTES: usize = 1 << 20;
/// Chunks that wait for the network.
const UPLOAD_CHUNKS_MAX: usize = 4;

impl Session {
    /// Makes the project able to read these contents: claims them where the store is shared, else sends what is missing.
    /// A folder goes with all that is in it.
    pub async fn ensure_content(&self, contents: &[ContentClaim], output: &Output) -> Result<(), Problem> {
        if self.client.is_local() {
            return self.ensure_blobs(contents, output).await;
        }
        let mut blobs = Vec::with_capacity(contents.len());
        for content in contents {
            let (store, digest) = (self.store()?.clone(), content.digest);
            match blocking(move || store.tree_summary(&digest)).await? {
                Some(_) => self.send_folder(digest, output).await?,
                None => blobs.push(content.clone()),
            }
        }
        self.ensure_blobs(&blobs, output).await
    }

    pub(super) async fn ensure_blobs(&self, contents: &[ContentClaim], output: &Output) -> Result<(), Problem> {
        for part in contents.chunks(CLAIMS_MAX) {
            let list = ContentList { contents: part.to_vec() };
            if self.client.is_local() {
                let answer = self.client.claim_content(&self.project, &list).await?;
                if let Some(digest) = answer.missing.first() {
                    return Err(lost(digest));
                }
            } else {
                let answer = self.client.missing_content(&self.project, &list).await?;
                self.upload(part, &answer.missing, output).await?;
            }
        }
        Ok(())
    }

    /// Those of the contents that this project can't read at the home yet.
    pub async fn missing(&self, contents: &[ContentClaim]) -> Result<Vec<ContentClaim>, Problem> {
        let mut missing = Vec::new();
        for part in contents.chunks(CLAIMS_MAX) {
            let answer = self.client.missing_content(&self.project, &ContentList { contents: part.to_vec() }).await?;
            missing.extend(part.iter().filter(|content| answer.missing.contains(&content.digest)).cloned());
        }
        Ok(missing)
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
            return self.ensure_content(contents, output).await;
        }
        for part in contents.chunks(CLAIMS_MAX) {
            let list = ContentList { contents: part.to_vec() };
            let answer = self.client.missing_content(&self.project, &list).await?;
            self.upload_from(store, part, &answer.missing, output).await?;
        }
        Ok(())
    }

    async fn upload(&self, contents: &[ContentClaim], missing: &[Digest], output: &Output) -> Result<(), Problem> {
        if missing.is_empty() {
            return Ok(());
        }
        self.upload_from(self.store()?, contents, missing, output).await
    }

    async fn upload_from(
        &self,
        store: &Store,
        contents: &[ContentClaim],
        missing: &[Digest],
        output: &Output,
    ) -> Result<(), Problem> {
        let wanted: Vec<&ContentClaim> = contents.iter().filter(|content| missing.contains(&content.digest)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let bar = output.progress(wanted.iter().map(|content| content.size).sum(), "sending");
        for content in wanted {
            let body = stream(store, content.digest).await?;
            let watched = bar.clone();
            let body = body_from(body.map_frame(move |frame| {
                watched.inc(frame.data_ref().map_or(0, |data| data.len() as u64));
                frame
            }));
            self.client.upload_content(&self.project, &content.digest, body).await?;
        }
        bar.finish_and_clear();
        Ok(())
    }
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
