//! An object store that fails on purpose.

use std::{
    fmt,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    memory::InMemory,
    multipart::{MultipartStore, PartId},
    path::Path,
};

/// Works until a number of requests have been made, then never again: as if the client's machine died.
#[derive(Debug)]
pub struct Mortal {
    pub inner: Arc<InMemory>,
    left: AtomicUsize,
    reads_too: bool,
}

impl Mortal {
    /// Dies after so many writes.
    pub fn writing(inner: Arc<InMemory>, writes: usize) -> Arc<Self> {
        Arc::new(Self { inner, left: AtomicUsize::new(writes), reads_too: false })
    }

    /// Dies after so many reads of ranges.
    pub fn reading(inner: Arc<InMemory>, reads: usize) -> Arc<Self> {
        Arc::new(Self { inner, left: AtomicUsize::new(reads), reads_too: true })
    }

    fn step(&self, path: &Path, reads: bool) -> Result<()> {
        if reads != self.reads_too {
            return Ok(());
        }
        let lived = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        let dead = || Error::PermissionDenied { path: path.to_string(), source: "it is dead".into() };
        lived.map(drop).map_err(|_| dead())
    }
}

impl fmt::Display for Mortal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mortal")
    }
}

#[async_trait]
impl ObjectStore for Mortal {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.step(path, false)?;
        self.inner.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.step(path, options.range.is_some())?;
        self.inner.get_opts(path, options).await
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(path, ranges).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[async_trait]
impl MultipartStore for Mortal {
    async fn create_multipart(&self, path: &Path) -> Result<String> {
        self.step(path, false)?;
        self.inner.create_multipart(path).await
    }

    async fn put_part(&self, path: &Path, id: &String, number: usize, data: PutPayload) -> Result<PartId> {
        self.step(path, false)?;
        self.inner.put_part(path, id, number, data).await
    }

    async fn complete_multipart(&self, path: &Path, id: &String, parts: Vec<PartId>) -> Result<PutResult> {
        self.step(path, false)?;
        self.inner.complete_multipart(path, id, parts).await
    }

    async fn abort_multipart(&self, path: &Path, id: &String) -> Result<()> {
        self.inner.abort_multipart(path, id).await
    }
}
