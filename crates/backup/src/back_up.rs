//! The main flow of a backup: hold, send what is not there yet, and say at last what belongs together.

use std::{path::Path, sync::Arc};

use stemma_core::{Clock, Digest, ErrorKind, Problem, Timestamp, content_list::ContentList, id::HomeId};
use stemma_delivery::audit_home;
use stemma_engine::{Layout, problem::ledger_problem};
use stemma_remote::{Catalog, Progress, PushPlan, Pushed, Remote, RemoteError, Standing};
use stemma_store::{Store, StoreError};

use crate::{
    capture::{Captured, capture},
    keys::{Keys, is_key},
    list::list,
    manifest::{LedgerPart, ListPart, Manifest, Parts},
    place::{MANIFESTS, Place},
    problem::{of_home, some, unusable},
    told::{Step, Told},
    whole::lacking_at,
    workshop::Workshop,
};

/// Which home is backed up, and how.
pub struct Order<'a> {
    pub layout: &'a Layout,
    pub place: &'a Place,
    pub keys: Keys,
    /// Where the place that backups went to before is gone or another one, to begin anew.
    pub begin_anew: bool,
    /// Version of the program, to be noted.
    pub program: &'a str,
    pub clock: &'a dyn Clock,
}

/// A backup that is there now.
#[derive(Debug, Clone)]
pub struct BackedUp {
    pub id: String,
    pub manifest: Manifest,
    /// What had to be sent for it, the manifest aside.
    pub sent_bytes: u64,
    pub sent_packs: u64,
}

/// Attempts to hold a home in which content is purged or sealed meanwhile.
const ATTEMPTS: usize = 5;

/// What became of one attempt.
enum Attempt {
    Done(Box<BackedUp>),
    /// Something went away meanwhile.
    Again(Problem),
}

/// Backs a home up while others use it. What was acknowledged before it began is in the backup. Whatever cuts it short, the
/// backups from before stay as they are.
pub async fn back_up(order: &Order<'_>, told: Told<'_>) -> Result<BackedUp, Problem> {
    let Order { layout, .. } = order;
    let home = layout.read_home()?.ok_or_else(|| no_home(layout.root()))?.home;
    let room = Workshop::take(&layout.backups())?;
    told(Step::Audit, Progress::default());
    check_sound(layout).await?;
    let (remote, standing) = order.place.open(layout.root(), &layout.backups(), order.begin_anew).await?;
    check_of_same_home(&remote, home, &standing).await?;
    if standing != Standing::Known {
        remote.adopt().await?;
    }
    let store = Store::open(&layout.content()).map_err(of_home)?;
    let mut again = Problem::new(ErrorKind::Conflict, "the home changed faster than it could be held");
    for _ in 0..ATTEMPTS {
        // nothing that is found from here on is collected before it is sent
        let _lease = store.lease().map_err(of_home)?;
        // whatever the home takes from here on may be missing
        let made = order.clock.now();
        let Some(captured) = capture(layout).await? else { continue };
        match attempt(order, (made, captured), &store, &remote, &room, told).await? {
            Attempt::Done(done) => return Ok(*done),
            Attempt::Again(why) => again = why,
        }
    }
    Err(again)
}

async fn attempt(
    order: &Order<'_>,
    captured: (Timestamp, Captured),
    store: &Store,
    remote: &Remote,
    room: &Workshop,
    told: Told<'_>,
) -> Result<Attempt, Problem> {
    let Backup { manifest, parts, contents } = match put_together(order, captured, store, room).await? {
        Ok(backup) => backup,
        Err(lost) => return Ok(Attempt::Again(lost)),
    };
    let catalog = remote.catalog().await?;
    let sent = match send(remote, store, &catalog, contents, &mut |moved| told(Step::Content, moved)).await {
        Err(RemoteError::Store(error @ StoreError::NotFound(_))) => return Ok(Attempt::Again(of_home(error))),
        Err(RemoteError::Store(error)) => return Err(of_home(error)),
        sent => sent?,
    };
    let own = manifest.own_contents();
    let sent_parts = send(remote, &parts, &catalog, own, &mut |moved| told(Step::Parts, moved)).await?;
    let (bytes, name, id) = manifest.written();
    remote.keep(MANIFESTS, &name, bytes.into()).await?;
    let (sent_bytes, sent_packs) = (sent.bytes + sent_parts.bytes, sent.packs + sent_parts.packs);
    Ok(Attempt::Done(Box::new(BackedUp { id, manifest, sent_bytes, sent_packs })))
}

/// What is to be sent.
struct Backup {
    manifest: Manifest,
    /// Transcript, list and files.
    parts: Store,
    /// What the home's store holds.
    contents: Vec<Digest>,
}

