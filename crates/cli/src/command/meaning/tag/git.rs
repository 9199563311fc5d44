//! `stemma tag --git`: a version's tag in the repository around this folder.

use std::process::ExitCode;

use serde::Serialize;
use stemma_api::types::ModelVersion;
use stemma_core::{ErrorKind, Problem, name::TreePath, version::Naming};
use stemma_workspace::{Tagged, VersionTag, tag};

use crate::{argument::model_and_version, global::Global, print::Output, session};

/// What is said with `--json`.
#[derive(Debug, Serialize)]
struct Told {
    tag: String,
    commit: String,
    version: String,
    path: TreePath,
    unchanged: bool,
}

pub async fn run(version: &str, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let (model, version) = model_and_version(version)?;
    let workspace = session::require_workspace()?;
    let (version, naming) = session::with(global, async |session| {
        let version = session.client.version(&session.project, &model, &version).await?.version;
        Ok((version, session.client.policy(&session.project, &model).await?.policy.naming))
    })
    .await?;
    let (name, message) = (format!("{model}@{}", version.called(naming)), message(&version));
    let making = tokio::task::spawn_blocking({
        let name = name.clone();
        let version = version.clone();
        move || {
            let wanted =
                VersionTag { name: &name, content: version.digest, file_name: &version.file_name, message: &message };
            tag(&workspace, &wanted)
        }
    });
    let tagged = making.await.map_err(|error| Problem::new(ErrorKind::Internal, error.to_string()))??;
    let Tagged { commit, path, unchanged } = tagged;
    let told = Told { tag: name, commit, version: version.name(), path, unchanged };
    output.result(&told, || text(&told));
    Ok(ExitCode::SUCCESS)
}

/// What a tag says of its version to who has the repository and not the home.
fn message(version: &ModelVersion) -> String {
    let mut text = format!("{}\n\n{}\n\nStemma-Content: {}\n", version.name(), version.reason, version.digest);
    for (naming, name) in &version.names {
        let key = match naming {
            Naming::Semver => "Semver",
            Naming::Label => "Label",
            Naming::Integer => "Integer",
            Naming::TimestampHash => "Timestamp-Hash",
            Naming::Run => "Run",
        };
        text.push_str(&format!("Stemma-{key}: {name}\n"));
    }
    text
}

fn text(told: &Told) -> String {
    let there = if told.unchanged { "is there already" } else { "is made" };
    format!(
        "Git tag {} {there}: {} brought `{}` into stemma.lock\npush it with `git push origin {}`",
        told.tag,
        &told.commit[..told.commit.len().min(12)],
        told.path,
        told.tag
    )
}
