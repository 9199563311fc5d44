use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::ExitCode,
};

use clap::Args;
use serde::Serialize;
use stemma_api::types::{ContentClaim, ContentHealth, ContentList};
use stemma_core::{Clock as _, Digest, ErrorKind, Problem, SystemClock, name::TreePath};
use stemma_engine::Layout;
use stemma_store::{Damage, Store, StoreError, Tree};
use stemma_workspace::{
    Workspace, WorkspaceError,
    operations::{self, Journal},
};

use crate::{
    global::Global,
    print::{self, Output},
    session::{self, Session},
    settings,
    sources::{Sources, TrackedContents},
    view::{self, log::Lost},
};

/// Read all content in this workspace back and check that it is what it was
///
/// What should be here is asked of the home and of the operations, too. Ends with exit code 8 if anything is damaged or
/// lost. Where a server answers for the home, what it found by itself is shown.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Put damaged content back from tracked files that still have it, and from the server
    #[arg(long)]
    repair: bool,
    /// Read only about so much of what is stored, other parts each time
    #[arg(long, value_name = "SIZE", value_parser = print::parse_bytes)]
    sample: Option<u64>,
}

/// Things that need one content and are named for people; the others are counted.
const NEEDED_BY_SHOWN: usize = 10;

/// What was read, and what is wrong with it.
#[derive(Default, Serialize)]
struct Verified {
    #[serde(skip_serializing_if = "Option::is_none")]
    blobs: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trees: Option<u64>,
    /// Parts of contents, if only a sample was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<u64>,
    bytes: u64,
    /// What is damaged still.
    damaged: Vec<NamedDamage>,
    /// Contents that something needs and that are not here.
    missing: Vec<Missing>,
    /// Tracked paths whose content is damaged, or not here.
    lost: Vec<TreePath>,
    /// Operations of this folder, and records of the open prediction log, that are gone or altered: one line each.
    gone: Vec<String>,
    /// What could not be asked, so that nobody knows whether it is as it was: one line each.
    unasked: Vec<String>,
    /// The home could not be asked what it needs.
    #[serde(skip)]
    is_home_unread: bool,
    /// What was damaged before.
    repaired: Vec<Repaired>,
    /// What the server found by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<ContentHealth>,
}

#[derive(Serialize)]
struct NamedDamage {
    #[serde(flatten)]
    damage: Damage,
    /// Tracked paths that need it.
    paths: BTreeSet<TreePath>,
    /// Versions that need it, as in `applications@3`.
    versions: Vec<String>,
}

#[derive(Serialize)]
struct Missing {
    digest: Digest,
    needed_by: BTreeSet<String>,
}

#[derive(Serialize)]
struct Repaired {
    digest: Digest,
    /// For people: which file, or the server.
    from: String,
}

pub async fn run(args: VerifyArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let workspace = session::require_workspace()?;
    let store = workspace.open_store()?;
    let mut verified = tokio::task::block_in_place(|| read_back(&args, &store, output))?;
    let tracked = tokio::task::block_in_place(|| TrackedContents::read(&workspace, &store))?;
    let is_sound = verified.damaged.is_empty() && tracked.absent(&store).is_empty();
    let needs = needs(global, &workspace, &store, &mut verified).await;
    let is_whole = is_sound && needs.keys().all(|digest| store.contains(digest));
    // a home that can't be asked must not keep anybody from reading content back
    let session = match is_whole && !session::is_served(global, &workspace).await {
        true => None,
        false => open_or_say(global, &mut verified).await,
    };
    if args.repair && !is_whole {
        repair(&mut verified, &store, (&tracked, &needs), session.as_ref(), output)?;
    }
    name(&mut verified, &tracked, session.as_ref()).await;
    verified.lost = lost(&verified, &tracked, &store);
    verified.missing = missing(needs, &store);
    if let Some(session) = session {
        if session.is_served() {
            match session.client.content_health().await {
                Ok(health) => verified.server = Some(health),
                Err(problem) => verified.unasked.push(format!("what the server found by itself: {problem}")),
            }
        }
        session.close().await;
    }
    output.result(&verified, || text(&verified, output));
    Ok(if verified.is_failed() { ExitCode::from(ErrorKind::Corrupt.exit_code()) } else { ExitCode::SUCCESS })
}

