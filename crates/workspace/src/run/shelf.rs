//! Puts the files that a run touched into the store, as they are now, and says what it could not keep.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use stemma_core::{
    Digest, Timestamp,
    hermetic::Gap,
    lineage::Certainty,
    record::FileRef,
    redact::{SecretKind, redact_text},
};
use stemma_runner::{FileAccess, Stamp};
use stemma_store::{Batch, BlobInfo, Store, StoreError};

use super::{
    captured::{ContentKind, RunContent},
    sensitive,
};
use crate::{
    Workspace,
    file::{is_reached_directly, stamp_of},
    stat_cache::{StatCache, moment_to_read},
};

const NOTES_MAX: usize = 100;
/// Longest text that is searched for secrets.
const SEARCHED_BYTES_MAX: u64 = 1 << 20;
/// How often a file that changes while it is read is read again.
const ATTEMPTS: usize = 3;

/// A batch of content, with what it is for.
pub(super) struct Shelf<'a> {
    workspace: &'a Workspace,
    store: &'a Store,
    batch: Batch,
    pub cache: StatCache,
    contents: BTreeMap<Digest, RunContent>,
    pub redacted: BTreeSet<SecretKind>,
    pub notes: Vec<String>,
    /// What could not be kept.
    pub gaps: Vec<Gap>,
    follows_links: bool,
}

/// All that the shelf has collected, safe in the store.
pub(super) struct Shelved {
    pub contents: Vec<RunContent>,
    pub notes: Vec<String>,
}

/// A file of a run, before it is on the shelf.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub path: &'a Path,
    pub what: ContentKind,
    pub certainty: Certainty,
    /// At the first open.
    pub first: Option<Stamp>,
    /// When the run ended; if the file is different by now, something else has changed it.
    pub last: Option<Stamp>,
    pub mutated: bool,
    /// Where its content lies, if the run has changed the file since it read it.
    pub aside: Option<&'a Path>,
    pub read_at: Option<Timestamp>,
    pub written_at: Option<Timestamp>,
}

impl<'a> Seen<'a> {
    /// A file of which nothing is known but that it is one.
    pub fn unseen(path: &'a Path, what: ContentKind) -> Self {
        Self {
            path,
            what,
            certainty: Certainty::Observed,
            first: None,
            last: None,
            mutated: false,
            aside: None,
            read_at: None,
            written_at: None,
        }
    }

    pub fn observed(access: &'a FileAccess, what: ContentKind) -> Self {
        let is_output = what == ContentKind::Output;
        Self {
            first: access.first,
            last: access.last,
            mutated: access.mutated && !is_output,
            aside: access.aside.as_deref().filter(|_| !is_output),
            read_at: access.read_at.filter(|_| !is_output),
            written_at: access.written_at.filter(|_| is_output),
            ..Self::unseen(&access.path, what)
        }
    }
}

/// What became of a file.
enum Put {
    Stored(BlobInfo),
    /// Another text than the file's own: secrets were taken out.
    Redacted(BlobInfo),
    Skipped(String),
}

impl<'a> Shelf<'a> {
    pub fn new(workspace: &'a Workspace, store: &'a Store, cache: StatCache) -> Self {
        Self {
            workspace,
            store,
            batch: store.batch(),
            cache,
            contents: BTreeMap::new(),
            redacted: BTreeSet::new(),
            notes: Vec::new(),
            gaps: Vec::new(),
            follows_links: true,
        }
    }

    /// Keeps no file that is reached by a link. The capture's names have none in them: one that has become one leads to
    /// what the command could perhaps not read itself.
    pub fn without_links(self) -> Self {
        Self { follows_links: false, ..self }
    }

    /// Whether what lies at a path may be kept.
    pub fn may_read(&self, path: &Path) -> bool {
        self.follows_links || is_reached_directly(path)
    }

    /// Notes a file whose content is not held.
    pub fn miss(&mut self, path: String, what: ContentKind, why: String) {
        self.gaps.push(match what {
            ContentKind::Output => Gap::NotWritten { path, why },
            _ => Gap::NotRead { path, why },
        });
    }

