//! Folders file by file, files by what they are.

use std::path::Path;

use serde::Serialize;
use stemma_core::Problem;
use stemma_store::{Store, TreeChange};

use super::{
    contents::{Contents, Options, compare},
    side::{ContentAt, Side},
    trees,
};
use crate::print::Output;

#[derive(Debug, Default, Serialize)]
pub struct Diff {
    pub files: Vec<FileDiff>,
    /// Changed files that are not listed.
    pub more_files: u64,
}

#[derive(Debug, Serialize)]
pub struct FileDiff {
    pub before: String,
    pub after: String,
    pub state: FileState,
    /// What is known of both; none if one is not there.
    pub contents: Option<Contents>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    Same,
    Added,
    Changed,
    Removed,
}

impl From<FileDiff> for Diff {
    fn from(file: FileDiff) -> Self {
        Self { files: vec![file], more_files: 0 }
    }
}

impl Diff {
    pub fn append_to(self, all: &mut Self) {
        all.files.extend(self.files);
        all.more_files += self.more_files;
    }
}

/// Folders file by file, files by what they are.
pub fn diff_any(before: &Side, after: &Side, options: &Options, output: &Output) -> Result<Diff, Problem> {
    let ContentAt::Stored(store, old) = &before.content else {
        return diff_sides(before, after, options, output).map(Diff::from);
    };
    let (changes, after_root) = match &after.content {
        ContentAt::Stored(_, new) if trees::is_tree(store, old)? && trees::is_tree(store, new)? => {
            (trees::between(store, old, new)?, None)
        }
        ContentAt::File(folder) if folder.is_dir() && trees::is_tree(store, old)? => {
            (trees::with_folder(store, old, folder)?, Some(folder.as_path()))
        }
        _ => return diff_sides(before, after, options, output).map(Diff::from),
    };
    let mut diff = Diff { files: Vec::new(), more_files: changes.more };
    let mut compared = 0;
    for change in changes.listed {
        let name = format!("{}/{}", after.name, change.path);
        let sides = sides_of(store, &change, &name, after_root).filter(|_| compared < options.shown);
        let file = match sides {
            Some((before, after)) => {
                compared += 1;
                diff_sides(&before, &after, options, output)?
            }
            None => FileDiff { before: name.clone(), after: name, state: state_of(&change), contents: None },
        };
        diff.files.push(file);
    }
    Ok(diff)
}

fn state_of(change: &TreeChange) -> FileState {
    match (&change.before, &change.after) {
        (None, _) => FileState::Added,
        (_, None) => FileState::Removed,
        _ => FileState::Changed,
    }
}

/// Both contents of a path of a folder, if there are files on both sides that differ in more than their rights.
fn sides_of(store: &Store, change: &TreeChange, name: &str, after_root: Option<&Path>) -> Option<(Side, Side)> {
    let (old, new) = (change.before.as_ref()?.digest()?, change.after.as_ref()?.digest()?);
    let content = match after_root {
        Some(root) => ContentAt::File(root.join(change.path.as_str())),
        None => ContentAt::Stored(store.clone(), new),
    };
    let side = |digest, content| Side {
        name: name.to_owned(),
        file_name: change.path.to_string(),
        digest: Some(digest),
        content,
    };
    (old != new).then(|| (side(old, ContentAt::Stored(store.clone(), old)), side(new, content)))
}

fn diff_sides(before: &Side, after: &Side, options: &Options, output: &Output) -> Result<FileDiff, Problem> {
    let contents = compare(before, after, options, output)?;
    let state = if matches!(contents, Contents::Same) { FileState::Same } else { FileState::Changed };
    Ok(FileDiff { before: before.name.clone(), after: after.name.clone(), state, contents: Some(contents) })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use stemma_core::Digest;
    use stemma_store::Tree;

    use super::*;

    fn stored(store: &Store, folder: &Path) -> Digest {
        let mut batch = store.batch();
        let tree = Tree::from_directory(&mut batch, folder).unwrap();
        batch.commit().unwrap();
        store.put_tree(&tree).unwrap()
    }

    /// What is told of each file: its name, how it differs, and whether its contents were compared.
    fn told(before: Digest, after: ContentAt, shown: usize, store: &Store) -> Vec<(String, FileState, bool)> {
        let side = |content| Side { name: "data".into(), file_name: "data".into(), digest: None, content };
        let (before, after) = (side(ContentAt::Stored(store.clone(), before)), side(after));
        let options = Options { key: Vec::new(), shown };
        let diff = diff_any(&before, &after, &options, &Output::quiet()).unwrap();
        diff.files.into_iter().map(|file| (file.after, file.state, file.contents.is_some())).collect()
    }

    #[test]
    fn a_folder_is_told_file_by_file_wherever_it_lies_and_as_many_are_compared_as_are_shown() {
        let home = tempfile::tempdir().unwrap();
        let (store, folder) = (Store::open(&home.path().join("content")).unwrap(), home.path().join("folder"));
        fs::create_dir_all(folder.join("b")).unwrap();
        for path in ["a", "b/one", "b/two", "same", "z"] {
            fs::write(folder.join(path), path).unwrap();
        }
        let before = stored(&store, &folder);
        fs::remove_file(folder.join("a")).unwrap();
        fs::write(folder.join("b/one"), "1").unwrap();
        fs::write(folder.join("b/two"), "2").unwrap();
        fs::write(folder.join("c"), "new").unwrap();
        let after = stored(&store, &folder);
        for shown in 0..4 {
            let expected = [
                ("data/a".to_owned(), FileState::Removed, false),
                ("data/b/one".to_owned(), FileState::Changed, shown > 0),
                ("data/b/two".to_owned(), FileState::Changed, shown > 1),
                ("data/c".to_owned(), FileState::Added, false),
            ];
            assert_eq!(told(before, ContentAt::File(folder.clone()), shown, &store), expected);
            assert_eq!(told(before, ContentAt::Stored(store.clone(), after), shown, &store), expected);
        }
    }
}