impl Verified {
    fn is_failed(&self) -> bool {
        let server = self.server.as_ref().is_some_and(|server| server.is_cut || !server.damaged.is_empty());
        !self.damaged.is_empty() || !self.missing.is_empty() || !self.gone.is_empty() || self.is_home_unread || server
    }
}

type Needs = BTreeMap<Digest, BTreeSet<String>>;

/// Asks everybody here who needs content: the facts of the home as it lies there, and the operations of the folder.
async fn needs(global: &Global, workspace: &Workspace, store: &Store, verified: &mut Verified) -> Needs {
    let mut needs = Needs::new();
    let home = workspace.home_dir();
    let operations = tokio::task::block_in_place(|| Journal::read(&home));
    match operations {
        Ok(journal) => {
            verified.gone.extend(Lost::of(&journal).told());
            for (text, numbers) in operations::texts(&journal) {
                let by = numbers.iter().map(|number| format!("operation {number}"));
                needs.entry(text).or_default().extend(by);
            }
        }
        Err(error) => verified.gone.push(Problem::from(error).message),
    }
    if session::require_home().is_err() || global.server.is_some() {
        return tracked_needs(needs, workspace, store, global, verified).await;
    }
    let asked = match settings::database() {
        Ok(database) => stemma_delivery::home_needs(&Layout::new(&home).reaching(database)).await,
        Err(problem) => Err(problem),
    };
    match asked {
        Ok(found) => {
            found.content.into_iter().for_each(|(digest, by)| needs.entry(digest).or_default().extend(by));
            let faults = found.predictions.faults.into_iter().chain(found.feedback.faults);
            verified.gone.extend(faults.map(|fault| match fault.place {
                Some(place) => format!("{place}: {}", fault.what),
                None => fault.what,
            }));
        }
        Err(problem) => {
            verified.is_home_unread = true;
            verified
                .unasked
                .push(format!("what the facts of this home need: {problem}; `stemma audit verify` says more"));
        }
    }
    needs
}

/// Where the home is elsewhere, what is tracked and not here must be there.
async fn tracked_needs(
    mut needs: Needs,
    workspace: &Workspace,
    store: &Store,
    global: &Global,
    verified: &mut Verified,
) -> Needs {
    let tracked = match workspace.lock() {
        Ok(lock) => lock,
        Err(error) => {
            verified.gone.push(Problem::from(error).message);
            return needs;
        }
    };
    let absent = tracked.entries().filter(|(_, entry)| !store.contains(&entry.digest));
    let absent: BTreeMap<Digest, String> = absent.map(|(path, entry)| (entry.digest, path.to_string())).collect();
    if absent.is_empty() {
        return needs;
    }
    let contents = absent.keys().map(|digest| ContentClaim { digest: *digest, size: 0, like: None }).collect();
    let asked = session::with(global, async |session| {
        session.client.missing_content(&session.project, &ContentList { contents }).await
    });
    match asked.await {
        Ok(nowhere) => {
            for digest in nowhere.missing {
                needs.entry(digest).or_default().extend(absent.get(&digest).cloned());
            }
        }
        Err(problem) => {
            let number = view::count(absent.len() as u64, "tracked content");
            verified
                .unasked
                .push(format!("whether anybody has {number} that were never fetched or are gone: {problem}"));
        }
    }
    needs
}

fn missing(needs: Needs, store: &Store) -> Vec<Missing> {
    let absent = needs.into_iter().filter(|(digest, _)| !store.contains(digest));
    absent.map(|(digest, needed_by)| Missing { digest, needed_by }).collect()
}