    pub fn note(&mut self, note: impl Into<String>) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(note.into());
        }
    }

    /// Takes bytes that are in memory.
    pub fn shelve_bytes(&mut self, bytes: &[u8], what: ContentKind) -> Result<Digest, StoreError> {
        let info = self.batch.put_bytes(bytes)?;
        self.remember(info, what);
        Ok(info.digest)
    }

    /// Takes a file; `None`, with a gap, if it can't or must not be kept.
    pub fn shelve(&mut self, seen: Seen<'_>) -> Result<Option<FileRef>, StoreError> {
        let shown = shown_path(self.workspace.root(), seen.path);
        if sensitive::is_credential_file(Path::new(&shown)) {
            self.miss(shown, seen.what, "it may hold credentials".into());
            return Ok(None);
        }
        if !self.may_read(seen.aside.unwrap_or(seen.path)) {
            self.miss(shown, seen.what, "it is reached by a link".into());
            return Ok(None);
        }
        if let Some(info) = self.known_from_before(&seen) {
            self.remember(info, seen.what);
            return Ok(Some(file_ref(&seen, shown, info, seen.mutated)));
        }
        let changed_since = seen.aside.is_none() && seen.last.is_some() && stamp_of(seen.path) != seen.last;
        match self.put(&seen)? {
            Put::Stored(info) => {
                if changed_since {
                    self.note(format!("`{shown}` changed after the run had ended"));
                }
                self.remember(info, seen.what);
                Ok(Some(file_ref(&seen, shown, info, seen.mutated || changed_since)))
            }
            Put::Redacted(info) => {
                self.note(format!("secrets were taken out of the kept text of `{shown}`"));
                self.remember(info, seen.what);
                Ok(Some(file_ref(&seen, shown, info, true)))
            }
            Put::Skipped(why) => {
                self.miss(shown, seen.what, why);
                Ok(None)
            }
        }
    }

    /// The content that a file had when it was first opened, if the run changed it and we knew it before.
    fn known_from_before(&self, seen: &Seen<'_>) -> Option<BlobInfo> {
        let first = seen.first.filter(|_| seen.mutated)?;
        let digest = self.cache.get(seen.path, &first)?;
        self.store.info(&digest).ok().flatten()
    }

    fn put(&mut self, seen: &Seen<'_>) -> Result<Put, StoreError> {
        let content = seen.aside.unwrap_or(seen.path);
        let is_searched = seen.what != ContentKind::Output && sensitive::is_written_by_hand(seen.path);
        if is_searched && let Some(put) = self.put_without_secrets(content)? {
            return Ok(put);
        }
        self.put_file(content)
    }

    fn put_file(&mut self, path: &Path) -> Result<Put, StoreError> {
        for _ in 0..ATTEMPTS {
            let Some(stamp) = stamp_of(path) else {
                return Ok(Put::Skipped("it is not there any more".into()));
            };
            let known = self.cache.get(path, &stamp);
            let known = known.and_then(|digest| self.store.info(&digest).ok().flatten());
            if let Some(info) = known {
                return Ok(Put::Stored(info));
            }
            let read_began = moment_to_read(&stamp);
            // what the run before this one left there is likely to be much the same
            match self.batch.put_file_like(path, self.cache.last(path), &mut |_| {}) {
                Ok(info) => {
                    if stamp_of(path) == Some(stamp) {
                        self.cache.insert(path, stamp, info.digest, read_began);
                    }
                    return Ok(Put::Stored(info));
                }
                Err(StoreError::Changed(_)) => {}
                Err(error) => return skip_if_unreadable(path, error),
            }
        }
        Ok(Put::Skipped("it never stopped changing".into()))
    }

    /// Keeps a short text without its secrets; `None` if there are none in it, or if the store has it with them.
    fn put_without_secrets(&mut self, path: &Path) -> Result<Option<Put>, StoreError> {
        if stamp_of(path).is_none_or(|stamp| stamp.size > SEARCHED_BYTES_MAX) {
            return Ok(None);
        }
        let Ok(Some(text)) = crate::file::read(path, SEARCHED_BYTES_MAX) else {
            return Ok(None); // no text, or gone by now, which shows when it is stored
        };
        let clean = redact_text(&text);
        if clean.found.is_empty() || self.store.contains(&Digest::of(text.as_bytes())) {
            return Ok(None);
        }
        self.redacted.extend(clean.found);
        let info = self.batch.put_bytes(clean.text.as_bytes())?;
        Ok(Some(Put::Redacted(info)))
    }

    fn remember(&mut self, info: BlobInfo, what: ContentKind) {
        let content = RunContent { digest: info.digest, size: info.size, what };
        let known = self.contents.entry(info.digest).or_insert(content);
        known.what = known.what.min(what);
    }

    /// Brings everything to disk.
    pub fn close(self) -> Result<Shelved, StoreError> {
        self.batch.commit()?;
        self.cache.save(&self.workspace.home_dir());
        Ok(Shelved { contents: self.contents.into_values().collect(), notes: self.notes })
    }
}

/// A file that can't be read is left out; a store that can't be written is a failure.
fn skip_if_unreadable(path: &Path, error: StoreError) -> Result<Put, StoreError> {
    match &error {
        StoreError::Io { path: failed, .. } | StoreError::Refused { path: failed, .. } if failed == path => {
            Ok(Put::Skipped(error.to_string()))
        }
        _ => Err(error),
    }
}

fn file_ref(seen: &Seen<'_>, path: String, info: BlobInfo, mutated: bool) -> FileRef {
    FileRef {
        path,
        digest: info.digest,
        sha256: Some(info.sha256),
        size: info.size,
        role: None,
        certainty: seen.certainty,
        mutated,
        read_at: seen.read_at,
        written_at: seen.written_at,
    }
}

/// A path as records show it: from the project's root, or absolute outside of it.
pub(crate) fn shown_path(root: &Path, path: &Path) -> String {
    let shown: PathBuf = path.strip_prefix(root).unwrap_or(path).into();
    shown.to_string_lossy().into_owned()
}
