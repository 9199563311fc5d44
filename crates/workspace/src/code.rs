//! Which code it was: the commit, and what has changed since it.
//!
//! The changes are one text: a line for each untracked source file, then what `git diff` says. Secrets are taken out
//! before anybody stores it. `git apply` takes it as it is, unless a secret was in it.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use stemma_core::record::CodeVersion;
use stemma_core::redact::{SecretKind, redact_text};

use crate::{
    git::{Git, GitError},
    path::check_reserved,
    reserved::HEADS_FILE,
    stat_cache::{StatCache, digest_of},
};

const TIME_MAX: Duration = Duration::from_secs(20);
const DIFF_BYTES_MAX: u64 = 8 << 20;
const LIST_BYTES_MAX: u64 = 16 << 20;
/// Longest e-mail address (RFC 5321, 4.5.3.1).
const ADDRESS_BYTES_MAX: usize = 320;
const UNTRACKED_MAX: usize = 1000;
const UNTRACKED_BYTES_MAX: u64 = 16 << 20;
const SOURCE_EXTENSIONS: [&str; 23] = [
    "py", "pyi", "pyx", "ipynb", "r", "rmd", "jl", "sh", "sql", "scala", "java", "kt", "lua", "js", "ts", "pl", "rs",
    "go", "c", "cc", "cpp", "h", "cu",
];
const DIFF: [&str; 14] = [
    "diff",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--no-renames",
    "--no-relative",
    "--full-index",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--submodule=short",
    "--diff-algorithm=myers",
    "--no-indent-heuristic",
    "-U3",
    "-O/dev/null",
];

/// The code of a folder at one moment.
#[derive(Debug, Default)]
pub(crate) struct Code {
    /// Without `diff` and `files`.
    pub version: CodeVersion,
    /// What has changed since the commit, without secrets; `None` if nothing has.
    pub changes: Option<Vec<u8>>,
    pub redacted: BTreeSet<SecretKind>,
    /// What could not be found out, and why.
    pub notes: Vec<String>,
}

/// Looks at the repository around a folder; a folder in none has no version.
pub(crate) fn look(root: &Path, cache: &mut StatCache) -> Code {
    look_within(root, cache, TIME_MAX)
}

fn look_within(root: &Path, cache: &mut StatCache, time_max: Duration) -> Code {
    let git = Git::new(root, time_max);
    let mut code = Code::default();
    match git.ask(&["rev-parse", "--is-inside-work-tree"], 64) {
        Ok(answer) if answer.starts_with(b"true") => {}
        Ok(_) => return code,
        Err(GitError::Failed { message, .. }) if message.contains("not a git repository") => {
            return code;
        }
        Err(error) => {
            code.notes.push(unknown("the code version", &error));
            return code;
        }
    }
    if let Err(error) = fill(&git, &mut code) {
        code.notes.push(unknown("the code version", &error));
    }
    let mut changes = untracked(&git, root, cache, &mut code.notes);
    if code.version.commit.is_some() {
        changes.extend(diff(&git.with_patterns(), &mut code.notes));
    }
    code.changes = redact(changes, &mut code.redacted);
    code
}

fn unknown(what: &str, error: &GitError) -> String {
    format!("{what} is not known: {error}")
}

