//! Many contents from the home at once, folders with all that is in them: what is here is not asked for, and what has
//! arrived before an interruption stays.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    path::Path,
};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use stemma_api::{
    bundle::{BUNDLE_BYTES_MAX, Item, RECORD_BYTES_MAX, RECORD_HEAD_BYTES, RECORDS_MAX, Record},
    types::{ContentClaim, ContentList, Resolved},
};
use stemma_core::{Digest, ErrorKind, Problem};
use stemma_store::{Store, StoreError, TreeChild};

use super::{blocking::blocking, download::broke_off, open::Session};
use crate::print::Output;

/// Longest node of a tree that is taken in.
const NODE_BYTES_MAX: usize = 64 << 20;

/// What came of asking for contents.
#[derive(Debug, Default)]
pub struct Fetched {
    /// Files and nodes of folders that were not here before.
    pub contents: u64,
    pub bytes: u64,
    /// What was asked for and is not at the home, or not whole.
    pub absent: Vec<Digest>,
}

/// Contents on their way. Nodes wait here until all that they name is stored.
#[derive(Default)]
struct Fetching {
    seen: HashSet<Digest>,
    /// With the size where it is known.
    waiting: Vec<(Digest, Option<u64>)>,
    nodes: Vec<(Digest, Bytes)>,
    children: HashMap<Digest, Vec<Digest>>,
    absent: HashSet<Digest>,
    fetched: Fetched,
}

impl Session {
    /// Brings content from the home into the workspace's store.
    pub async fn fetch(&self, digest: &Digest, output: &Output) -> Result<(), Problem> {
        let content = self.client.resolve(&self.project, &digest.to_string()).await?;
        if content.is_folder {
            return self.fetch_folder(content.digest, output).await;
        }
        let file = self.download(&content, &self.workspace()?.home_dir(), output).await?;
        let store = self.store()?.clone();
        blocking(move || store.put_file(file.path())).await?;
        Ok(())
    }

    /// Brings contents into the workspace's store, many small ones with one request.
    pub async fn fetch_all(&self, wanted: &BTreeSet<Digest>, output: &Output) -> Result<Fetched, Problem> {
        let store = self.store()?.clone();
        let mut fetching = Fetching::default();
        fetching.want(&store, wanted.iter().map(|digest| (*digest, None)));
        while !fetching.waiting.is_empty() {
            for (digest, size) in fetching.take_long() {
                self.fetch_file(digest, size, output).await?;
                fetching.count(size);
            }
            let asked = fetching.take_load();
            if !asked.is_empty() {
                self.fetch_bundle(&store, asked, &mut fetching, output).await?;
            }
        }
        blocking(move || fetching.finish(&store)).await.map(|mut fetched| {
            fetched.absent.retain(|digest| wanted.contains(digest));
            fetched
        })
    }

    /// Asks for contents and takes in what comes; what doesn't come waits on.
    async fn fetch_bundle(
        &self,
        store: &Store,
        asked: Vec<(Digest, Option<u64>)>,
        fetching: &mut Fetching,
        output: &Output,
    ) -> Result<(), Problem> {
        let (records, broken) = self.records(&asked).await;
        let mut remaining: HashMap<Digest, Option<u64>> = asked.iter().copied().collect();
        let mut files = Vec::new();
        for Record { digest, item } in records {
            if remaining.remove(&digest).is_none() {
                return Err(not_asked_for(&digest));
            }
            match item {
                Item::File(bytes) if Digest::of(&bytes) == digest => files.push(bytes),
                Item::File(_) => return Err(other_content(&digest)),
                Item::Node(bytes) => fetching.take_node(store, digest, bytes)?,
                Item::Absent => _ = fetching.absent.insert(digest),
                Item::LongFile(size) => {
                    self.fetch_file(digest, size, output).await?;
                    fetching.count(size);
                }
                Item::LongNode(_) => fetching.take_node(store, digest, self.node(&digest).await?.into())?,
            }
        }
        files.iter().for_each(|bytes| fetching.count(bytes.len() as u64));
        let to = store.clone();
        blocking(move || put_files(&to, &files)).await?;
        broken?;
        if remaining.len() == asked.len() {
            return Err(Problem::new(ErrorKind::Unavailable, "the server sent nothing of what it was asked for"));
        }
        fetching.waiting.extend(asked.into_iter().filter(|(digest, _)| remaining.contains_key(digest)));
        Ok(())
    }

