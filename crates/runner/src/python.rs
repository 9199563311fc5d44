//! The rung below tracing: Python reports its own opens through an audit hook.
//!
//! The hook comes in as a `sitecustomize` module at the head of `PYTHONPATH` and writes JSON lines to a file. It is
//! blind to readers written in C and to other programs, and silent under `python -I`, `-E` or `-S`.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    capture::{Capture, CaptureLevel, Stamp},
    recorder::{OldName, Opening, Recorder},
};

const HOOK: &str = include_str!("python/sitecustomize.py");
const LOG_VARIABLE: &str = "STEMMA_CAPTURE_LOG";
const LOG_BYTES_MAX: u64 = 512 << 20;

/// Device, inode, size, and the two times in nanoseconds.
type StampText = (u64, u64, u64, i64, i64);

/// One line of the hook's log.
#[derive(Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
enum Act {
    Start { path: PathBuf },
    Open { path: PathBuf, read: bool, write: bool, truncate: bool, before: Option<StampText> },
    Rename { from: PathBuf, path: PathBuf, replaced: bool },
    Link { from: PathBuf, path: PathBuf, replaced: bool },
    Remove { path: PathBuf },
    Symlink { path: PathBuf },
    List { path: PathBuf },
    Connect { host: String },
    Execute { path: PathBuf },
    Truncated,
}

/// The hook of one run; its files live until the run is over.
pub(crate) struct Hook {
    directory: tempfile::TempDir,
}

impl Hook {
    /// Writes the hook to a private folder and points the child's variables at it.
    pub fn install(variables: &mut BTreeMap<OsString, OsString>) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("stemma-hook-").tempdir()?;
        fs::write(directory.path().join("sitecustomize.py"), HOOK)?;
        File::create_new(log_path(directory.path()))?;
        let mut path = directory.path().as_os_str().to_owned();
        if let Some(present) = variables.get(OsStr::new("PYTHONPATH")).filter(|present| !present.is_empty()) {
            path.push(":");
            path.push(present);
        }
        variables.insert("PYTHONPATH".into(), path);
        variables.insert(LOG_VARIABLE.into(), log_path(directory.path()).into());
        Ok(Self { directory })
    }

    /// Where it reports, and lies itself: a command in a sandbox has to reach it.
    pub fn folder(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    /// Reads what was reported. A run in which no Python spoke up was not watched at all.
    pub fn finish(self) -> Capture {
        let mut recorder = Recorder::new(CaptureLevel::PythonHook);
        let Ok(log) = File::open(log_path(self.directory.path())) else {
            return Capture::empty(CaptureLevel::Declared);
        };
        let mut has_spoken = false;
        for line in BufReader::new(log.take(LOG_BYTES_MAX)).split(b'\n') {
            let Ok(line) = line else { break };
            if let Ok(act) = serde_json::from_slice::<Act>(&line) {
                has_spoken |= matches!(act, Act::Start { .. });
                replay(act, self.directory.path(), &mut recorder);
            }
        }
        if has_spoken { recorder.finish() } else { Capture::empty(CaptureLevel::Declared) }
    }
}

fn log_path(directory: &Path) -> PathBuf {
    directory.join("acts.jsonl")
}

fn replay(act: Act, own: &Path, recorder: &mut Recorder) {
    match act {
        Act::Start { path } | Act::Execute { path } => recorder.executed(path),
        Act::Open { path, .. } if path.starts_with(own) => {}
        Act::Open { path, read, write, truncate, before } => {
            let before = before.map(|(device, inode, size, mtime_ns, ctime_ns)| Stamp {
                device,
                inode,
                size,
                mtime_ns,
                ctime_ns,
            });
            let opening = Opening { read, write, truncate, create: write && before.is_none(), before };
            recorder.opened(&path, opening, || fs::metadata(&path).ok());
        }
        Act::Rename { from, path, replaced } => recorder.renamed(&from, &path, OldName::Gone, replaced),
        Act::Link { from, path, replaced } => recorder.renamed(&from, &path, OldName::Stays, replaced),
        Act::Remove { path } => recorder.removed(&path, None),
        Act::Symlink { path } => recorder.symlinked(&path),
        Act::List { path } if path.starts_with(own) => {}
        Act::List { path } => recorder.listed(&path),
        Act::Connect { host } => recorder.connected(host),
        Act::Truncated => recorder.lost_some(),
    }
}
