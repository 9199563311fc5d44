//! Predictions of one trace: what an application asked other endpoints for while it served the same request.

use stemma_api::types::Together;
use stemma_core::{
    Problem, Timestamp,
    endpoint::{
        prediction::{PredictionAddress, PredictionId, PredictionRecord},
        search::Wanted,
    },
    rights::Action,
};
use stemma_engine::{Caller, problem::internal};
use stemma_gateway::{Mark, read_marks};

use crate::{
    Delivery, gap,
    problem::log_problem,
    sealed::{SealedFile, look_into},
};

/// A request lasts no longer before and after one of its predictions.
const WINDOW_MICROS: i64 = 3_600_000_000;
/// Most predictions of a trace that are told.
const TOGETHER_MAX: usize = 100;

/// Finds the others, at all endpoints whose predictions the caller may read; and says what could not be looked at.
pub(crate) async fn same_trace(
    delivery: &Delivery,
    caller: &Caller,
    prediction: &PredictionId,
    record: &PredictionRecord,
) -> Result<(Vec<Together>, Vec<String>), Problem> {
    let (mut found, mut gaps) = (Vec::new(), Vec::new());
    let Some(trace_id) = record.trace.map(|trace| trace.trace_id) else { return Ok((found, gaps)) };
    let around = |offset: i64| Some(Timestamp(record.time.micros().saturating_add(offset)));
    let (since, until) = (around(-WINDOW_MICROS), around(WINDOW_MICROS));
    let wanted = Wanted { trace_id: Some(trace_id), since, until, ..Wanted::default() };
    delivery.log().flush().await.map_err(log_problem)?;
    for project in delivery.known().projects() {
        if caller.may_within(Action::ReadPredictions, &project).is_err() {
            continue;
        }
        let reach = caller.reach(Action::ReadPredictions, &project);
        for endpoint in delivery.known().endpoint_names_within(&project, &reach).await? {
            let ordinal = delivery.known().found_endpoint(&project, &endpoint).await?.ordinal;
            let search = Search { wanted: wanted.clone(), trace: trace_id.to_string(), found: Vec::new() };
            for (address, time, status) in search.at(delivery, (&endpoint, ordinal), &mut gaps).await? {
                let id = PredictionId::seal(address, delivery.prediction_key());
                if id != *prediction {
                    found.push(Together { prediction: id, endpoint: endpoint.clone(), time, status });
                }
            }
        }
    }
    // a damaged segment holds predictions of many endpoints, and is one gap
    gaps.sort_unstable();
    gaps.dedup();
    found.sort_by_key(|one| (one.time, one.prediction));
    if found.len() > TOGETHER_MAX {
        gaps.push(format!("only {TOGETHER_MAX} of {} other predictions of its trace are told", found.len()));
        found.truncate(TOGETHER_MAX);
    }
    Ok((found, gaps))
}

/// What is looked for at one endpoint, and what was found.
struct Search {
    wanted: Wanted,
    /// As marks have it.
    trace: String,
    found: Vec<(PredictionAddress, Timestamp, String)>,
}

impl Search {
    async fn at(
        mut self,
        delivery: &Delivery,
        (endpoint, ordinal): (&stemma_core::name::EndpointName, u16),
        gaps: &mut Vec<String>,
    ) -> Result<Vec<(PredictionAddress, Timestamp, String)>, Problem> {
        let log = delivery.log().clone();
        let open = tokio::task::spawn_blocking(move || {
            // the log of days is read for it, and few of its records are decoded
            let trace = self.trace.clone();
            let may_be = |text: &[u8]| text.windows(trace.len()).any(|part| part == trace.as_bytes());
            let meet = |address: PredictionAddress, record| self.meet(address, &Mark::of(address.row, &record));
            let seen = log.each(ordinal, may_be, meet);
            (seen, self)
        });
        let (seen, mut search) = open.await.map_err(internal)?;
        gaps.extend(gap::in_log(&seen));
        for part in delivery.known().sealed_parts(endpoint).await? {
            if seen.segments.contains(&part.segment) || !search.wanted.overlaps(part.first_time, part.last_time) {
                continue;
            }
            let look = move |file: &SealedFile, search: &mut Self| {
                let address = |row| PredictionAddress { segment: part.segment, endpoint: part.ordinal, row };
                match file.may_hold(part.first_row, std::slice::from_ref(&search.wanted))? {
                    true => file.read(|chunks| read_marks(chunks, |mark| search.meet(address(mark.row), &mark))),
                    false => Ok(()),
                }
            };
            let (grown, gap) = look_into(delivery, (&part.project, part.digest), search, look).await?;
            search = grown;
            gaps.extend(gap.map(|gap| gap.message));
        }
        Ok(search.found)
    }

    /// As far from the prediction as a request may last: the trace of a batch may be that of days.
    fn meet(&mut self, address: PredictionAddress, mark: &Mark<'_>) {
        if self.wanted.fits_time(mark.time) && mark.trace_id.as_deref() == Some(self.trace.as_str()) {
            self.found.push((address, mark.time, mark.status.to_owned()));
        }
    }
}