fn fill(git: &Git<'_>, code: &mut Code) -> Result<(), GitError> {
    let commit = git.ask_line(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?;
    code.version.commit = commit.filter(|text| is_commit(text));
    code.version.branch = git.ask_line(&["symbolic-ref", "--quiet", "--short", "HEAD"])?;
    code.version.remote = remote(git)?;
    if let Some(commit) = &code.version.commit {
        (code.version.author, code.version.committer) = identities(git, commit)?;
    }
    Ok(())
}

/// The e-mail addresses of a commit's author and committer as they stand in it: a `.mailmap` could say anything.
///
/// What is no address, or too long for one, is none.
fn identities(git: &Git<'_>, commit: &str) -> Result<(Option<String>, Option<String>), GitError> {
    let answer = git.ask(&["log", "-1", "--no-show-signature", "--format=%ae%n%ce", commit], LIST_BYTES_MAX)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let mut lines = answer.lines().map(|line| {
        let address = line.trim();
        (address.contains('@') && address.len() <= ADDRESS_BYTES_MAX).then(|| address.to_owned())
    });
    Ok((lines.next().flatten(), lines.next().flatten()))
}

/// SHA-1 or SHA-256.
fn is_commit(text: &str) -> bool {
    [40, 64].contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The address of `origin`, else of the first remote.
fn remote(git: &Git<'_>) -> Result<Option<String>, GitError> {
    let answer = git.ask(&["config", "--null", "--get-regexp", r"^remote\..*\.url$"], LIST_BYTES_MAX);
    let answer = match answer {
        Err(GitError::Failed { .. }) => return Ok(None),
        answer => String::from_utf8_lossy(&answer?).into_owned(),
    };
    let remotes: Vec<(&str, &str)> = answer.split('\0').filter_map(|entry| entry.split_once('\n')).collect();
    let origin = remotes.iter().find(|(key, _)| *key == "remote.origin.url");
    let chosen = origin.or(remotes.first());
    Ok(chosen.map(|(_, url)| without_credentials(url)))
}

/// Takes user, password, query and fragment out of an address.
fn without_credentials(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let bare = match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = match rest.find('/') {
                Some(slash) => rest.split_at(slash),
                None => (rest, ""),
            };
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        // scp's form: `user@host:path`
        None => match url.split_once('@') {
            Some((user, rest)) if !user.contains('/') => rest.to_owned(),
            _ => url.to_owned(),
        },
    };
    redact_text(&bare).text
}

fn diff(git: &Git<'_>, notes: &mut Vec<String>) -> Vec<u8> {
    // the heads of homes are no code, and grow with acts that follow a commit
    let without_heads = format!(":(exclude){HEADS_FILE}");
    let ask = |option: &[&str]| {
        let args = [&DIFF, option, &["HEAD", "--", ":(top)", &without_heads]].concat();
        git.ask(&args, DIFF_BYTES_MAX)
    };
    let whole = match ask(&["--binary"]) {
        Err(GitError::TooLong(_)) => {
            notes.push("the uncommitted changes are large; those of binary files are left out".into());
            ask(&[])
        }
        answer => answer,
    };
    let answer = match whole {
        Err(GitError::TooLong(_)) => {
            notes.push("the uncommitted changes are large; only the files' names are kept".into());
            ask(&["--raw", "--abbrev=40"])
        }
        answer => answer,
    };
    answer.unwrap_or_else(|error| {
        // an empty answer would say that nothing has changed
        let note = unknown("what has changed since the commit", &error);
        let text = format!("# {note}\n").into_bytes();
        notes.push(note);
        text
    })
}

/// A line for each source file below the folder that Git does not track: its digest and path.
fn untracked(git: &Git<'_>, root: &Path, cache: &mut StatCache, notes: &mut Vec<String>) -> Vec<u8> {
    let args = ["ls-files", "--others", "--exclude-standard", "-z", "--"];
    let answer = match git.ask(&args, LIST_BYTES_MAX) {
        Ok(answer) => answer,
        Err(error) => {
            let note = unknown("which source files are untracked", &error);
            let text = format!("# {note}\n").into_bytes();
            notes.push(note);
            return text;
        }
    };
    let paths: Vec<PathBuf> = answer
        .split(|b| *b == 0)
        .filter_map(|path| std::str::from_utf8(path).ok())
        .filter(|path| !path.contains('\n'))
        .map(PathBuf::from)
        .filter(|path| is_source(path) && check_reserved(path).is_ok())
        .collect();
    let mut text = String::new();
    for path in paths.iter().take(UNTRACKED_MAX) {
        let file = root.join(path);
        let is_listed = file.symlink_metadata().is_ok_and(|meta| meta.is_file() && meta.len() <= UNTRACKED_BYTES_MAX);
        if let Some(digest) = is_listed.then(|| digest_of(&file, cache).ok()).flatten() {
            writeln!(text, "# untracked {digest} {}", path.display()).expect("writing to a string can't fail");
        }
    }
    if let Some(more) = paths.len().checked_sub(UNTRACKED_MAX).filter(|n| *n > 0) {
        writeln!(text, "# untracked: {more} more").expect("writing to a string can't fail");
    }
    text.into_bytes()
}

fn is_source(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    SOURCE_EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str())
}

