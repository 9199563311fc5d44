//! Who asks, and which endpoint they mean: worked out once a request, by its head alone.

use std::sync::Arc;

use stemma_core::{
    Timestamp,
    name::{EndpointName, PrincipalName, ProjectName},
    near,
};

use crate::{
    access::Caller,
    refused::Refused,
    table::{Endpoint, RouteTable, TakenDown},
};

/// Who knocks, and where.
#[derive(Debug)]
pub struct Knock<'a> {
    pub endpoint: &'a EndpointName,
    /// The version that the path names, if it does.
    pub version: Option<&'a str>,
    /// `X-Stemma-Revision`: no other revision may answer.
    pub revision: Option<u32>,
    pub bearer: Option<&'a str>,
    pub peer_is_local: bool,
}

/// Who may ask an endpoint, and the endpoint as it was when they knocked.
pub struct Admitted {
    pub endpoint: Arc<Endpoint>,
    pub caller: PrincipalName,
}

/// Finds out who calls and which endpoint they mean; checks the version if one is named.
pub fn admit(table: &RouteTable, knock: &Knock<'_>, now: Timestamp) -> Result<Admitted, Refused> {
    let caller = table.access.identify(knock.bearer, knock.peer_is_local, now)?;
    let endpoint = find(table, &caller, knock)?;
    if let Some(version) = knock.version {
        check_version(endpoint, version)?;
    }
    Ok(Admitted { endpoint: Arc::clone(endpoint), caller: caller.principal })
}

fn find<'a>(table: &'a RouteTable, caller: &Caller, knock: &Knock<'_>) -> Result<&'a Arc<Endpoint>, Refused> {
    let (routes, name) = (&table.routes, knock.endpoint);
    // whoever may not ask an endpoint is told the same as if there were none
    let may_ask = |project: &ProjectName| caller.may_ask(project, name);
    if routes.unavailable.get(name).is_some_and(may_ask) {
        return Err(Refused::NotReady(name.clone()));
    }
    let taken_down = routes.taken_down.get(name).filter(|taken_down| may_ask(&taken_down.project));
    if let Some(TakenDown { time, reason, quarantine, project: _ }) = taken_down {
        let (endpoint, time, reason) = (name.clone(), *time, reason.clone());
        return Err(match quarantine.clone() {
            None => Refused::TakenDown { endpoint, time, reason },
            Some(version) => Refused::KeptBack { endpoint, version, time, reason },
        });
    }
    let known = routes.endpoints.get(name).filter(|endpoint| may_ask(&endpoint.revision().project));
    let live = known.ok_or_else(|| no_endpoint(table, caller, name))?;
    let Some(wanted) = knock.revision else {
        return Ok(live);
    };
    let gone = || Refused::RevisionGone { endpoint: name.clone(), wanted, live: live.revision().number };
    routes.revision(name, wanted).ok_or_else(gone)
}

fn check_version(endpoint: &Endpoint, version: &str) -> Result<(), Refused> {
    let live = endpoint.versions();
    if live.iter().any(|live| live == version) {
        return Ok(());
    }
    Err(Refused::NoVersion {
        endpoint: endpoint.revision().endpoint.clone(),
        version: version.chars().take(64).collect(),
        live: live.iter().map(|live| format!("`{live}`")).collect::<Vec<_>>().join(", "),
    })
}

/// Names only endpoints that the caller may ask.
fn no_endpoint(table: &RouteTable, caller: &Caller, wanted: &EndpointName) -> Refused {
    let visible = table
        .routes
        .endpoints
        .values()
        .map(|endpoint| endpoint.revision())
        .filter(|revision| caller.may_ask(&revision.project, &revision.endpoint))
        .map(|revision| revision.endpoint.as_str());
    let hint = near::hint(wanted.as_str(), visible, "see `stemma deploy` for how to make one");
    Refused::NoEndpoint { endpoint: wanted.clone(), hint }
}
