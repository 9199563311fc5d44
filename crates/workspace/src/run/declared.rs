use std::path::PathBuf;

use stemma_core::lineage::Certainty;
use stemma_runner::Stamp;

use super::{captured::ContentKind, shelf::Seen};
use crate::{Workspace, file::stamp_of};

/// Files that `stemma.toml` names, as they were before the run: what is known of them where nobody watches.
pub(super) struct Declared {
    files: Vec<(PathBuf, Option<Stamp>)>,
}

impl Declared {
    pub fn look(workspace: &Workspace) -> Self {
        let settings = workspace.settings();
        let metrics = settings.run.metrics.as_ref().map(|path| path.as_str());
        let files = settings
            .roles
            .keys()
            .map(String::as_str)
            .chain(metrics)
            .chain(settings.run.params.iter().map(|path| path.as_str()))
            .map(|path| workspace.root().join(path))
            .map(|path| (stamp_of(&path), path))
            .map(|(stamp, path)| (path, stamp))
            .collect();
        Self { files }
    }

    /// Files that were there and stayed as they were count as read, and those that changed as written.
    pub fn seen(&self) -> impl Iterator<Item = Seen<'_>> {
        self.files.iter().filter_map(|(path, first)| {
            let last = stamp_of(path)?;
            let is_input = *first == Some(last);
            let (what, certainty) = if is_input {
                (ContentKind::Input, Certainty::Declared)
            } else {
                (ContentKind::Output, Certainty::Inferred)
            };
            Some(Seen { certainty, first: *first, last: Some(last), ..Seen::unseen(path, what) })
        })
    }
}
