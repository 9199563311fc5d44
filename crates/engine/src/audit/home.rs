//! The file that says which home a folder is, against the event that made the home.

use stemma_core::{
    audit::{Check, Fault},
    id::HomeId,
};
use stemma_ledger::LedgerAtRest;

use crate::Layout;

/// The home's id, from wherever it can still be read.
pub async fn check(layout: &Layout, ledger: Option<&LedgerAtRest>) -> (Option<HomeId>, Check) {
    let mut check = Check::new("home", "home files name the home that the first event made");
    let named = match layout.read_home() {
        Ok(Some(file)) => Some(file.home),
        Ok(None) => {
            check.fault(Fault::at("`home.json`", "it is missing; bring it back from a backup"));
            None
        }
        Err(problem) => {
            check.fault(Fault::at("`home.json`", problem.message));
            None
        }
    };
    let made = match ledger {
        None => None,
        Some(ledger) => match ledger.home().await {
            Ok(made) => Some(made),
            Err(error) => {
                check.fault(Fault::at("the ledger", error.to_string()));
                None
            }
        },
    };
    match (named, made) {
        (Some(named), Some(made)) if named != made => {
            check.fault(Fault::at("`home.json`", format!("it names the home {named}, the first event made {made}")));
        }
        (Some(_), Some(_)) => check.looked_at = 1,
        _ => check.leave_out("which home this is: it can be read in one place at most"),
    }
    // what the file says, as the ledger's own id was made by it
    (named.or(made), check)
}
