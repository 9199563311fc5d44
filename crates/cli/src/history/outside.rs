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
    Watch,
    remembered::{Remembered, sizes},
    watch::{departed, other_home},
};

const WHAT: &str = "heads that were seen are beginnings of this history";

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
    if machine.looked_at + line.looked_at == 0 {
        machine.leave_out("nobody outside of this home remembers its head");
    }
    Ok(vec![machine, line])
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
