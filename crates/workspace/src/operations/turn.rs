//! One process at a time changes the lock: what it read, and how the change is written down before it happens.

use std::{fs::File, os::unix::fs::OpenOptionsExt as _};

use stemma_core::redact::redact_args;
use stemma_core::{Clock as _, Digest, SystemClock, canonical};
use stemma_store::Store;

use super::{
    error::OperationsError,
    journal::{Journal, OPERATIONS_FILE, Tail},
    operation::{FileChange, Operation},
    view,
};
use crate::{
    Workspace,
    author::Author,
    file,
    ignore::{self, IGNORE_FILE, IgnoreLines},
    lock::{LOCK_FILE, Lock, LockError},
};

/// Most characters of one argument, and of all, that an operation remembers.
const ARGUMENT_CHARS_MAX: usize = 4 << 10;
const COMMAND_CHARS_MAX: usize = 16 << 10;

/// What an operation does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Change {
    pub lock: Lock,
    pub files: Vec<FileChange>,
    pub ignore: IgnoreLines,
    pub undoes: Option<u64>,
}

/// The right to change a workspace's lock; others wait until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    workspace: &'a Workspace,
    store: &'a Store,
    /// The lock as it is.
    lock: Lock,
    /// Its text; none if there is no file.
    text: Option<String>,
    _turn: File,
}

impl<'a> Turn<'a> {
    pub fn take(workspace: &'a Workspace, store: &'a Store) -> Result<Self, OperationsError> {
        let io_error = |source| LockError::Io { path: workspace.root().join(LOCK_FILE), source };
        let place = workspace.home_dir().join("lock-turn");
        let turn = File::options().write(true).create(true).truncate(true).mode(0o600).open(place).map_err(io_error)?;
        rustix::fs::flock(&turn, rustix::fs::FlockOperation::LockExclusive).map_err(|errno| io_error(errno.into()))?;
        let text = Lock::read_text(workspace.root())?;
        let lock = match &text {
            Some(text) => Lock::parse(&workspace.root().join(LOCK_FILE), text)?,
            None => Lock::default(),
        };
        Ok(Self { workspace, store, lock, text, _turn: turn })
    }

    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    /// Writes the operation down, then changes the lock and tells Git; nothing if nothing would change. Files are the
    /// caller's.
    ///
    /// A process that dies in between leaves an operation that did nothing, which the next one notices.
    pub fn commit(self, change: Change) -> Result<Option<u64>, OperationsError> {
        let is_changed = change.lock != self.lock;
        let does_anything = is_changed || !change.files.is_empty() || !change.ignore.is_empty();
        let number = if does_anything { Some(self.record(&change)?) } else { None };
        if is_changed || self.text.is_none() {
            let path = self.workspace.root().join(LOCK_FILE);
            let written = file::replace(&path, change.lock.render().as_bytes(), 0o666);
            written.map_err(|source| LockError::Io { path, source })?;
        }
        let told = ignore::apply(self.workspace.root(), &change.ignore);
        told.map_err(|source| LockError::Io { path: IGNORE_FILE.into(), source })?;
        Ok(number)
    }

    fn record(&self, change: &Change) -> Result<u64, OperationsError> {
        let (before, after) = (self.text.as_deref().unwrap_or_default(), change.lock.render());
        let listed = |is_empty: bool, list: &dyn Fn() -> serde_json::Result<Vec<u8>>| match is_empty {
            true => Ok(None),
            false => list().map(Some).map_err(|error| self.io_error(std::io::Error::other(error))),
        };
        let files = listed(change.files.is_empty(), &|| canonical::to_bytes(&change.files))?;
        let ignore = listed(change.ignore.is_empty(), &|| canonical::to_bytes(&change.ignore))?;
        let mut batch = self.store.batch();
        let before = batch.put_bytes(before.as_bytes())?.digest;
        let after = batch.put_bytes(after.as_bytes())?.digest;
        let files = files.map(|files| batch.put_bytes(&files)).transpose()?.map(|info| info.digest);
        let ignore = ignore.map(|lines| batch.put_bytes(&lines)).transpose()?.map(|info| info.digest);
        batch.commit()?;
        let author = self.workspace.author().cloned().unwrap_or_else(unknown_author);
        let mut tail = Tail::open(&self.workspace.home_dir())?;
        let last = match tail.last() {
            Some(last) if last.worktree.as_deref() == self.workspace.worktree() => Some(last.clone()),
            None => None,
            Some(_) => Journal::of(self.workspace)?.operations.pop(),
        };
        if let Some(last) = last {
            self.notice(&mut tail, &last, before, author.time)?;
        }
        let number = tail.next_number();
        let Author { actor, command, time } = author;
        let command = shorten(redact_args(&command).args);
        let (worktree, undoes) = (self.worktree(), change.undoes);
        tail.append(Operation { number, time, actor, command, before, after, files, ignore, worktree, undoes })?;
        Ok(number)
    }

