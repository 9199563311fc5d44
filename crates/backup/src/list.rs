//! Which backups there are.

use stemma_core::{ErrorKind, Problem};
use stemma_remote::Remote;

use crate::{
    manifest::{Manifest, id_of},
    place::MANIFESTS,
    problem::damaged,
};

/// A backup as a listing tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What people call it.
    pub id: String,
    /// What belongs to it, or why that can't be told.
    pub manifest: Result<Manifest, String>,
}

/// All backups of a place, oldest first; also those whose manifest is damaged.
pub async fn list(remote: &Remote) -> Result<Vec<Listed>, Problem> {
    let mut listed = Vec::new();
    for keepsake in remote.keepsakes(MANIFESTS).await? {
        let bytes = remote.keepsake(MANIFESTS, &keepsake).await?;
        let id = id_of(&keepsake.name).unwrap_or_else(|| keepsake.name.clone());
        listed.push(Listed { id, manifest: Manifest::read(&keepsake.name, &bytes) });
    }
    Ok(listed)
}

/// The backup that is meant: the one whose id begins so, or the newest. A newest one that is damaged is not passed over in
/// silence.
pub async fn choose(remote: &Remote, wanted: Option<&str>) -> Result<(String, Manifest), Problem> {
    let mut listed = list(remote).await?;
    if let Some(wanted) = wanted {
        listed.retain(|one| one.id.starts_with(wanted));
    }
    match (wanted, listed.len()) {
        (None, 0) => return Err(none()),
        (Some(wanted), 0) => {
            let problem = Problem::not_found(format!("there is no backup `{wanted}`"));
            return Err(problem.hint("`stemma backup TARGET --list` shows those that there are"));
        }
        (Some(wanted), 2..) => {
            let message = format!("`{wanted}` is the beginning of {} backups", listed.len());
            return Err(Problem::invalid(message).hint("write more of its id"));
        }
        _ => {}
    }
    let Listed { id, manifest } = listed.pop().ok_or_else(none)?;
    let manifest = manifest.map_err(|why| damaged(format!("the manifest of `{id}`: {why}")))?;
    Ok((id, manifest))
}

fn none() -> Problem {
    Problem::new(ErrorKind::NotFound, "there is no backup").hint(
        "is it the right folder or prefix? what was cut short before its end is no backup; `stemma backup` again goes on",
    )
}
