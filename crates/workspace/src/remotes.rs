//! The remotes that `stemma.toml` names, and the contents that a project's history names.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use stemma_core::{Digest, ErrorKind, Problem};

use crate::{
    Workspace, file,
    git::{Git, GitError},
    lock::{LOCK_FILE, Lock},
    settings::{REMOTE_NAME_MAX, RemoteSettings, SETTINGS_FILE, Settings, SettingsError, is_remote_name},
};

const SETTINGS_BYTES_MAX: u64 = 1 << 20;
const GIT_TIME_MAX: Duration = Duration::from_secs(600);
const HISTORY_BYTES_MAX: u64 = 256 << 20;
const LOCK_BYTES_MAX: u64 = 64 << 20;

/// Why the remotes in `stemma.toml` can't be changed, or a history not be read.
#[derive(Debug, thiserror::Error)]
pub enum RemotesError {
    #[error("`{0}` is no name of a remote")]
    Name(String),
    #[error("there is a remote `{0}` already")]
    Exists(String),
    #[error("there is no remote `{0}`")]
    NotFound(String),
    #[error("`{}` writes `{name}` in a way that is not changed by commands", .path.display())]
    ByHand { path: PathBuf, name: String },
    #[error("`{}`: {source}", .path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("the history can't be read: {0}")]
    History(String),
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

impl From<RemotesError> for Problem {
    fn from(error: RemotesError) -> Self {
        let message = error.to_string();
        match error {
            RemotesError::Name(_) => Self::invalid(message)
                .hint(format!("up to {REMOTE_NAME_MAX} of `a-z`, `0-9`, `-` and `_`, as in `origin`")),
            RemotesError::Exists(_) => {
                Self::new(ErrorKind::Conflict, message).hint("remove it first, or take another name")
            }
            RemotesError::NotFound(_) => Self::not_found(message).hint("see `stemma remote list`"),
            RemotesError::ByHand { .. } => Self::new(ErrorKind::Config, message).hint("change it with an editor"),
            RemotesError::Io { .. } => Self::new(ErrorKind::Config, message),
            RemotesError::History(_) => Self::new(ErrorKind::Config, message)
                .hint("`--all-commits` reads the Git repository that the workspace lies in"),
            RemotesError::Settings(error) => error.into(),
        }
    }
}

/// Adds a remote at the end of `stemma.toml`; all else in it stays as it is.
pub fn add_remote(workspace: &Workspace, name: &str, settings: &RemoteSettings) -> Result<(), RemotesError> {
    if !is_remote_name(name) {
        return Err(RemotesError::Name(name.to_owned()));
    }
    if workspace.settings().remotes.contains_key(name) {
        return Err(RemotesError::Exists(name.to_owned()));
    }
    let mut text = read(workspace)?;
    if !text.is_empty() {
        text.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
    }
    let quoted = |value: &str| toml::Value::from(value).to_string();
    let _ = writeln!(text, "[remote.{name}]\nurl = {}", quoted(&settings.url));
    for (key, value) in [("endpoint", &settings.endpoint), ("region", &settings.region)] {
        if let Some(value) = value {
            let _ = writeln!(text, "{key} = {}", quoted(value));
        }
    }
    if settings.allow_http {
        text.push_str("allow_http = true\n");
    }
    let mut expected = workspace.settings().clone();
    expected.remotes.insert(name.to_owned(), settings.clone());
    write(workspace, name, &text, &expected)
}

/// Where copies of a remote's indexes are kept, and which remote it is.
pub fn cache_of_remote(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.home_dir().join("remotes").join(name)
}

/// Takes the section of a remote out of `stemma.toml`, and forgets what is known of it.
pub fn remove_remote(workspace: &Workspace, name: &str) -> Result<(), RemotesError> {
    let mut expected = workspace.settings().clone();
    if expected.remotes.remove(name).is_none() {
        return Err(RemotesError::NotFound(name.to_owned()));
    }
    let text = read(workspace)?;
    let header = format!("[remote.{name}]");
    let mut kept = String::with_capacity(text.len());
    let mut within = false;
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        if bare.starts_with('[') {
            within = bare == header;
        }
        if !within {
            kept.push_str(line);
        }
    }
    let kept = kept.trim_end();
    let kept = if kept.is_empty() { String::new() } else { format!("{kept}\n") };
    write(workspace, name, &kept, &expected)?;
    let cache = cache_of_remote(workspace, name);
    match std::fs::remove_dir_all(&cache) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(RemotesError::Io { path: cache, source: error })
        }
        _ => Ok(()),
    }
}