/// Takes the secrets out; bytes that are no UTF-8 stay as they are unless a secret is in the text.
fn redact(changes: Vec<u8>, redacted: &mut BTreeSet<SecretKind>) -> Option<Vec<u8>> {
    if changes.is_empty() {
        return None;
    }
    let clean = redact_text(&String::from_utf8_lossy(&changes));
    if clean.found.is_empty() {
        return Some(changes);
    }
    redacted.extend(clean.found);
    Some(clean.text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_their_credentials() {
        for (url, expected) in [
            ("https://ada:s3cret@git.example.org/a/b.git", "https://git.example.org/a/b.git"),
            ("https://token@git.example.org:8443/a", "https://git.example.org:8443/a"),
            ("https://a@b:c@git.example.org/x@y", "https://git.example.org/x@y"),
            ("https://git.example.org/a?private_token=x#y", "https://git.example.org/a"),
            ("git@git.example.org:a/b.git", "git.example.org:a/b.git"),
            ("ssh://git@git.example.org/a", "ssh://git.example.org/a"),
            ("/srv/git/a@b.git", "/srv/git/a@b.git"),
            ("https://ada:x@host", "https://host"),
        ] {
            assert_eq!(without_credentials(url), expected);
        }
    }

    #[test]
    fn a_deadline_that_is_over_is_noted_and_nothing_hangs() {
        let folder = tempfile::tempdir().unwrap();
        let code = look_within(folder.path(), &mut StatCache::default(), Duration::ZERO);
        assert!(code.notes[0].contains("too long"), "{:?}", code.notes);
        assert_eq!(code.version, CodeVersion::default());
    }

    #[test]
    fn who_committed_it_is_read_from_the_commit_and_not_from_a_map() {
        let folder = tempfile::tempdir().unwrap();
        let git = |args: &[&str]| {
            let mut command = std::process::Command::new("git");
            command.args(["-c", "user.name=Cy", "-c", "user.email=cy@example.org"]);
            let status = command.args(args).current_dir(folder.path()).status();
            assert!(status.unwrap().success());
        };
        let who = || {
            let version = look(folder.path(), &mut StatCache::default()).version;
            (version.author, version.committer)
        };
        git(&["init", "-q"]);
        assert_eq!(who(), (None, None));
        let map = "Eve <eve@example.org> <ada@example.org>\n";
        std::fs::write(folder.path().join(".mailmap"), map).unwrap();
        git(&["add", "."]);
        git(&["config", "log.mailmap", "true"]);
        git(&["commit", "-q", "-m", "one", "--author", "Ada <ada@example.org>"]);
        assert_eq!(who(), (Some("ada@example.org".into()), Some("cy@example.org".into())));
        // what is no address is none
        git(&["commit", "-q", "--allow-empty", "-m", "two", "--author", "Nobody <nobody>"]);
        assert_eq!(who(), (None, Some("cy@example.org".into())));
        let long = format!("Long <{}@example.org>", "a".repeat(400));
        git(&["commit", "-q", "--allow-empty", "-m", "three", "--author", &long]);
        assert_eq!(who(), (None, Some("cy@example.org".into())));
    }

    #[test]
    fn a_filter_that_never_ends_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let git = |args: &[&str]| {
            let mut command = std::process::Command::new("git");
            command.args(["-c", "user.name=Ada", "-c", "user.email=a@b"]);
            let status = command.args(args).current_dir(folder.path()).status();
            assert!(status.unwrap().success());
        };
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        git(&["init", "-q"]);
        write("a.py", "1");
        git(&["add", "a.py"]);
        git(&["commit", "-q", "-m", "all"]);
        write(".gitattributes", "*.py filter=slow");
        git(&["config", "filter.slow.clean", "sleep 1000; cat"]);
        write("a.py", "2");
        let mut cache = StatCache::default();
        let code = look_within(folder.path(), &mut cache, Duration::from_secs(1));
        assert!(code.notes.iter().any(|note| note.contains("too long")));
        if code.version.commit.is_some() {
            assert!(code.changes.is_some(), "it must not look clean");
        }
    }

    #[test]
    fn bytes_that_are_no_text_stay_unless_a_secret_is_among_them() {
        let mut found = BTreeSet::new();
        let harmless = b"+caf\xe9\n".to_vec();
        assert_eq!(redact(harmless.clone(), &mut found), Some(harmless));
        let leaking = b"+caf\xe9\n+password = \"hunter2\"\n".to_vec();
        let text = String::from_utf8(redact(leaking, &mut found).unwrap()).unwrap();
        assert!(!text.contains("hunter2"));
        assert_eq!(found.len(), 1);
    }
}
