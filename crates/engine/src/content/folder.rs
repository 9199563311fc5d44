//! Folders as content: a tree is readable in a project only together with all that it names.

use std::collections::HashSet;

use bytes::Bytes;
use stemma_api::types::ContentStored;
use stemma_core::{Digest, ErrorKind, Problem, name::ProjectName};
use stemma_store::{StoreError, TreeChild};

use crate::{
    Engine, Known,
    problem::{internal, store_problem},
};

/// Longest node of a tree that is taken in.
pub const NODE_BYTES_MAX: usize = 64 << 20;

impl Engine {
    /// Stores one node of a tree and grants it to the project, which must be able to read all that the node names.
    pub async fn upload_tree_node(
        &self,
        project: &ProjectName,
        announced: Digest,
        bytes: Bytes,
    ) -> Result<ContentStored, Problem> {
        self.known().check_not_purged(project, announced).await?;
        self.promise_content().await?;
        let size = bytes.len() as u64;
        let store = self.known().store().clone();
        let put = move || {
            let mut batch = store.batch();
            let children = batch.put_tree_node(&announced, bytes.into())?;
            Ok::<_, StoreError>((batch, children))
        };
        let put = tokio::task::spawn_blocking(put).await.map_err(internal)?;
        let (batch, children) = put.map_err(|error| Problem::invalid(error.to_string()))?;
        let digests: Vec<Digest> = children.iter().map(TreeChild::digest).collect();
        // a tree is no way to content of other projects
        if let Some(missing) = self.known().ungranted(project, &digests).await?.first() {
            return Err(names_what_the_project_lacks(missing));
        }
        tokio::task::spawn_blocking(move || batch.commit()).await.map_err(internal)?.map_err(store_problem)?;
        self.grant_all(project, &[(announced, 0)]).await?;
        Ok(ContentStored { digest: announced, sha256: None, size })
    }
}

/// All of a tree that the project can't read yet, with the tree itself, all of it in the store.
///
/// What a node names is granted before the node or with it, so nothing below a granted node need be looked at.
///
/// `like` is another state of the folder, of which nothing is looked at that both have.
pub(crate) async fn below(
    known: &Known,
    project: &ProjectName,
    tree: Digest,
    like: Option<Digest>,
) -> Result<Vec<(Digest, u64)>, Problem> {
    if let Some(like) = like
        && known.ungranted(project, &[like]).await?.is_empty()
        && let Some(news) = tree_news(known, like, tree).await?
    {
        return present(known, tree, news).await;
    }
    let mut found: HashSet<TreeChild> = HashSet::new();
    let mut nodes = vec![tree];
    while !nodes.is_empty() {
        let ungranted = known.ungranted(project, &nodes).await?;
        nodes.clear();
        for (node, children) in tree_children(known, ungranted).await? {
            found.insert(TreeChild::Node(node));
            for child in children {
                match child {
                    TreeChild::Node(digest) => nodes.push(digest),
                    file @ TreeChild::File { .. } => _ = found.insert(file),
                }
            }
        }
    }
    present(known, tree, found.into_iter().collect()).await
}

/// Parts of a tree with their sizes, if the store has all its files.
async fn present(known: &Known, tree: Digest, parts: Vec<TreeChild>) -> Result<Vec<(Digest, u64)>, Problem> {
    let files = parts.iter().filter(|part| matches!(part, TreeChild::File { .. }));
    let digests: Vec<Digest> = files.map(TreeChild::digest).collect();
    let store = known.store().clone();
    let absent = tokio::task::spawn_blocking(move || store.missing(&digests)).await.map_err(internal)?;
    if let Some(absent) = absent.first() {
        return Err(Problem::not_found(format!("content `{absent}` of the folder `{tree}` is not in the store"))
            .hint("add the folder again, and see `stemma verify`"));
    }
    let size = |part: &TreeChild| match part {
        TreeChild::Node(_) => 0,
        TreeChild::File { size, .. } => *size,
    };
    Ok(parts.iter().map(|part| (part.digest(), size(part))).collect())
}

/// What a tree has that another one lacks; `None` if the other one is of no help: no tree, not here, or damaged.
async fn tree_news(known: &Known, before: Digest, after: Digest) -> Result<Option<Vec<TreeChild>>, Problem> {
    let store = known.store().clone();
    let read = tokio::task::spawn_blocking(move || store.tree_news(&before, &after));
    Ok(read.await.map_err(internal)?.ok())
}

async fn tree_children(known: &Known, nodes: Vec<Digest>) -> Result<Vec<(Digest, Vec<TreeChild>)>, Problem> {
    let store = known.store().clone();
    let read = move || nodes.into_iter().map(|node| Ok((node, store.tree_children(&node)?))).collect();
    let read: Result<_, StoreError> = tokio::task::spawn_blocking(read).await.map_err(internal)?;
    read.map_err(store_problem)
}

pub(crate) async fn tree_node(known: &Known, digest: Digest) -> Result<Vec<u8>, Problem> {
    let store = known.store().clone();
    let node = tokio::task::spawn_blocking(move || store.tree_node(&digest));
    node.await.map_err(internal)?.map_err(store_problem)
}

pub(crate) fn names_what_the_project_lacks(missing: &Digest) -> Problem {
    Problem::new(ErrorKind::Conflict, format!("the project has no `{missing}`, which the folder names"))
        .hint("send what is in a folder before the folder")
}
