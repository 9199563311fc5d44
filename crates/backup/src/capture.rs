//! Ledger and files of a home at one moment, beside whoever uses it.
//!
//! The ledger is held in a transaction. What it may not be behind of (the signed head) is read before that; what may not be
//! behind the ledger (the log, of which it has notes) is opened before and read after it, as far as it has grown by then.
//! An open file stays readable although a segment is sealed and removed meanwhile.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use stemma_core::{ErrorKind, Problem};
use stemma_engine::{Layout, audit::look_at, problem::ledger_problem};
use stemma_ledger::{LedgerAtRest, LedgerError, Moment};
use stemma_store::Store;

use crate::{
    files::{Rule, files},
    keys::is_key,
    manifest::FilePart,
    problem::{of_home, unusable},
};

/// Longest file that is read before the ledger: keys, a signed head, a number.
const BEFORE_BYTES_MAX: u64 = 1 << 20;

/// What is held of a home.
pub struct Captured {
    pub moment: Moment,
    files: BTreeMap<String, Held>,
    _view: LedgerAtRest,
}

enum Held {
    Bytes(Vec<u8>),
    Open(File),
}

/// Holds a home as it is now; `None` if too much happened meanwhile, and it is to be tried again.
pub async fn capture(layout: &Layout) -> Result<Option<Captured>, Problem> {
    let root = layout.root();
    let before = read_before(root)?;
    let mut open = BTreeMap::new();
    open_along(root, &mut open)?;
    let view = look_at(layout).await?;
    let mut moment = view.hold().await.map_err(unheld)?;
    open_along(root, &mut open)?;
    // another key may be the one that the ledger names at its moment
    if !is_same_keys(&before, &read_before(root)?) || !has_all_sealed(layout, &mut moment, &open).await? {
        return Ok(None);
    }
    let files = before.into_iter().map(|(path, bytes)| (path, Held::Bytes(bytes)));
    let files = files.chain(open.into_iter().map(|(path, file)| (path, Held::Open(file)))).collect();
    Ok(Some(Captured { moment, files, _view: view }))
}

impl Captured {
    /// Puts the files into a store, but for those that are not wanted; none are held from then on.
    pub fn put(&mut self, store: &Store, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<FilePart>, Problem> {
        let mut batch = store.batch();
        let mut put = Vec::new();
        for (path, held) in std::mem::take(&mut self.files).into_iter().filter(|(path, _)| is_wanted(path)) {
            let info = match held {
                Held::Bytes(bytes) => batch.put_reader(bytes.as_slice()),
                // others may go on writing to it
                Held::Open(file) => {
                    let len = file.metadata().map_err(|error| unusable(Path::new(&path), &error))?.len();
                    batch.put_reader(file.take(len))
                }
            };
            let info = info.map_err(of_home)?;
            put.push(FilePart { path, digest: info.digest, size: info.size });
        }
        batch.commit().map_err(of_home)?;
        Ok(put)
    }

    /// The keys that the home has.
    pub fn keys(&self) -> Vec<String> {
        self.files.keys().filter(|path| is_key(path)).cloned().collect()
    }
}

fn unheld(error: LedgerError) -> Problem {
    let is_older = matches!(error, LedgerError::Older { .. });
    let problem = ledger_problem(error);
    match is_older {
        true => problem.hint("any command that opens the home brings it up to date, as `stemma models`"),
        false => problem,
    }
}

fn read_before(root: &Path) -> Result<BTreeMap<String, Vec<u8>>, Problem> {
    let mut read = BTreeMap::new();
    for (path, _) in files(root)?.into_iter().filter(|(_, rule)| *rule == Rule::Before) {
        let Some(file) = open(&root.join(&path))? else { continue };
        let mut bytes = Vec::new();
        let failed = |error: io::Error| unusable(&root.join(&path), &error);
        file.take(BEFORE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > BEFORE_BYTES_MAX {
            return Err(Problem::new(ErrorKind::Config, format!("`{}` is too long", root.join(&path).display())));
        }
        read.insert(path, bytes);
    }
    Ok(read)
}

/// Opens the files that are not open yet.
fn open_along(root: &Path, held: &mut BTreeMap<String, File>) -> Result<(), Problem> {
    for (path, _) in files(root)?.into_iter().filter(|(_, rule)| *rule == Rule::Along) {
        if held.contains_key(&path) {
            continue;
        }
        if let Some(file) = open(&root.join(&path))? {
            held.insert(path, file);
        }
    }
    Ok(())
}

fn open(path: &Path) -> Result<Option<File>, Problem> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(path, &error)),
    }
}

fn is_same_keys(before: &BTreeMap<String, Vec<u8>>, after: &BTreeMap<String, Vec<u8>>) -> bool {
    let keys = |files: &'_ BTreeMap<String, Vec<u8>>| -> Vec<(String, Vec<u8>)> {
        let keys = files.iter().filter(|(path, _)| is_key(path));
        keys.map(|(path, bytes)| (path.clone(), bytes.clone())).collect()
    };
    keys(before) == keys(after)
}

/// Whether each segment that was sealed behind the moment, and so may be gone already, is held: one may have come and gone
/// between the two looks at the folder.
async fn has_all_sealed(layout: &Layout, moment: &mut Moment, held: &BTreeMap<String, File>) -> Result<bool, Problem> {
    let then = moment.sealed_segments().await.map_err(ledger_problem)?;
    let view = look_at(layout).await?;
    let predictions = view.sealed_predictions().await.map_err(ledger_problem)?;
    let feedback = view.sealed_feedback().await.map_err(ledger_problem)?;
    let logs = [("predictions", predictions), ("feedback", feedback)];
    let all_held = logs.into_iter().zip(then).all(|((folder, now), then)| {
        let mut since = now.into_keys().filter(|segment| !then.contains(segment));
        since.all(|segment| held.contains_key(&format!("{folder}/{segment:016x}.seg")))
    });
    Ok(all_held)
}