fn read_back(args: &VerifyArgs, store: &Store, output: &Output) -> Result<Verified, Problem> {
    if let Some(budget) = args.sample {
        let spinner = output.spinner();
        spinner.set_message("reading a sample");
        let sample = store.verify_sample(SystemClock.now().micros() as u64, budget).map_err(WorkspaceError::from)?;
        spinner.finish_and_clear();
        let damaged = sample.damaged.into_iter().map(unnamed).collect();
        return Ok(Verified { records: Some(sample.records), bytes: sample.bytes, damaged, ..Verified::default() });
    }
    let bar = output.progress(0, "reading");
    let mut progress = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let report = store.verify(&mut progress).map_err(WorkspaceError::from)?;
    bar.finish_and_clear();
    let damaged = report.damaged.into_iter().map(unnamed).collect();
    let (blobs, trees) = (Some(report.blobs), Some(report.trees));
    Ok(Verified { blobs, trees, bytes: report.bytes, damaged, ..Verified::default() })
}

fn unnamed(damage: Damage) -> NamedDamage {
    NamedDamage { damage, paths: BTreeSet::new(), versions: Vec::new() }
}

async fn open_or_say(global: &Global, verified: &mut Verified) -> Option<Session> {
    match Session::open(global).await {
        Ok(session) => Some(session),
        Err(problem) => {
            verified.unasked.push(format!("which versions are hit: {problem}"));
            None
        }
    }
}

/// Puts back what can be had elsewhere; only what could not stays in the list of damage.
fn repair(
    verified: &mut Verified,
    store: &Store,
    (tracked, needs): (&TrackedContents, &Needs),
    session: Option<&Session>,
    output: &Output,
) -> Result<(), Problem> {
    let mut damaged: Vec<Damage> = verified.damaged.drain(..).map(|one| one.damage).collect();
    let mut wanted: BTreeSet<Digest> = tracked.absent(store).into_iter().collect();
    wanted.extend(needs.keys().filter(|digest| !store.contains(digest)));
    let absent = wanted.into_iter().map(|digest| Damage {
        digest: Some(digest),
        pack: None,
        offset: None,
        what: "it is not here".to_owned(),
    });
    let absent: Vec<Damage> = absent.collect();
    verified.repaired = put_folders_back(&mut damaged, store, tracked)?;
    let found = damaged.len();
    damaged.extend(absent);
    let mut sources = Sources::new(tracked, session, output);
    let repair = || store.repair(&damaged, &mut |digest| sources.fetch(digest));
    let report = tokio::task::block_in_place(repair).map_err(WorkspaceError::from)?;
    // content that was never here is no damage
    let still = damaged.into_iter().take(found);
    let still = still.filter(|damage| damage.digest.is_some_and(|digest| report.lost.contains(&digest)));
    verified.damaged = still.chain(report.failed).map(unnamed).collect();
    let cured = report.repaired.into_iter().map(|digest| Repaired { digest, from: sources.origin(&digest) });
    verified.repaired.extend(cured);
    Ok(())
}

/// The list of a folder is no file anywhere, but comes of reading the folder again.
fn put_folders_back(
    damaged: &mut Vec<Damage>,
    store: &Store,
    tracked: &TrackedContents,
) -> Result<Vec<Repaired>, Problem> {
    let mut repaired = Vec::new();
    let mut left = Vec::new();
    for damage in damaged.drain(..) {
        let folder = damage.digest.and_then(|digest| Some((digest, tracked.folder(&digest)?)));
        match folder {
            Some((digest, (path, folder))) if is_put_back(store, &digest, &folder).map_err(WorkspaceError::from)? => {
                repaired.push(Repaired { digest, from: format!("the folder: {path}") });
            }
            _ => left.push(damage),
        }
    }
    *damaged = left;
    Ok(repaired)
}

fn is_put_back(store: &Store, digest: &Digest, folder: &Path) -> Result<bool, StoreError> {
    let mut batch = store.repairing_batch();
    Tree::from_directory(&mut batch, folder)?;
    batch.commit()?;
    Ok(store.tree_children(digest).is_ok())
}

/// Says of each damage which paths and versions need what is damaged.
async fn name(verified: &mut Verified, tracked: &TrackedContents, session: Option<&Session>) {
    let digests: BTreeSet<Digest> = verified.damaged.iter().filter_map(|one| one.damage.digest).collect();
    let mut versions = Vec::new();
    if let Some(session) = session.filter(|_| !digests.is_empty()) {
        let contents = digests.iter().map(|digest| ContentClaim { digest: *digest, size: 0, like: None }).collect();
        match session.client.content_versions(&session.project, &ContentList { contents }).await {
            Ok(found) => versions = found.contents,
            Err(problem) => verified.unasked.push(format!("which versions are hit: {problem}")),
        }
    }
    for one in &mut verified.damaged {
        let Some(digest) = one.damage.digest else {
            continue;
        };
        one.paths = tracked.paths(&digest);
        let named = versions.iter().filter(|found| found.digest == digest);
        one.versions = named.flat_map(|found| found.versions.clone()).collect();
    }
}

