//! Making a folder a workspace: `.stemma/`, a first `stemma.toml`, and a line in `.gitignore`.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::{
    HOME_DIR, Workspace, WorkspaceError,
    ignore::{self, IGNORE_FILE},
    settings::SETTINGS_FILE,
    workspace::{find_home, find_root, make_home},
};

const STARTER: &str = include_str!("starter.toml");

/// Whether a workspace may lie inside another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nesting {
    Refuse,
    Allow,
}

/// A folder that is a workspace now.
#[derive(Debug)]
pub struct Initialized {
    pub workspace: Workspace,
    /// What was made or changed, as paths from the root; empty if the folder was a workspace already.
    pub changed: Vec<&'static str>,
}

/// Makes a folder a workspace. What is there already stays as it is.
pub fn init(folder: &Path, nesting: Nesting) -> Result<Initialized, WorkspaceError> {
    let root = fs::canonicalize(folder).map_err(|error| WorkspaceError::io(folder, error))?;
    if let Some(surrounding) = find_root(&root)?
        && surrounding != root
        && nesting == Nesting::Refuse
    {
        return Err(WorkspaceError::Nested { folder: root, surrounding });
    }
    let mut changed = Vec::new();
    let (home, _) = find_home(&root);
    if !home.is_dir() {
        changed.push(HOME_DIR);
    }
    make_home(&home)?;
    if write_starter(&root.join(SETTINGS_FILE))? {
        changed.push(SETTINGS_FILE);
    }
    if ignore_home(&root.join(IGNORE_FILE))? {
        changed.push(IGNORE_FILE);
    }
    Ok(Initialized { workspace: Workspace::open(&root)?, changed })
}

fn write_starter(path: &PathBuf) -> Result<bool, WorkspaceError> {
    let mut file = match File::create_new(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        created => created.map_err(|error| WorkspaceError::io(path, error))?,
    };
    file.write_all(STARTER.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|error| WorkspaceError::io(path, error))?;
    Ok(true)
}

/// Appends `.stemma/` to `.gitignore` unless a line says so already.
fn ignore_home(path: &Path) -> Result<bool, WorkspaceError> {
    let ignored = match ignore::read(path) {
        Ok(present) if ignore::lines_of(&present).any(ignores_home) => Ok(false),
        Ok(_) => ignore::append(path, &[format!("{HOME_DIR}/")]),
        Err(error) => Err(error),
    };
    ignored.map_err(|error| WorkspaceError::io(path, error))
}

fn ignores_home(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let line = line.strip_prefix(b"/").unwrap_or(line);
    line.strip_suffix(b"/").unwrap_or(line) == HOME_DIR.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(folder: &Path, name: &str) -> String {
        fs::read_to_string(folder.join(name)).unwrap()
    }

    #[test]
    fn a_folder_becomes_a_workspace_once() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(IGNORE_FILE), "*.pyc").unwrap();
        let first = init(folder.path(), Nesting::Refuse).unwrap();
        assert_eq!(first.changed, [".stemma", "stemma.toml", ".gitignore"]);
        assert_eq!(read(folder.path(), IGNORE_FILE), "*.pyc\n.stemma/\n");

        fs::write(folder.path().join(SETTINGS_FILE), "project = \"mine\"").unwrap();
        let second = init(folder.path(), Nesting::Refuse).unwrap();
        assert!(second.changed.is_empty());
        assert!(second.workspace.settings().project.is_some());
        assert_eq!(read(folder.path(), IGNORE_FILE), "*.pyc\n.stemma/\n");
    }

    #[test]
    fn the_first_settings_declare_nothing_and_their_example_is_right() {
        let path = Path::new(SETTINGS_FILE);
        let starter = crate::Settings::parse(path, STARTER).unwrap();
        assert_eq!(starter, crate::Settings::default());
        let example: String = STARTER
            .lines()
            .filter_map(|line| line.strip_prefix("# "))
            .filter(|line| line.starts_with('[') || line.contains(" = "))
            .map(|line| format!("{line}\n"))
            .collect();
        let settings = crate::Settings::parse(path, &example).unwrap();
        assert_eq!(settings.models.len(), 1, "{example}");
        assert!(settings.project.is_some());
    }

    #[test]
    fn a_workspace_inside_another_is_made_only_on_request() {
        let folder = tempfile::tempdir().unwrap();
        init(folder.path(), Nesting::Refuse).unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let refused = init(&inner, Nesting::Refuse);
        assert!(matches!(refused, Err(WorkspaceError::Nested { .. })));
        assert!(!inner.join(HOME_DIR).exists());
        let allowed = init(&inner, Nesting::Allow).unwrap();
        assert_eq!(allowed.workspace.root(), fs::canonicalize(&inner).unwrap());
    }

    #[test]
    fn a_linked_ignore_file_is_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere");
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(&elsewhere, "mine").unwrap();
        std::os::unix::fs::symlink(&elsewhere, inner.join(IGNORE_FILE)).unwrap();
        assert!(init(&inner, Nesting::Refuse).is_err());
        assert_eq!(read(folder.path(), "elsewhere"), "mine");
    }
}
