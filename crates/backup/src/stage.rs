//! A home out of a backup, in a folder that is no home yet: brought, put together and verified.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use stemma_core::{
    Digest, ErrorKind, Problem,
    audit::{AuditReport, Check, Fault},
    content_list::ContentList,
};
use stemma_delivery::audit_home;
use stemma_engine::{
    DatabaseUrl, HomeFile, Layout,
    audit::look_at,
    problem::{ledger_problem, store_problem},
};
use stemma_ledger::{LedgerError, LedgerUrl, take_in};
use stemma_remote::{PullOptions, Remote, RemoteError};
use stemma_store::{Store, StoreError};

use crate::{
    keys::{PREDICTION_KEY, SIGNING_KEY},
    manifest::Manifest,
    problem::{damaged, some, unusable},
    told::{Step, Told},
    whole::lacking_of,
};

/// Longest list of contents: those of a home of petabytes.
const LIST_BYTES_MAX: u64 = 4 << 30;
/// Longest file of a key.
const KEY_BYTES_MAX: u64 = 4 << 10;

/// Where the ledger is to lie.
#[derive(Debug, Clone)]
pub enum LedgerHome {
    /// In the home's folder, if it lay there.
    AsItWas,
    /// In the home's folder.
    Folder,
    Database(DatabaseUrl),
}

/// How a home is put together.
#[derive(Debug, Clone)]
pub struct StageOptions {
    pub ledger: LedgerHome,
    /// A folder that has the keys which the backup lacks, each under its own name.
    pub keys: Option<PathBuf>,
}

/// What the audit says of a home that was put together.
pub struct Staged {
    pub report: AuditReport,
    /// Keys that it had, by their paths in it, and that did not come with it.
    pub missing_keys: BTreeSet<String>,
}

/// Brings a backup into an empty folder, and verifies content, ledger and log. A database gets the ledger at last, when
/// all of it is known to be sound.
pub async fn stage(
    remote: &Remote,
    manifest: &Manifest,
    root: &Path,
    options: &StageOptions,
    told: Told<'_>,
) -> Result<Staged, Problem> {
    let layout = Layout::new(root);
    layout.create_folders()?;
    // where no file of a backup can lie
    let scratch = layout.backups();
    make_folder(&scratch)?;
    let parts = Store::open(&scratch.join("parts")).map_err(store_problem)?;
    bring(remote, &parts, &manifest.own_contents(), &mut |moved| told(Step::Parts, moved)).await?;
    let content = Store::open(&layout.content()).map_err(store_problem)?;
    let contents = contents_of(&parts, manifest)?;
    bring(remote, &content, &contents, &mut |moved| told(Step::Content, moved)).await?;

    told(Step::Audit, stemma_remote::Progress::default());
    for file in &manifest.files {
        write_out(&parts, &file.digest, &root.join(&file.path))?;
    }
    if let Some(keys) = &options.keys {
        manifest.left_out.iter().try_for_each(|path| bring_key(keys, path, root))?;
    }
    let transcript = scratch.join("transcript");
    write_out(&parts, &manifest.ledger.digest, &transcript)?;
    take_ledger_in(LedgerUrl::Sqlite(layout.ledger()), manifest, &transcript).await?;
    write_home(&layout, manifest, None)?;
    check_needs(&layout, &content).await?;
    let mut report = audit_home(&layout).await;
    let mut missing_keys = check_sound(&report, root, manifest, options.keys.as_deref())?;
    if let LedgerHome::Database(database) = &options.ledger {
        take_ledger_in(LedgerUrl::Postgres(database.clone()), manifest, &transcript).await?;
        write_home(&layout, manifest, Some(database.clone()))?;
        remove_ledger(&layout)?;
        // the database may have held it already, event for event, and who knows what else beside them
        report = audit_home(&layout.reaching(Some(database.clone()))).await;
        missing_keys = check_sound(&report, root, manifest, options.keys.as_deref())?;
    }
    drop(parts);
    fs::remove_dir_all(&scratch).map_err(|error| unusable(&scratch, &error))?;
    Ok(Staged { report, missing_keys })
}

/// Brings contents into a store, each verified; all of them must come.
async fn bring(
    remote: &Remote,
    store: &Store,
    contents: &[Digest],
    progress: &mut (dyn FnMut(stemma_remote::Progress) + Send),
) -> Result<(), Problem> {
    let catalog = remote.catalog().await?;
    let options = PullOptions { as_they_are: true, ..PullOptions::default() };
    let unusable = catalog.unusable.first().map_or(String::new(), |unusable| format!("; {unusable}"));
    let pulled = remote.pull(store, &catalog, contents, options, progress).await.map_err(|error| match error {
        RemoteError::Absent(digest) => damaged(format!("it lacks a part, `{digest}`{unusable}")),
        RemoteError::Damaged { .. } => damaged(error),
        RemoteError::Store(error) => unreadable(error),
        error => error.into(),
    })?;
    // what a folder names and the home did not have either is in no list
    let absent: BTreeSet<Digest> = pulled.absent.into_iter().collect();
    let lacking: Vec<Digest> = contents.iter().filter(|digest| absent.contains(digest)).copied().collect();
    match lacking.is_empty() {
        true => Ok(()),
        false => Err(damaged(format!("it lacks {} of its contents: {}{unusable}", lacking.len(), some(&lacking)))),
    }
}

