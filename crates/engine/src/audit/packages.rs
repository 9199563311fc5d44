//! Which packages environments have, against the documents of the environments.

use std::collections::{BTreeMap, BTreeSet};

use stemma_core::{
    Digest,
    audit::{Check, Fault},
};
use stemma_ledger::LedgerAtRest;
use stemma_store::Store;

use crate::{
    Layout,
    run::packages::{ENVIRONMENT_BYTES_MAX, packages_in},
};

pub async fn check(layout: &Layout, ledger: &LedgerAtRest) -> Check {
    match compare(layout, ledger).await {
        Ok(check) => check,
        Err(what) => Check::impossible("packages", what),
    }
}

async fn compare(layout: &Layout, ledger: &LedgerAtRest) -> Result<Check, String> {
    let mut check = Check::new("packages", "environments of runs have the packages that their documents list");
    let environments = ledger.environments().await.map_err(|error| error.to_string())?;
    let mut found = ledger.packages().await.map_err(|error| error.to_string())?;
    let purged = ledger.purged().await.map_err(|error| error.to_string())?;
    let wanted: BTreeSet<Digest> = environments.iter().map(|(_, environment)| *environment).collect();
    let mut listed = read_documents(layout, wanted).await?;
    for (project, environment) in environments {
        check.looked_at += 1;
        let key = (project, environment);
        let there = found.remove(&key).unwrap_or_default();
        let place = format!("environment {environment} of project {}", key.0);
        match listed.get_mut(&environment) {
            Some(Ok(packages)) if *packages == there => {}
            Some(Ok(packages)) => {
                let (more, less) = (there.difference(packages).count(), packages.difference(&there).count());
                check.fault(Fault::at(
                    place,
                    format!("{more} packages are there that it does not have, {less} are missing"),
                ));
            }
            Some(Err(_)) if purged.contains(&environment) => check.leave_out(format!("{place}: it was purged")),
            Some(Err(what)) => {
                check.fault(Fault::at(place, format!("{what}; `stemma verify` says what else is gone")));
            }
            None => {}
        }
    }
    for (project, environment) in found.into_keys() {
        let place = format!("environment {environment} of project {project}");
        check.fault(Fault::at(place, "packages are listed for it, and no run had it"));
    }
    Ok(check)
}

type Packages = BTreeSet<(String, String)>;

async fn read_documents(
    layout: &Layout,
    wanted: BTreeSet<Digest>,
) -> Result<BTreeMap<Digest, Result<Packages, String>>, String> {
    let content = layout.content();
    let read = move || -> Result<_, String> {
        if wanted.is_empty() {
            return Ok(BTreeMap::new());
        }
        let store = Store::open_to_look(&content).map_err(|error| error.to_string())?;
        let read = |environment: Digest| {
            let bytes = store.read(&environment, ENVIRONMENT_BYTES_MAX).map_err(|error| error.to_string());
            (environment, bytes.map(|bytes| packages_in(&bytes)))
        };
        Ok(wanted.into_iter().map(read).collect())
    };
    tokio::task::spawn_blocking(read).await.map_err(|error| error.to_string())?
}
