//! Which write a file came from. A digest says what bytes are, not who made them: several runs may have written the
//! same, so a use is told by path and time first.

use super::Certainty;
use crate::{
    Digest, Timestamp,
    id::{RunId, WorkspaceId},
};

/// A file that was read, added or registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileUse {
    pub path: String,
    pub digest: Digest,
    /// Absent if nobody said in which folder the path is.
    pub workspace: Option<WorkspaceId>,
    /// It was read at some time from here …
    pub since: Timestamp,
    /// … to here.
    pub until: Timestamp,
    /// The run that read it: never the one whose write it read.
    pub run: Option<RunId>,
}

/// A file that a run left behind, at some time from its start to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileWrite {
    pub run: RunId,
    pub path: String,
    pub digest: Digest,
    pub workspace: Option<WorkspaceId>,
    pub started: Timestamp,
    pub ended: Timestamp,
}

/// The writes of other runs that may be the one a use goes back to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Candidates {
    /// The newest to this path, of whatever bytes, by a run that had ended when the use began.
    pub before: Option<FileWrite>,
    /// The newest of these bytes to this path by a run that ended while the use went on.
    pub meanwhile: Option<FileWrite>,
    /// The newest of these bytes to any path, by a run that had ended and had not read these bytes itself.
    pub elsewhere: Option<FileWrite>,
}

impl Candidates {
    /// The write to the very path that the use goes back to, and how surely.
    ///
    /// It is observed if it was the last write to this path in the same folder before the use began. A write of the
    /// same bytes that may have come in between, or a folder that is not known, makes it inferred.
    pub fn by_path(&self, used: &FileUse) -> Option<(&FileWrite, Certainty)> {
        let before = self.before.as_ref().filter(|write| write.digest == used.digest);
        match (before, &self.meanwhile) {
            (Some(write), None) if used.workspace.is_some() && used.workspace == write.workspace => {
                Some((write, Certainty::Observed))
            }
            (Some(write), _) => Some((write, Certainty::Inferred)),
            (None, Some(write)) => Some((write, Certainty::Inferred)),
            (None, None) => None,
        }
    }

    /// A write of the same bytes elsewhere, when the path says nothing.
    pub fn by_bytes(&self) -> Option<(&FileWrite, Certainty)> {
        self.elsewhere.as_ref().map(|write| (write, Certainty::Inferred))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(run: u128, bytes: &str, workspace: Option<u128>) -> FileWrite {
        FileWrite {
            run: RunId::from_u128(run),
            path: "clean.csv".into(),
            digest: Digest::of(bytes.as_bytes()),
            workspace: workspace.map(WorkspaceId::from_u128),
            started: Timestamp(0),
            ended: Timestamp(1),
        }
    }

    #[test]
    fn a_use_goes_back_to_the_last_write_to_its_path() {
        use Certainty::{Inferred, Observed};
        let (here, there, unknown) = (Some(1), Some(2), None);
        for (what, workspace, before, meanwhile, elsewhere, path, bytes) in [
            ("written here", here, Some(write(1, "x", here)), None, None, Some((1, Observed)), None),
            ("written in another folder", here, Some(write(1, "x", there)), None, None, Some((1, Inferred)), None),
            ("written long ago", here, Some(write(1, "x", unknown)), None, None, Some((1, Inferred)), None),
            ("read long ago", unknown, Some(write(1, "x", unknown)), None, None, Some((1, Inferred)), None),
            (
                "written again meanwhile",
                here,
                Some(write(1, "x", here)),
                Some(write(2, "x", here)),
                None,
                Some((1, Inferred)),
                None,
            ),
            (
                "written meanwhile",
                here,
                Some(write(1, "y", here)),
                Some(write(2, "x", here)),
                None,
                Some((2, Inferred)),
                None,
            ),
            (
                "overwritten since",
                here,
                Some(write(1, "y", here)),
                None,
                Some(write(3, "x", here)),
                None,
                Some((3, Inferred)),
            ),
            ("made by nobody we know", here, None, None, None, None, None),
        ] {
            let used = FileUse {
                path: "clean.csv".into(),
                digest: Digest::of(b"x"),
                workspace: workspace.map(WorkspaceId::from_u128),
                since: Timestamp(2),
                until: Timestamp(3),
                run: None,
            };
            let candidates = Candidates { before, meanwhile, elsewhere };
            let told = |found: Option<(&FileWrite, Certainty)>| found.map(|(write, certainty)| (write.run, certainty));
            let wanted =
                |found: Option<(u128, Certainty)>| found.map(|(run, certainty)| (RunId::from_u128(run), certainty));
            assert_eq!(told(candidates.by_path(&used)), wanted(path), "{what}");
            assert_eq!(told(candidates.by_bytes()), wanted(bytes), "{what}");
        }
    }
}
