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
use stemma_gateway::{Mark, Seen, SegmentId, read_marks};

use super::given::{EndpointOf, Sought, Told};
use crate::{
    Delivery, gap,
    problem::log_problem,
    refusals::Refusals,
    sealed::{SealedFile, look_into},
};

/// Of more at once, files are read without asking their filters for each.
const FILTERED_MAX: usize = 32;

/// How far ahead of its segment's end a record may be: clocks elsewhere are ahead by no more.
const AHEAD_MICROS_MAX: i64 = 86_400_000_000;

/// What could not be looked at, and the times that it may be of.
struct Gap {
    first: Timestamp,
    last: Timestamp,
    what: String,
}

/// What is looked for at one endpoint.
struct Search {
    sought: Vec<Sought>,
    /// Places in `sought` by what they are found by.
    requests: HashMap<String, Vec<usize>>,
    units: HashMap<String, Vec<usize>>,
    /// The newest that was found for each.
    found: Vec<Option<(Timestamp, PredictionAddress)>>,
    gaps: Vec<Gap>,
}

/// Finds the predictions.
pub async fn find(
    delivery: &Delivery,
    project: &ProjectName,
    sought: Vec<Sought>,
) -> Result<(Vec<Told>, Refusals), Problem> {
    let mut by_endpoint: BTreeMap<EndpointName, Vec<Sought>> = BTreeMap::new();
    for one in sought {
        by_endpoint.entry(one.endpoint.clone()).or_default().push(one);
    }
    let (mut told, mut refused) = (Vec::new(), Refusals::default());
    for (endpoint, sought) in by_endpoint {
        let ordinal = match delivery.known().found_endpoint(project, &endpoint).await {
            Ok(found) => found.ordinal,
            Err(problem) => {
                sought.into_iter().for_each(|one| refused.add(one.at, problem.clone()));
                continue;
            }
        };
        let search = search(delivery, &endpoint, ordinal, Search::of(sought)).await?;
        let endpoint = Arc::new(EndpointOf { project: project.clone(), name: endpoint });
        let Search { sought, found, gaps, .. } = search;
        for (one, found) in sought.into_iter().zip(found) {
            match settled(&one, found, &gaps) {
                Err(problem) => refused.add(one.at, problem),
                Ok(address) => told.push(Told {
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

/// The newest that was found, if nothing that could not be looked at may hold a newer one.
fn settled(
    one: &Sought,
    found: Option<(Timestamp, PredictionAddress)>,
    gaps: &[Gap],
) -> Result<PredictionAddress, Problem> {
    let Sought { endpoint, by, window: (since, until), .. } = one;
    let from = found.map_or(*since, |(time, _)| time);
    let gap = gaps.iter().find(|gap| gap.last >= from && gap.first <= *until);
    match (found, gap) {
        (Some((_, address)), None) => Ok(address),
        (Some((time, _)), Some(gap)) => {
            let message = format!(
                "the newest for {by} at endpoint `{endpoint}` may not be the one of {time} that was found: {}",
                gap.what
            );
            Err(Problem::not_found(message).hint("name the prediction by its id, or end the window before"))
        }
        (None, gap) => {
            let message = format!("endpoint `{endpoint}` answered nothing for {by} between {since} and {until}");
            Err(match gap {
                None => Problem::not_found(message).hint("a wider window may have it: say `since` and `until`"),
                Some(gap) => Problem::not_found(format!("{message}, as far as it could be looked: {}", gap.what)),
            })
        }
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
        let names: Vec<String> = search.requests.keys().chain(search.units.keys()).cloned().collect();
        let meet = |address: PredictionAddress, record| search.meet(address, Mark::of(address.row, &record));
        let seen = log.named(ordinal, names.iter().map(String::as_str), meet);
        (seen, search)
    };
    let (seen, mut search) = tokio::task::spawn_blocking(open).await.map_err(internal)?;
    search.gaps.extend(in_log(&seen));
    let (since, until) = search.window();
    for part in delivery.known().sealed_parts(endpoint).await? {
        // what was sealed meanwhile was met already
        if seen.segments.contains(&part.segment) || part.last_time < since || part.first_time > until {
            continue;
        }
        let look = move |file: &SealedFile, search: &mut Search| {
            let address = |row| PredictionAddress { segment: part.segment, endpoint: part.ordinal, row };
            match search.may_be_in(file, part.first_row)? {
                true => file.read(|chunks| read_marks(chunks, |mark| search.meet(address(mark.row), mark))),
                false => Ok(()),
            }
        };
        let (grown, gap) = look_into(delivery, (&part.project, part.digest), search, look).await?;
        search = grown;
        let of_part = |gap: Problem| Gap { first: part.first_time, last: part.last_time, what: gap.message };
        search.gaps.extend(gap.map(of_part));
    }
    Ok(search)
}

/// What of the log can't be read: it was recorded before the next segment began, and what was reported is of any time before.
fn in_log(seen: &Seen) -> impl Iterator<Item = Gap> {
    let ended = |segment: SegmentId| {
        let next = seen.segments.iter().find(|next| **next > segment);
        // a segment's id begins with the milliseconds at which it was made
        let began = next.and_then(|next| i64::try_from(next >> 16).ok()).map(|millis| millis.saturating_mul(1000));
        Timestamp(began.map_or(i64::MAX, |began| began.saturating_add(AHEAD_MICROS_MAX)))
    };
    let what = gap::in_log(seen).into_iter();
    let gaps = seen.unread.iter().zip(what);
    gaps.map(move |(unread, what)| Gap { first: Timestamp(i64::MIN), last: ended(unread.segment), what })
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

#[cfg(test)]
mod tests {
    use stemma_api::types::SendFeedback;
    use stemma_gateway::Unread;

    use super::*;

    fn sought(since: i64, until: i64) -> Sought {
        Sought {
            at: 0,
            endpoint: "credit-offer".parse().unwrap(),
            by: FoundBy::Unit("customer-29".to_owned()),
            window: (Timestamp(since), Timestamp(until)),
            what: SendFeedback::default(),
        }
    }

    #[test]
    fn an_older_prediction_is_not_taken_where_a_newer_one_could_not_be_looked_for() {
        let address = PredictionAddress { segment: 1, endpoint: 2, row: 3 };
        let gap =
            |first, last| Gap { first: Timestamp(first), last: Timestamp(last), what: "it was purged".to_owned() };
        let found = |time| Some((Timestamp(time), address));
        for (found, gaps, is_taken) in [
            (found(50), vec![], true),
            (found(50), vec![gap(10, 49), gap(101, 200)], true),
            (found(50), vec![gap(10, 50)], false),
            (found(50), vec![gap(60, 70)], false),
            (found(50), vec![gap(100, 200)], false),
            (found(50), vec![gap(i64::MIN, i64::MAX)], false),
            (None, vec![], false),
        ] {
            let settled = settled(&sought(0, 100), found, &gaps);
            assert_eq!(settled.is_ok(), is_taken, "{settled:?}");
        }
        let message = |gaps: &[Gap]| settled(&sought(0, 100), None, gaps).unwrap_err().message;
        assert!(message(&[gap(90, 95)]).ends_with("as far as it could be looked: it was purged"));
        assert!(!message(&[gap(101, 102)]).contains("purged"), "it is outside of the window");
    }

    #[test]
    fn damage_of_a_segment_may_be_of_any_time_before_its_end() {
        let (old, next) = (1_000_u64 << 16, 2_000_u64 << 16);
        let unread = |segment| Unread { segment, what: "it is damaged".to_owned() };
        let seen = Seen { segments: vec![old, next], unread: vec![unread(old), unread(next)] };
        let gaps: Vec<Gap> = in_log(&seen).collect();
        assert_eq!((gaps[0].first, gaps[0].last), (Timestamp(i64::MIN), Timestamp(2_000_000 + AHEAD_MICROS_MAX)));
        assert_eq!(gaps[1].last, Timestamp(i64::MAX));
    }
}
