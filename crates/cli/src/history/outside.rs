//! What others than the home say of its history: the part of an audit that the home can't do for itself.

use std::collections::BTreeSet;

use stemma_core::{
    Problem,
    audit::{Check, Fault},
    history::{SeenHead, Today, compare},
    id::HomeId,
};
use stemma_workspace::Workspace;

use super::{
    remembered::{Remembered, sizes},
    watch::{Watch, departed, other_home},
    witness::declared,
};

const WHAT: &str = "heads that were seen are beginnings of this history";

/// Whether a check is one of those that say what others remember.
pub fn is_outside(check: &Check) -> bool {
    check.what.starts_with(WHAT)
}

/// Asks everybody who may remember something of a home; `look` says which home it is, and proves that sizes are
/// beginnings of its history.
pub async fn compare_outside(
    watch: &Watch,
    workspace: Option<&Workspace>,
    look: impl AsyncFn(BTreeSet<u64>) -> Result<(HomeId, Today), Problem>,
) -> Vec<Check> {
    compare_all(watch, workspace, look).await.unwrap_or_else(|problem| {
        let mut check = Check::new("outside", WHAT);
        check.leave_out(format!("nothing outside of the home was compared: {}", problem.message));
        vec![check]
    })
}

async fn compare_all(
    watch: &Watch,
    workspace: Option<&Workspace>,
    look: impl AsyncFn(BTreeSet<u64>) -> Result<(HomeId, Today), Problem>,
) -> Result<Vec<Check>, Problem> {
    let (home, _) = look(BTreeSet::new()).await?;
    let remembered = Remembered::read(watch.memory(), workspace, home)?;
    let all = remembered.all();
    let (_, today) = look(sizes(&all)).await?;
    let judged = |name: &str, heads: &[SeenHead]| judged(name, home, heads, &all, &today);

    let mut machine = judged("this machine", &remembered.memory);
    if let Some(before) = watch.other_home(home)? {
        machine.fault(Fault::at(watch.place(), other_home(watch.place(), before, home).message));
    }
    if remembered.memory.is_empty() {
        machine.leave_out("this machine remembers nothing of this home: it was not seen from here before");
    }
    let mut line = judged("stemma.heads", &remembered.lines);
    for fault in &remembered.faults {
        line.fault(Fault::at(format!("line {}", fault.line), fault.reason.clone()));
    }
    if remembered.lines.is_empty() {
        line.leave_out("no line of `stemma.heads` is of this home");
    }
    let witnesses = witnesses(workspace, home, &all, look).await?;
    let looked_at: u64 = [&machine, &line].into_iter().chain(&witnesses).map(|check| check.looked_at).sum();
    if looked_at == 0 {
        machine.leave_out("nobody outside of this home remembers its head");
    }
    Ok([vec![machine, line], witnesses].concat())
}

/// One check for each witness that is declared; one that can't be asked is not covered.
async fn witnesses(
    workspace: Option<&Workspace>,
    home: HomeId,
    all: &[SeenHead],
    look: impl AsyncFn(BTreeSet<u64>) -> Result<(HomeId, Today), Problem>,
) -> Result<Vec<Check>, Problem> {
    let mut checks = Vec::new();
    for witness in workspace.map(declared).transpose()?.into_iter().flatten() {
        let name = format!("witness {}", witness.name);
        let check = match witness.heads(home).await {
            Ok(heads) => {
                let known: Vec<SeenHead> = all.iter().chain(&heads).cloned().collect();
                let (_, today) = look(sizes(&known)).await?;
                witnessed(&name, home, &heads, &known, &today)
            }
            Err(problem) => {
                let mut check = Check::new(&name, WHAT);
                check.leave_out(format!("it could not be asked: {}", problem.message));
                check
            }
        };
        checks.push(check);
    }
    Ok(checks)
}

fn witnessed(name: &str, home: HomeId, heads: &[SeenHead], all: &[SeenHead], today: &Today) -> Check {
    let mut check = judged(name, home, heads, all, today);
    match heads.iter().max_by_key(|head| head.signed.size()) {
        Some(newest) => {
            let (size, seen) = (newest.signed.size(), newest.seen);
            check.what = format!("{WHAT}, the newest of {size} events, shown to it on {seen}");
        }
        None => check.leave_out("it keeps no head of this home yet; `stemma audit checkpoint` gives it one"),
    }
    check
}

fn judged(name: &str, home: HomeId, heads: &[SeenHead], all: &[SeenHead], today: &Today) -> Check {
    let mut check = Check::new(name, WHAT);
    check.looked_at = heads.len() as u64;
    if let Err(departure) = compare(heads, today) {
        let departure = departure.narrowed(all, today);
        check.fault(Fault::of_event(departure.event(), departed(home, &departure).message));
    }
    check
}