fn contents_of(parts: &Store, manifest: &Manifest) -> Result<Vec<Digest>, Problem> {
    let text = parts.read(&manifest.contents.digest, LIST_BYTES_MAX).map_err(unreadable)?;
    let list = ContentList::parse(&text).map_err(|why| damaged(format!("its list of contents: {why}")))?;
    match list.contents.len() as u64 == manifest.contents.number {
        true => Ok(list.contents),
        false => Err(damaged(format!("it lists {} contents of {}", list.contents.len(), manifest.contents.number))),
    }
}

fn unreadable(error: StoreError) -> Problem {
    match error {
        StoreError::Corrupt { .. } | StoreError::NotFound(_) => damaged(error),
        error => store_problem(error),
    }
}

/// Writes a file of mode 0600, and the folders above it.
fn write_out(parts: &Store, digest: &Digest, path: &Path) -> Result<(), Problem> {
    make_folder_of(path)?;
    parts.materialize(digest, path).map_err(unreadable)?;
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(|error| unusable(path, &error))
}

fn make_folder_of(path: &Path) -> Result<(), Problem> {
    make_folder(path.parent().unwrap_or(Path::new(".")))
}

fn make_folder(folder: &Path) -> Result<(), Problem> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| unusable(folder, &error))
}

/// Copies a key that the backup lacks from where its owner keeps it.
fn bring_key(keys: &Path, path: &str, root: &Path) -> Result<(), Problem> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let (from, to) = (keys.join(name), root.join(path));
    let mut bytes = Vec::new();
    let read = fs::File::open(&from).and_then(|file| file.take(KEY_BYTES_MAX).read_to_end(&mut bytes));
    read.map_err(|error| {
        let problem = unusable(&from, &error);
        match error.kind() {
            io::ErrorKind::NotFound => problem.hint(format!("the folder must hold `{name}`, which the backup lacks")),
            _ => problem,
        }
    })?;
    make_folder_of(&to)?;
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&to);
    let written = written.and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()));
    written.map_err(|error| unusable(&to, &error))
}

async fn take_ledger_in(at: LedgerUrl, manifest: &Manifest, transcript: &Path) -> Result<(), Problem> {
    let header = take_in(&at, transcript).await.map_err(|error| match error {
        LedgerError::Damaged(_) => damaged(error),
        LedgerError::Occupied { .. } => {
            ledger_problem(error).hint("name another database, or another schema of it with `?schema=NAME`")
        }
        error => ledger_problem(error),
    })?;
    let (events, root) = (manifest.ledger.events, &manifest.ledger.root);
    match header.home == manifest.home && header.events == events && header.root == *root {
        true => Ok(()),
        false => Err(damaged("its ledger is that of another backup")),
    }
}

/// Says in the home where its ledger lies.
fn write_home(layout: &Layout, manifest: &Manifest, database: Option<DatabaseUrl>) -> Result<(), Problem> {
    let was = layout.read_home()?.ok_or_else(|| damaged("it has no `home.json`"))?;
    if was.home != manifest.home {
        return Err(damaged(format!("its `home.json` names another home, {}", was.home)));
    }
    layout.write_home(&HomeFile { signing_key: was.signing_key, ..HomeFile::new(was.home, database) })
}

/// Removes the file in which the ledger was verified.
fn remove_ledger(layout: &Layout) -> Result<(), Problem> {
    let ledger = layout.ledger();
    for path in ["", "-wal", "-shm"].map(|end| PathBuf::from(format!("{}{end}", ledger.display()))) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(&path, &error)),
            _ => {}
        }
    }
    Ok(())
}

/// Facts must not name what did not come, nor folders whose files did not.
async fn check_needs(layout: &Layout, content: &Store) -> Result<(), Problem> {
    let here = content.contents().map_err(unreadable)?;
    let lacking = lacking_of(&look_at(layout).await?, content, &here).await;
    let lacking = lacking.map_err(|problem| match problem.kind {
        ErrorKind::Corrupt => damaged(problem.message),
        _ => problem,
    })?;
    match lacking.is_empty() {
        true => Ok(()),
        false => Err(damaged(format!("its facts need content that it lacks: {}", some(&lacking)))),
    }
}

/// A home without its keys is sound but for them; keys that were brought must be its own. Returns those that are missing.
fn check_sound(
    report: &AuditReport,
    root: &Path,
    manifest: &Manifest,
    keys: Option<&Path>,
) -> Result<BTreeSet<String>, Problem> {
    let is_missing = |key: &str| !root.join(key).exists();
    let mut missing: BTreeSet<String> = manifest.left_out.iter().filter(|key| is_missing(key)).cloned().collect();
    for (check, fault) in report.checks.iter().flat_map(|check| check.faults.iter().map(move |fault| (check, fault))) {
        let place = fault.place.as_ref().map_or(String::new(), |place| format!("{place}: "));
        match (key_of(check, fault), keys) {
            (Some(key), _) if is_missing(key) => drop(missing.insert(key.to_owned())),
            (Some(key), Some(keys)) => {
                let message = format!("`{key}` from `{}` is no key of this home: {}", keys.display(), fault.what);
                return Err(Problem::new(ErrorKind::Config, message).hint("name the folder with the keys that it had"));
            }
            _ => {
                let what = format!("the audit of what it holds fails ({}): {place}{}", check.name, fault.what);
                return Err(damaged(what));
            }
        }
    }
    Ok(missing)
}

/// The key that a fault is about, if it is about one.
fn key_of(check: &Check, fault: &Fault) -> Option<&'static str> {
    match check.name.as_str() {
        "signing key" => Some(SIGNING_KEY),
        "predictions" if fault.place.as_deref() == Some("`prediction.key`") => Some(PREDICTION_KEY),
        _ => None,
    }
}
