//! Many small contents in one request: what is stored is granted, in the order in which it came.

use std::collections::HashSet;

use bytes::Bytes;
use futures::Stream;
use stemma_api::{
    bundle::{BUNDLE_BYTES_MAX, Item, RECORD_BYTES_MAX, RECORDS_MAX, Record},
    types::ContentsStored,
};
use stemma_core::{Digest, Problem, name::ProjectName};
use stemma_store::{Batch, Store, StoreError};
use tokio::sync::mpsc::Sender;

use crate::{
    Engine, Known,
    content::{folder::names_what_the_project_lacks, transfer::receive},
    problem::{internal, store_problem},
};

/// Records that wait for a slow reader.
const RECORDS_WAITING_MAX: usize = 16;

/// What the nodes of a bundle name that does not come before them.
type Named = Vec<Digest>;

impl Known {
    /// Sends contents that the project may read as records, in the order in which they are asked for, until the bundle
    /// is full; whoever asks comes again for the rest.
    pub async fn download_bundle(
        &self,
        project: &ProjectName,
        digests: Vec<Digest>,
    ) -> Result<impl Stream<Item = Result<Bytes, std::io::Error>> + Send + use<>, Problem> {
        if digests.len() > RECORDS_MAX {
            return Err(Problem::invalid(format!("more than {RECORDS_MAX} contents in one request")));
        }
        let hidden: HashSet<Digest> = self.ungranted(project, &digests).await?.into_iter().collect();
        let store = self.store().clone();
        let (sender, receiver) = tokio::sync::mpsc::channel(RECORDS_WAITING_MAX);
        tokio::task::spawn_blocking(move || send_all(&store, &digests, &hidden, &sender));
        Ok(receive(receiver))
    }
}

impl Engine {
    /// Stores all contents of a bundle and grants them to the project, or none.
    pub async fn upload_bundle(&self, project: &ProjectName, records: Vec<Record>) -> Result<ContentsStored, Problem> {
        let digests: Vec<Digest> = records.iter().map(|record| record.digest).collect();
        self.known().check_none_purged(project, &digests).await?;
        self.promise_content().await?;
        let grants: Vec<(Digest, u64)> = records.iter().map(granted).collect();
        let bytes = records.iter().map(length).sum();
        let store = self.known().store().clone();
        let put = tokio::task::spawn_blocking(move || put_all(&store, records)).await.map_err(internal)?;
        let (batch, named) = put?;
        // a tree is no way to content of other projects
        if let Some(missing) = self.known().ungranted(project, &named).await?.first() {
            return Err(names_what_the_project_lacks(missing));
        }
        tokio::task::spawn_blocking(move || batch.commit()).await.map_err(internal)?.map_err(store_problem)?;
        self.grant_all(project, &grants).await?;
        Ok(ContentsStored { contents: grants.len() as u64, bytes })
    }
}

/// The size is counted as for contents that go alone: nodes take up none.
fn granted(record: &Record) -> (Digest, u64) {
    match &record.item {
        Item::File(bytes) => (record.digest, bytes.len() as u64),
        _ => (record.digest, 0),
    }
}

fn length(record: &Record) -> u64 {
    match &record.item {
        Item::File(bytes) | Item::Node(bytes) => bytes.len() as u64,
        _ => 0,
    }
}

fn put_all(store: &Store, records: Vec<Record>) -> Result<(Batch, Named), Problem> {
    let mut batch = store.batch();
    let (mut came, mut named) = (HashSet::new(), Vec::new());
    for Record { digest, item } in records {
        match item {
            Item::File(bytes) => put_file(&mut batch, digest, &bytes)?,
            Item::Node(bytes) => {
                let children = batch.put_tree_node(&digest, bytes.into());
                let children = children.map_err(|error| Problem::invalid(error.to_string()))?;
                named.extend(children.iter().map(|child| child.digest()).filter(|child| !came.contains(child)));
            }
            _ => return Err(Problem::invalid(format!("the record of `{digest}` holds no content"))),
        }
        came.insert(digest);
    }
    Ok((batch, named))
}

fn put_file(batch: &mut Batch, announced: Digest, bytes: &[u8]) -> Result<(), Problem> {
    let found = Digest::of(bytes);
    if found != announced {
        return Err(Problem::invalid(format!("what arrived is {found}, announced was {announced}"))
            .hint("the connection damaged it; send it again"));
    }
    batch.put_bytes(bytes).map(drop).map_err(store_problem)
}

fn send_all(
    store: &Store,
    digests: &[Digest],
    hidden: &HashSet<Digest>,
    sender: &Sender<Result<Bytes, std::io::Error>>,
) {
    let mut sent = 0;
    for digest in digests {
        let item = if hidden.contains(digest) { Ok(Item::Absent) } else { read(store, digest) };
        let mut bytes = Vec::new();
        let record = item.map(|item| Record { digest: *digest, item }.write(&mut bytes));
        sent += bytes.len();
        if sent > BUNDLE_BYTES_MAX {
            return;
        }
        let is_broken = record.is_err();
        let sending = record.map(|()| Bytes::from(bytes)).map_err(damage);
        if sender.blocking_send(sending).is_err() || is_broken {
            return;
        }
    }
}

fn damage(error: StoreError) -> std::io::Error {
    match error {
        StoreError::Corrupt { .. } => std::io::Error::new(std::io::ErrorKind::InvalidData, error),
        error => std::io::Error::other(error),
    }
}

fn read(store: &Store, digest: &Digest) -> Result<Item, StoreError> {
    let most = RECORD_BYTES_MAX as u64;
    match store.tree_node(digest) {
        Ok(node) if node.len() as u64 > most => return Ok(Item::LongNode(node.len() as u64)),
        Ok(node) => return Ok(Item::Node(node.into())),
        Err(StoreError::NotFound(_)) => {}
        Err(error) => return Err(error),
    }
    match store.info(digest)? {
        None => Ok(Item::Absent),
        Some(info) if info.size > most => Ok(Item::LongFile(info.size)),
        Some(_) => Ok(Item::File(store.read(digest, most)?.into())),
    }
}
