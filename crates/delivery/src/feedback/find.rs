//! Finding the predictions that feedback is about by a request's id or a unit: the newest answered ones in their windows.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use stemma_core::{
    Problem, Timestamp,
    endpoint::{
        feedback::FoundBy,
        prediction::{PredictionAddress, PredictionId},
        search::Wanted,
    },
    name::{EndpointName, ProjectName},
};
use stemma_engine::problem::internal;
use stemma_gateway::{Mark, read_marks};

use super::given::{EndpointOf, Sought, Told};
use crate::{
    Delivery,
    problem::{log_problem, read_problem},
    sealed::{SealedFile, sealed_file},
};

/// Of more at once, files are read without asking their filters for each.
const FILTERED_MAX: usize = 32;

/// What is looked for at one endpoint.
struct Search {
    sought: Vec<Sought>,
    /// Places in `sought` by what they are found by.
    requests: HashMap<String, Vec<usize>>,
    units: HashMap<String, Vec<usize>>,
    /// The newest that was found for each.
    found: Vec<Option<(Timestamp, PredictionAddress)>>,
    /// What could not be looked at.
    gaps: Vec<String>,
}

/// Finds the predictions. What is refused is handed back with its place.
pub async fn find(
    delivery: &Delivery,
    project: &ProjectName,
    sought: Vec<Sought>,
) -> Result<(Vec<Told>, Vec<(usize, Problem)>), Problem> {
    let mut by_endpoint: BTreeMap<EndpointName, Vec<Sought>> = BTreeMap::new();
    for one in sought {
        by_endpoint.entry(one.endpoint.clone()).or_default().push(one);
    }
    let (mut told, mut refused) = (Vec::new(), Vec::new());
    for (endpoint, sought) in by_endpoint {
        let ordinal = match delivery.known().found_endpoint(project, &endpoint).await {
            Ok(found) => found.ordinal,
            Err(problem) => {
                refused.extend(sought.into_iter().map(|one| (one.at, problem.clone())));
                continue;
            }
        };
        let search = search(delivery, &endpoint, ordinal, Search::of(sought)).await?;
        let endpoint = Arc::new(EndpointOf { project: project.clone(), name: endpoint });
        for (one, found) in search.sought.into_iter().zip(search.found) {
            match found {
                None => refused.push((one.at, nothing(&one, &search.gaps))),
                Some((_, address)) => told.push(Told {
                    at: one.at,
                    prediction: PredictionId::seal(address, delivery.prediction_key()),
                    address,
                    endpoint: Arc::clone(&endpoint),
                    found: Some(one.by),
                    what: one.what,
                }),
            }
        }
    }
    Ok((told, refused))
}

fn wanted(one: &Sought) -> Wanted {
    let (since, until) = one.window;
    let within = Wanted { since: Some(since), until: Some(until), ..Wanted::default() };
    match &one.by {
        FoundBy::RequestId(id) => Wanted { request_id: Some(id.clone()), ..within },
        FoundBy::Unit(unit) => Wanted { unit: Some(unit.clone()), ..within },
    }
}

fn nothing(one: &Sought, gaps: &[String]) -> Problem {
    let Sought { endpoint, by, window: (since, until), .. } = one;
    let message = format!("endpoint `{endpoint}` answered nothing for {by} between {since} and {until}");
    match gaps.first() {
        None => Problem::not_found(message).hint("a wider window may have it: say `since` and `until`"),
        Some(gap) => Problem::not_found(format!("{message}, as far as it could be looked: {gap}")),
    }
}

/// Looks through the open log, then through the sealed files that the windows reach into.
async fn search(
    delivery: &Delivery,
    endpoint: &EndpointName,
    ordinal: u16,
    mut search: Search,
) -> Result<Search, Problem> {
    delivery.log().flush().await.map_err(log_problem)?;
    let log = delivery.log().clone();
    let open = move || {
        let segments = log.each(ordinal, |address, record| search.meet(address, Mark::of(address.row, &record)))?;
        Ok((segments, search))
    };
    let (segments, mut search) = tokio::task::spawn_blocking(open).await.map_err(internal)?.map_err(read_problem)?;
    let (since, until) = search.window();
    for part in delivery.known().sealed_parts(endpoint).await? {
        // what was sealed meanwhile was met already
        if segments.contains(&part.segment) || part.last_time < since || part.first_time > until {
            continue;
        }
        let file = sealed_file(delivery, &part.project, part.digest, &mut search.gaps).await?;
        let Some(file) = file else { continue };
        let look = move || {
            let address = |row| PredictionAddress { segment: part.segment, endpoint: part.ordinal, row };
            if search.may_be_in(&file, part.first_row)? {
                file.read(|chunks| read_marks(chunks, |mark| search.meet(address(mark.row), mark)))?;
            }
            Ok::<_, Problem>(search)
        };
        search = tokio::task::spawn_blocking(look).await.map_err(internal)??;
    }
    Ok(search)
}

impl Search {
    fn of(sought: Vec<Sought>) -> Self {
        let (mut requests, mut units) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for (place, one) in sought.iter().enumerate() {
            match &one.by {
                FoundBy::RequestId(id) => requests.entry(id.clone()).or_default().push(place),
                FoundBy::Unit(unit) => units.entry(unit.clone()).or_default().push(place),
            }
        }
        Self { found: vec![None; sought.len()], sought, requests, units, gaps: Vec::new() }
    }

    /// Whether a file has to be read: few are asked of its filters before.
    fn may_be_in(&self, file: &SealedFile, first_row: u32) -> Result<bool, Problem> {
        if self.sought.len() > FILTERED_MAX {
            return Ok(true);
        }
        let wanted: Vec<Wanted> = self.sought.iter().map(wanted).collect();
        file.may_hold(first_row, &wanted)
    }

    /// The window that holds all windows.
    fn window(&self) -> (Timestamp, Timestamp) {
        let windows = || self.sought.iter().map(|one| one.window);
        let since = windows().map(|window| window.0).min().unwrap_or(Timestamp(i64::MAX));
        (since, windows().map(|window| window.1).max().unwrap_or(Timestamp(i64::MIN)))
    }

    fn meet(&mut self, address: PredictionAddress, mark: Mark<'_>) {
        if !mark.is_answered() {
            return;
        }
        let by_request = mark.request_id.and_then(|id| self.requests.get(id));
        let by_unit = mark.unit.and_then(|unit| self.units.get(unit));
        for place in by_request.into_iter().chain(by_unit).flatten() {
            let (since, until) = self.sought[*place].window;
            let newest = Some((mark.time, address)).filter(|(time, _)| (since..=until).contains(time));
            self.found[*place] = self.found[*place].max(newest);
        }
    }
}