    /// Keeps as an operation of its own what happened to the lock since the last one.
    fn notice(
        &self,
        tail: &mut Tail,
        last: &Operation,
        present: Digest,
        time: stemma_core::Timestamp,
    ) -> Result<(), OperationsError> {
        if last.after == present {
            return Ok(());
        }
        let same = view::lock_of(self.store, last, last.after).is_ok_and(|known| known == self.lock);
        if same {
            return Ok(());
        }
        let noticed = Operation {
            number: tail.next_number(),
            time,
            actor: None,
            command: Vec::new(),
            before: last.after,
            after: present,
            files: None,
            ignore: None,
            worktree: self.worktree(),
            undoes: None,
        };
        tail.append(noticed)
    }

    fn worktree(&self) -> Option<String> {
        self.workspace.worktree().map(str::to_owned)
    }

    fn io_error(&self, source: std::io::Error) -> OperationsError {
        OperationsError::Io { path: self.workspace.home_dir().join(OPERATIONS_FILE), source }
    }
}

/// Changes the lock file of a workspace, one process at a time, as one operation; none if nothing changed.
pub fn change_lock<T, E: From<OperationsError>>(
    workspace: &Workspace,
    store: &Store,
    change: impl FnOnce(&mut Lock) -> Result<T, E>,
) -> Result<T, E> {
    let turn = Turn::take(workspace, store)?;
    let mut lock = turn.lock().clone();
    let result = change(&mut lock)?;
    turn.commit(Change { lock, ..Change::default() })?;
    Ok(result)
}

fn unknown_author() -> Author {
    // not empty: that would be a change nobody of us made
    Author { actor: None, command: vec!["stemma".to_owned()], time: SystemClock.now() }
}

/// Takes the middle out of what a shell made long (`add data/*`).
fn shorten(args: Vec<String>) -> Vec<String> {
    let count = args.len();
    let (mut kept, mut chars) = (Vec::new(), 0);
    for argument in args {
        let length = argument.chars().count();
        let argument = match length {
            0..=ARGUMENT_CHARS_MAX => argument,
            _ => argument.chars().take(ARGUMENT_CHARS_MAX).chain(['…']).collect(),
        };
        chars += length.min(ARGUMENT_CHARS_MAX) + 3;
        if chars > COMMAND_CHARS_MAX {
            break;
        }
        kept.push(argument);
    }
    if kept.len() < count {
        kept.push(format!("… and {} more", count - kept.len()));
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;
    use stemma_core::name::TreePath;

    use super::*;
    use crate::{Nesting, init, lock::LockEntry, operations::digests};

    fn entry(path: &TreePath, content: u8) -> LockEntry {
        let name = path.as_str().replace('/', "-").parse().unwrap();
        LockEntry { digest: Digest::of(&[content]), name }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn operations_lead_from_each_lock_to_the_next(
            changes in prop::collection::vec((0u8..3, prop::option::of(0u8..4), any::<bool>()), 1..12)
        ) {
            let folder = tempfile::tempdir().unwrap();
            let workspace = init(folder.path(), Nesting::Refuse).unwrap().workspace;
            let store = workspace.open_store().unwrap();
            let mut locks = vec![Lock::default()];
            for (path, content, by_hand) in changes {
                let path: TreePath = format!("data/{path}").parse().unwrap();
                let change = |lock: &mut Lock| -> Result<(), OperationsError> {
                    lock.remove(&path);
                    match content {
                        Some(content) => Ok(lock.insert(path.clone(), entry(&path, content))?),
                        None => Ok(()),
                    }
                };
                let mut lock = workspace.lock().unwrap();
                if by_hand {
                    // as Git or an editor does it: noticed by whoever changes the lock next
                    change(&mut lock).unwrap();
                    fs::write(folder.path().join(LOCK_FILE), lock.render()).unwrap();
                } else {
                    change_lock(&workspace, &store, change).unwrap();
                    lock = workspace.lock().unwrap();
                }
                locks.push(lock);
            }
            let operations = Journal::of(&workspace).unwrap().operations;
            let mut present = None;
            for operation in &operations {
                let before = view::lock_of(&store, operation, operation.before).unwrap();
                let after = view::lock_of(&store, operation, operation.after).unwrap();
                prop_assert!(before != after);
                prop_assert!(present.is_none_or(|present| present == before));
                prop_assert!(locks.contains(&before) && locks.contains(&after));
                present = Some(after);
            }
            let needed = digests(&workspace.home_dir()).unwrap();
            for digest in operations.iter().flat_map(|operation| [operation.before, operation.after]) {
                prop_assert!(needed.binary_search(&digest).is_ok());
            }
        }
    }

    #[test]
    fn a_long_command_is_shortened() {
        let short = vec!["add".to_owned(), "a".to_owned()];
        assert_eq!(shorten(short.clone()), short);
        let long: Vec<String> = (0..50_000).map(|n| format!("data/{n}.csv")).collect();
        let kept = shorten(long);
        assert!(kept.last().unwrap().starts_with("… and "), "{:?}", kept.last());
        assert!(kept.len() < 2_000);
        let one = shorten(vec!["é".repeat(1 << 20)]);
        assert_eq!(one[0].chars().count(), ARGUMENT_CHARS_MAX + 1);
    }
}