fn lost(verified: &Verified, tracked: &TrackedContents, store: &Store) -> Vec<TreePath> {
    let damaged = verified.damaged.iter().flat_map(|one| one.paths.iter().cloned());
    let absent = tracked.absent(store).into_iter().flat_map(|digest| tracked.paths(&digest));
    damaged.chain(absent).collect::<BTreeSet<_>>().into_iter().collect()
}

/// `all as it was` only if nothing is wrong and everybody was asked.
fn verdict(verified: &Verified, output: &Output) -> String {
    let named = [
        (verified.damaged.len(), "damage"),
        (verified.missing.len(), "missing content"),
        (verified.gone.len(), "loss besides content"),
    ];
    let named = named.into_iter().filter(|(number, _)| *number > 0);
    let wrong: Vec<String> = named.map(|(number, what)| view::count(number as u64, what)).collect();
    match (wrong.is_empty(), verified.unasked.is_empty() && verified.lost.is_empty()) {
        (true, true) => output.green("all as it was"),
        (true, false) => "what was read is as it was, and there is more that was not".to_owned(),
        (false, _) => output.red(wrong.join(", ")),
    }
}

fn text(verified: &Verified, output: &Output) -> String {
    let what = match (verified.blobs, verified.records) {
        (Some(blobs), _) => view::count(blobs + verified.trees.unwrap_or_default(), "content"),
        (None, records) => view::count(records.unwrap_or_default(), "sampled part"),
    };
    let all = format!("{what}, {}", print::bytes(verified.bytes));
    let mut text = format!("{all}: {}\n", verdict(verified, output));
    for NamedDamage { damage, paths, versions } in &verified.damaged {
        let place = place(damage.digest, damage.pack.as_deref(), damage.offset);
        text.push_str(&format!("  {place}: {}\n", damage.what));
        let names: Vec<String> = paths.iter().map(TreePath::to_string).chain(versions.iter().cloned()).collect();
        if !names.is_empty() {
            text.push_str(&format!("    needed by {}\n", names.join(", ")));
        }
    }
    for one in &verified.missing {
        let by: Vec<String> = one.needed_by.iter().take(NEEDED_BY_SHOWN).cloned().collect();
        let more = one.needed_by.len().saturating_sub(by.len());
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        text.push_str(&format!("  {}: it is not here\n    needed by {}{more}\n", one.digest, by.join(", ")));
    }
    verified.gone.iter().for_each(|what| text.push_str(&format!("{what}\n")));
    verified.unasked.iter().for_each(|what| text.push_str(&format!("not asked: {what}\n")));
    for one in &verified.repaired {
        text.push_str(&format!("repaired from {}\n", one.from));
    }
    for path in &verified.lost {
        text.push_str(&format!("the content of a tracked file is damaged: {path}\n"));
    }
    for one in verified.server.iter().flat_map(|server| &server.damaged) {
        let place = place(one.digest, one.pack.as_deref(), one.offset);
        text.push_str(&format!("the server found at {}: {place}: {}\n", print::time(one.found), one.what));
        for version in &one.versions {
            text.push_str(&format!("    needed by {} of {}\n", version.version, version.project));
        }
    }
    if verified.server.as_ref().is_some_and(|server| server.is_cut) {
        text.push_str("the server found more than it lists\n");
    }
    text
}

/// Where a damage is, for people.
fn place(digest: Option<Digest>, pack: Option<&str>, offset: Option<u64>) -> String {
    let in_pack = pack.map(|pack| match offset {
        Some(offset) => format!("{pack} at {offset}"),
        None => pack.to_owned(),
    });
    digest.map(|digest| digest.to_string()).or(in_pack).unwrap_or_default()
}
