//! Which run made the content that is registered.

use std::collections::HashMap;

use stemma_api::types::RegisterVersion;
use stemma_core::{
    Digest, Problem, Timestamp,
    id::RunId,
    lineage::{Certainty, origin::FileUse},
    name::ProjectName,
    record::RunRecord,
};
use stemma_store::TreeEntry;

use crate::{
    Known,
    known::Content,
    lineage::trace::{writer_now, writers_now},
    problem::{internal, store_problem},
};

/// Files of a folder whose writers are looked for: a model's folder has fewer.
const FILES_MAX: usize = 10_000;

/// The run that wrote the content, and how surely: the one that was named, else the last that wrote to its path.
pub(crate) async fn run_registered(
    known: &Known,
    project: &ProjectName,
    content: &Content,
    register: &RegisterVersion,
) -> Result<Option<(RunRecord, Certainty)>, Problem> {
    let files = match content.is_folder {
        true => files_of(known, content.digest).await?,
        false => vec![(String::new(), content.digest)],
    };
    if let Some(run) = register.run {
        let run = wrote(known.run_record(project, run).await?, &files)?;
        return Ok(Some((run, Certainty::Observed)));
    }
    let RegisterVersion { digest, path, workspace, .. } = register;
    let found = match content.is_folder {
        false => writer_now(known, project, *digest, path.as_deref(), *workspace).await?,
        true => last_writer(known, project, register, &files).await?,
    };
    match found {
        Some((run, certainty)) => Ok(Some((known.run_record(project, run).await?, certainty))),
        None => Ok(None),
    }
}

/// The run that wrote last to a folder that is as it was left. If files of it are of another run, or of none, then that
/// the folder as a whole is of this one is only inferred.
async fn last_writer(
    known: &Known,
    project: &ProjectName,
    register: &RegisterVersion,
    files: &[(String, Digest)],
) -> Result<Option<(RunId, Certainty)>, Problem> {
    let now = Timestamp(i64::MAX);
    let path = |file: &str| register.path.as_ref().map(|folder| format!("{folder}/{file}")).unwrap_or_default();
    let used = |(file, digest): &(String, Digest)| FileUse {
        path: path(file),
        digest: *digest,
        workspace: register.workspace,
        since: now,
        until: now,
        run: None,
    };
    let uses: Vec<FileUse> = files.iter().map(used).collect();
    let found = writers_now(known, project, &uses).await?;
    let mut runs: HashMap<RunId, (Timestamp, Certainty, usize)> = HashMap::new();
    for (write, certainty) in found.into_iter().flatten() {
        let run = runs.entry(write.run).or_insert((write.ended, certainty, 0));
        *run = (run.0.max(write.ended), run.1.max(certainty), run.2 + 1);
    }
    let last = runs.into_iter().max_by_key(|(run, (ended, ..))| (*ended, *run));
    Ok(last.map(|(run, (_, certainty, count))| match count == files.len() {
        true => (run, certainty),
        false => (run, Certainty::Inferred.max(certainty)),
    }))
}

/// Paths and contents of a folder's files, as far as they are looked at.
async fn files_of(known: &Known, tree: Digest) -> Result<Vec<(String, Digest)>, Problem> {
    let store = known.store().clone();
    let read = move || {
        let entries = store.tree_entries(&tree).map_err(store_problem)?;
        let mut files = Vec::new();
        for entry in entries.ok_or_else(|| internal(format!("the tree `{tree}` is not here")))? {
            if let (path, TreeEntry::File { digest, .. }) = entry.map_err(store_problem)? {
                files.push((path.to_string(), digest));
            }
            if files.len() == FILES_MAX {
                break;
            }
        }
        Ok(files)
    };
    tokio::task::spawn_blocking(read).await.map_err(internal)?
}

/// Only a run that wrote the content can have produced it: its inputs decide what the version may be judged on.
fn wrote(run: RunRecord, files: &[(String, Digest)]) -> Result<RunRecord, Problem> {
    if run.outputs.iter().any(|output| files.iter().any(|(_, digest)| *digest == output.digest)) {
        return Ok(run);
    }
    Err(Problem::invalid(format!("run `{}` did not write this content", run.id))
        .hint(format!("`stemma show {}` lists what it wrote", run.id)))
}