    /// The records that came, and why no more came.
    async fn records(&self, asked: &[(Digest, Option<u64>)]) -> (Vec<Record>, Result<(), Problem>) {
        let claim = |(digest, size): &(Digest, Option<u64>)| ContentClaim {
            digest: *digest,
            size: size.unwrap_or(0),
            like: None,
        };
        let list = ContentList { contents: asked.iter().map(claim).collect() };
        let mut records = Vec::new();
        let mut body = match self.client.download_contents(&self.project, &list).await {
            Ok(body) => body,
            Err(problem) => return (records, Err(problem)),
        };
        let (mut arrived, mut size) = (BytesMut::new(), 0);
        while let Some(frame) = body.frame().await {
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => return (records, Err(broke_off(size, &error))),
            };
            let data = frame.data_ref().map_or(&[][..], |data| data);
            size += data.len() as u64;
            arrived.extend_from_slice(data);
            loop {
                match Record::take(&mut arrived) {
                    Ok(Some(record)) => records.push(record),
                    Ok(None) => break,
                    Err(problem) => return (records, Err(problem)),
                }
            }
            if records.len() > asked.len() || size > 2 * BUNDLE_BYTES_MAX as u64 {
                return (records, Err(Problem::new(ErrorKind::Corrupt, "the server sent more than it was asked for")));
            }
        }
        (records, Ok(()))
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
                return Err(other_content(digest));
            }
        }
        Ok(bytes)
    }

    /// Brings a folder with all that is in it into the workspace's store.
    pub async fn fetch_folder(&self, tree: Digest, output: &Output) -> Result<(), Problem> {
        match self.fetch_all(&BTreeSet::from([tree]), output).await?.absent.first() {
            Some(_) => Err(Problem::not_found(format!("content of the folder `{tree}` is not at the home"))),
            None => Ok(()),
        }
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

impl Fetching {
    fn want(&mut self, store: &Store, contents: impl Iterator<Item = (Digest, Option<u64>)>) {
        let new: Vec<(Digest, Option<u64>)> = contents.filter(|(digest, _)| self.seen.insert(*digest)).collect();
        let digests: Vec<Digest> = new.iter().map(|(digest, _)| *digest).collect();
        let missing: HashSet<Digest> = store.missing(&digests).into_iter().collect();
        self.waiting.extend(new.into_iter().filter(|(digest, _)| missing.contains(digest)));
    }

    fn take_node(&mut self, store: &Store, digest: Digest, bytes: Bytes) -> Result<(), Problem> {
        let children =
            store.check_tree_node(&digest, bytes.to_vec()).map_err(stemma_workspace::WorkspaceError::from)?;
        let size = |child: &TreeChild| match child {
            TreeChild::Node(_) => None,
            TreeChild::File { size, .. } => Some(*size),
        };
        self.want(store, children.iter().map(|child| (child.digest(), size(child))));
        self.children.insert(digest, children.iter().map(TreeChild::digest).collect());
        self.count(bytes.len() as u64);
        self.nodes.push((digest, bytes));
        Ok(())
    }

    fn count(&mut self, bytes: u64) {
        self.fetched.contents += 1;
        self.fetched.bytes += bytes;
    }

    /// What is known to be too long for a bundle.
    fn take_long(&mut self) -> Vec<(Digest, u64)> {
        let long = |size: Option<u64>| size.filter(|size| *size > RECORD_BYTES_MAX as u64);
        let found = self.waiting.iter().filter_map(|(digest, size)| Some((*digest, long(*size)?))).collect();
        self.waiting.retain(|(_, size)| long(*size).is_none());
        found
    }

    /// What is asked for next, as much as may come at once.
    fn take_load(&mut self) -> Vec<(Digest, Option<u64>)> {
        let mut bytes = 0;
        let fits = self.waiting.iter().take(RECORDS_MAX).take_while(|(_, size)| {
            bytes += size.unwrap_or(0) + RECORD_HEAD_BYTES as u64;
            bytes <= BUNDLE_BYTES_MAX as u64
        });
        let fits = fits.count();
        self.waiting.drain(..fits).collect()
    }

    /// Stores the nodes of which all is here.
    fn finish(mut self, store: &Store) -> Result<Fetched, StoreError> {
        let mut known = 0;
        while self.absent.len() > known {
            known = self.absent.len();
            let is_broken = |children: &[Digest]| children.iter().any(|child| self.absent.contains(child));
            let broken: Vec<Digest> =
                self.children.iter().filter(|(_, below)| is_broken(below)).map(|(node, _)| *node).collect();
            self.absent.extend(broken);
        }
        let mut batch = store.batch();
        for (node, bytes) in self.nodes.into_iter().rev().filter(|(node, _)| !self.absent.contains(node)) {
            batch.put_tree_node(&node, bytes.into())?;
        }
        batch.commit()?;
        self.fetched.absent = self.absent.into_iter().collect();
        self.fetched.absent.sort();
        Ok(self.fetched)
    }
}

fn put_files(store: &Store, files: &[Bytes]) -> Result<(), StoreError> {
    let mut batch = store.batch();
    for bytes in files {
        batch.put_bytes(bytes)?;
    }
    batch.commit()
}

fn other_content(digest: &Digest) -> Problem {
    Problem::new(ErrorKind::Corrupt, format!("what came is not `{digest}`")).hint("see `stemma verify` at the server")
}

fn not_asked_for(digest: &Digest) -> Problem {
    Problem::new(ErrorKind::Corrupt, format!("the server sent `{digest}`, which it was not asked for"))
        .hint("is it a Stemma server, and of this version?")
}
