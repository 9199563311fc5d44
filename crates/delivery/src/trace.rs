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
    Delivery,
    problem::{log_problem, read_problem},
    sealed::sealed_file,
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
    for project in delivery.known().projects().await? {
        if caller.may(Action::ReadPredictions, Some(&project)).is_err() {
            continue;
        }
        for endpoint in delivery.known().endpoint_names(&project).await? {
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
            let segments = log.each(ordinal, |address, record| self.meet(address, &Mark::of(address.row, &record)))?;
            Ok((segments, self))
        });
        let (segments, mut search) = open.await.map_err(internal)?.map_err(read_problem)?;
        for part in delivery.known().sealed_parts(endpoint).await? {
            if segments.contains(&part.segment) || !search.wanted.overlaps(part.first_time, part.last_time) {
                continue;
            }
            let Some(file) = sealed_file(delivery, &part.project, part.digest, gaps).await? else { continue };
            let look = move || {
                let address = |row| PredictionAddress { segment: part.segment, endpoint: part.ordinal, row };
                if file.may_hold(part.first_row, std::slice::from_ref(&search.wanted))? {
                    file.read(|chunks| read_marks(chunks, |mark| search.meet(address(mark.row), &mark)))?;
                }
                Ok::<_, Problem>(search)
            };
            search = tokio::task::spawn_blocking(look).await.map_err(internal)??;
        }
        Ok(search.found)
    }

    fn meet(&mut self, address: PredictionAddress, mark: &Mark<'_>) {
        if mark.trace_id.as_deref() == Some(self.trace.as_str()) {
            self.found.push((address, mark.time, mark.status.to_owned()));
        }
    }
}