fn read(workspace: &Workspace) -> Result<String, RemotesError> {
    let path = workspace.root().join(SETTINGS_FILE);
    let text = file::read(&path, SETTINGS_BYTES_MAX).map_err(|source| RemotesError::Io { path, source })?;
    Ok(text.unwrap_or_default())
}

/// Writes the file if it says exactly what is expected.
fn write(workspace: &Workspace, name: &str, text: &str, expected: &Settings) -> Result<(), RemotesError> {
    let path = workspace.root().join(SETTINGS_FILE);
    if Settings::parse(&path, text).ok().as_ref() != Some(expected) {
        return Err(RemotesError::ByHand { path, name: name.to_owned() });
    }
    file::replace(&path, text.as_bytes(), 0o666).map_err(|source| RemotesError::Io { path, source })
}

/// The contents that `stemma.lock` named in any commit of any branch; how many of its states can't be read.
pub fn contents_of_all_commits(workspace: &Workspace) -> Result<(BTreeSet<Digest>, u64), RemotesError> {
    let failed = |error: GitError| RemotesError::History(error.to_string());
    let git = Git::new(workspace.root(), GIT_TIME_MAX);
    let args = ["log", "--all", "-m", "--raw", "--no-abbrev", "--no-renames", "--format=", "--", LOCK_FILE];
    let states = git.ask(&args, HISTORY_BYTES_MAX).map_err(failed)?;
    let states: BTreeSet<String> = String::from_utf8_lossy(&states).lines().filter_map(blob_of).collect();
    let (mut contents, mut unreadable) = (BTreeSet::new(), 0);
    for state in states {
        let text = git.ask(&["cat-file", "blob", &state], LOCK_BYTES_MAX).map_err(failed)?;
        match Lock::parse(Path::new(LOCK_FILE), &String::from_utf8_lossy(&text)) {
            Ok(lock) => contents.extend(lock.entries().map(|(_, entry)| entry.digest)),
            Err(_) => unreadable += 1,
        }
    }
    Ok((contents, unreadable))
}

/// The new blob in a line such as `:100644 100644 <old> <new> M\tstemma.lock`.
fn blob_of(line: &str) -> Option<String> {
    let new = line.strip_prefix(':')?.split(' ').nth(3)?;
    let is_id = [40, 64].contains(&new.len()) && new.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_id && new.bytes().any(|byte| byte != b'0')).then(|| new.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn workspace(text: &str) -> (tempfile::TempDir, Workspace) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(SETTINGS_FILE), text).unwrap();
        let workspace = Workspace::open(folder.path()).unwrap();
        (folder, workspace)
    }

    fn text(folder: &tempfile::TempDir) -> String {
        fs::read_to_string(folder.path().join(SETTINGS_FILE)).unwrap()
    }

    #[test]
    fn a_remote_comes_and_goes_and_the_rest_stays() {
        let before = "# ours\nproject = \"p\"\n\n[run]\nvariables = [\"HOME\"] # why\n";
        let (folder, workspace) = workspace(before);
        let settings = RemoteSettings {
            url: "s3://b/\"odd\"".to_owned(),
            region: Some("eu".to_owned()),
            allow_http: true,
            ..RemoteSettings::default()
        };
        add_remote(&workspace, "origin", &settings).unwrap();
        let added = Workspace::open(folder.path()).unwrap();
        assert_eq!(added.settings().remotes["origin"], settings);
        assert!(text(&folder).starts_with(before));
        assert!(matches!(add_remote(&added, "origin", &settings), Err(RemotesError::Exists(_))));
        remove_remote(&added, "origin").unwrap();
        assert_eq!(text(&folder), before);
        assert!(matches!(remove_remote(&workspace, "other"), Err(RemotesError::NotFound(_))));
    }

    #[test]
    fn what_a_person_wrote_otherwise_is_left_to_them() {
        let before = "remote.origin = { url = \"x\" }\n";
        let (folder, workspace) = workspace(before);
        assert!(matches!(remove_remote(&workspace, "origin"), Err(RemotesError::ByHand { .. })));
        assert_eq!(text(&folder), before);
    }

    #[test]
    fn lines_of_git_name_new_states() {
        let (old, new, none) = ("a".repeat(40), "b".repeat(40), "0".repeat(40));
        assert_eq!(blob_of(&format!(":100644 100644 {old} {new} M\tstemma.lock")), Some(new));
        assert_eq!(blob_of(&format!(":100644 000000 {old} {none} D\tstemma.lock")), None);
        assert_eq!(blob_of("something else"), None);
    }
}