/// Reads what was held, and lists the store after that: what a fact, an operation or a record names was put there before.
/// The inner error may be gone at another moment.
async fn put_together(
    order: &Order<'_>,
    (made, mut captured): (Timestamp, Captured),
    store: &Store,
    room: &Workshop,
) -> Result<Result<Backup, Problem>, Problem> {
    let header = captured.moment.header().clone();
    let in_database = order.layout.read_home()?.is_some_and(|home| home.database.is_some());
    let left_out = if order.keys == Keys::LeftOut { captured.keys() } else { Vec::new() };
    let parts = Store::open(&room.fresh("parts")?).map_err(of_home)?;
    let files = captured.put(&parts, |path| order.keys == Keys::Included || !is_key(path))?;
    let transcript = room.fresh("ledger")?.join("transcript");
    captured.moment.write(&transcript).await.map_err(ledger_problem)?;
    let ledger = parts.put_file(&transcript).map_err(of_home)?.digest;

    let contents = store.contents().map_err(of_home)?;
    if let Err(lost) = check_whole(&mut captured, store, &contents).await? {
        return Ok(Err(lost));
    }
    let list = parts.put_bytes(ContentList::new(contents.clone()).to_string().as_bytes()).map_err(of_home)?;
    let manifest = Manifest::new(Parts {
        home: header.home,
        made,
        program: order.program.to_owned(),
        ledger: LedgerPart { digest: ledger, events: header.events, root: header.root },
        contents: ListPart { digest: list.digest, number: contents.len() as u64 },
        files,
        keys: order.keys,
        left_out,
        in_database,
    });
    Ok(Ok(Backup { manifest, parts, contents }))
}

async fn send(
    remote: &Remote,
    store: &Store,
    catalog: &Arc<Catalog>,
    contents: Vec<Digest>,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Pushed, RemoteError> {
    let (from, known) = (store.clone(), Arc::clone(catalog));
    let plan = tokio::task::spawn_blocking(move || PushPlan::of_copy(&from, &known, &contents)).await??;
    if plan.is_empty() {
        return Ok(Pushed::default());
    }
    remote.push(store, catalog, plan, progress).await
}

/// No backup is made of a damaged home: it would take the place of a good one in everybody's mind.
async fn check_sound(layout: &Layout) -> Result<(), Problem> {
    let report = audit_home(layout).await;
    let failed = report.checks.iter().find_map(|check| Some((&check.name, check.faults.first()?)));
    let Some((check, fault)) = failed else { return Ok(()) };
    let place = fault.place.as_ref().map_or(String::new(), |place| format!("{place}: "));
    let message = format!("the home is not what it was ({check}): {place}{}", fault.what);
    Err(Problem::new(ErrorKind::Corrupt, message)
        .hint("no backup is made of it, and those from before stay; `stemma audit verify` names all that is wrong"))
}

/// Backups of several homes in one place would be brought back for one another.
async fn check_of_same_home(remote: &Remote, home: HomeId, standing: &Standing) -> Result<(), Problem> {
    let (readable, unreadable): (Vec<_>, Vec<_>) =
        list(remote).await?.into_iter().map(|listed| listed.manifest).partition(Result::is_ok);
    let homes: Vec<HomeId> = readable.into_iter().flatten().map(|manifest| manifest.home).collect();
    let message = if let Some(other) = homes.iter().find(|other| **other != home) {
        format!("there are backups of another home, {other}; this is {home}")
    } else if homes.is_empty() && !unreadable.is_empty() && *standing != Standing::Known {
        let number = unreadable.len();
        format!("no manifest of the backups there ({number}) can be read, so whose they are is not known")
    } else {
        return Ok(());
    };
    Err(Problem::new(ErrorKind::Conflict, message).hint("choose a folder or prefix of its own for each home"))
}

/// Whether the store has what the facts of the moment need. The inner error may be gone in another moment.
async fn check_whole(
    captured: &mut Captured,
    store: &Store,
    contents: &[Digest],
) -> Result<Result<(), Problem>, Problem> {
    let lost = lacking_at(&mut captured.moment, store, contents).await?;
    if lost.is_empty() {
        return Ok(Ok(()));
    }
    let message = format!("the home lacks content that its facts need: {}", some(&lost));
    Ok(Err(Problem::new(ErrorKind::Corrupt, message).hint(
        "no backup is made of it, and those from before stay: `stemma verify --repair` brings back what it can, and \
         `stemma purge` says of content that it is gone for good",
    )))
}

fn no_home(root: &Path) -> Problem {
    let problem = unusable(root, &std::io::ErrorKind::NotFound.into());
    Problem { hint: Some("`stemma backup` is run where the home's files are".to_owned()), ..problem }
}
