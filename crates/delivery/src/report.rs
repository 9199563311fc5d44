//! Report: predictions that were made elsewhere are told, recorded as such, and found like ours.
//!
//! Whoever reports says what answered; nothing of it was seen here. A request is recorded whole or not at all. The
//! reporter's id names a prediction once for each endpoint and time, so what is reported again changes nothing.

mod ids;
mod read;

use std::collections::HashMap;

use stemma_api::types::{PredictionsRecorded, RecordPredictions, ReportedPrediction};
use stemma_core::{
    ErrorKind, Problem,
    endpoint::target::Target,
    event::Event,
    id::RequestId,
    name::{EndpointName, ModelName, ProjectName},
    rights::Action,
    version::VersionNumber,
};
use stemma_engine::{Caller, problem::internal};
use stemma_gateway::{EncodedRecord, NewRecord};
use stemma_ledger::WhichVersion;

use self::{
    ids::{Report, Sorted, sort},
    read::{Answering, Reading, read},
};
use crate::{
    Delivery,
    in_parts::in_parts,
    problem::log_problem,
    refusals::Refusals,
    reported::{report_content, report_key},
};

/// Most predictions of one request.
const ITEMS_MAX: usize = 50_000;

impl Delivery {
    /// Records predictions of an endpoint that were made elsewhere, making the endpoint if there is none.
    pub async fn record_predictions(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        endpoint: &EndpointName,
        send: RecordPredictions,
    ) -> Result<PredictionsRecorded, Problem> {
        if send.predictions.len() > ITEMS_MAX {
            let message = format!("{} predictions are more than {ITEMS_MAX} of one request", send.predictions.len());
            return Err(Problem::invalid(message).hint("report them in several"));
        }
        caller.may_on(Action::Report, project, endpoint)?;
        let (reports, refused) = self.read_reports(caller, project, endpoint, send).await?;
        if refused.count() > 0 || reports.is_empty() {
            return Ok(nothing_recorded(refused));
        }
        let ordinal = self.reported_endpoint(caller, request, project, endpoint).await?;
        let mut ids = self.reported_ids().lock().await;
        let reported = reports.len() as u64;
        let Sorted { new, refused, gaps, mut open } =
            sort(self, ids.take(ordinal), (endpoint, ordinal), reports).await?;
        if refused.count() > 0 {
            ids.put_back(ordinal, open);
            return Ok(nothing_recorded(refused));
        }
        let named: Vec<_> = new.iter().map(|report| (report.key, report.content)).collect();
        let encoded = encode(project.clone(), ordinal, new).await?;
        let predictions = self.log().append_all(encoded).await.map_err(log_problem)?;
        let addresses = predictions.iter().filter_map(|id| id.open(self.prediction_key()));
        addresses.zip(named).for_each(|(address, (key, content))| open.add(address.segment, key, content));
        ids.put_back(ordinal, open);
        let recorded = predictions.len() as u64;
        let known = reported - recorded;
        Ok(PredictionsRecorded { recorded, known, gaps, predictions, ..PredictionsRecorded::default() })
    }

    /// The reports with the records that are made of them, and what is refused.
    async fn read_reports(
        &self,
        caller: &Caller,
        project: &ProjectName,
        endpoint: &EndpointName,
        send: RecordPredictions,
    ) -> Result<(Vec<Report>, Refusals), Problem> {
        let RecordPredictions { version, source, values, predictions } = send;
        let mut versions: HashMap<String, Result<Answering, Problem>> = HashMap::new();
        for named in predictions.iter().filter_map(|one| one.version.as_ref()).chain(&version) {
            if !versions.contains_key(named) {
                let found = self.answering(project, named).await;
                versions.insert(named.clone(), found);
            }
        }
        let reading = Reading {
            values,
            endpoint: endpoint.clone(),
            caller: caller.actor.principal.clone(),
            source,
            version,
            versions,
            now: self.known().now(),
        };
        let read_all = move || {
            let read_one = |(at, one): (usize, ReportedPrediction)| {
                let key = report_key(&one.id, one.time);
                let read = read(&reading, one).and_then(|record| Ok((report_content(&record)?, record)));
                let report = read.map(|(content, record)| Report { at, key, content, record });
                report.map_err(|problem| (at, problem))
            };
            let (mut reports, mut refused) = (Vec::with_capacity(predictions.len()), Refusals::default());
            for read in in_parts(predictions.into_iter().enumerate().collect(), read_one) {
                match read {
                    Ok(report) => reports.push(report),
                    Err((at, problem)) => refused.add(at, problem),
                }
            }
            (reports, refused)
        };
        tokio::task::spawn_blocking(read_all).await.map_err(internal)
    }

    /// A version by its whole name: a stage or an alias may have meant another when the prediction was made.
    async fn answering(&self, project: &ProjectName, named: &str) -> Result<Answering, Problem> {
        let wrong = || {
            Problem::invalid(format!("`{named}` is no version"))
                .hint("write model and number, as in `credit-score@1.1.0`")
        };
        let (model, number) = named.split_once('@').ok_or_else(wrong)?;
        let model: ModelName = model.parse()?;
        let parsed = number.parse::<VersionNumber>();
        let which = parsed.as_ref().map_or(WhichVersion::Named(number), |number| WhichVersion::Numbered(*number));
        let never = || {
            Problem::not_found(format!("there never was a version `{named}` in project `{project}`"))
                .hint(format!("`stemma models {model}` lists its versions; `stemma register` makes one"))
        };
        let found = self.known().version_if_any(project, &model, which).await?;
        let found = found.ok_or_else(|| if parsed.is_ok() { never() } else { wrong() })?;
        let target = Target { model, version: found.number, digest: found.digest };
        Ok(Answering { target, signature: found.signature })
    }

    async fn reported_endpoint(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        endpoint: &EndpointName,
    ) -> Result<u16, Problem> {
        let decide = || async move {
            if self.known().endpoint_if_any(endpoint).await?.is_some() {
                return Ok(Vec::new());
            }
            let ordinal = self.known().next_endpoint_ordinal().await?;
            Ok(vec![Event::EndpointCreated { project: project.clone(), endpoint: endpoint.clone(), ordinal }])
        };
        self.engine().change(caller, request, decide).await?;
        match self.known().endpoint_if_any(endpoint).await? {
            Some(found) if found.project == *project => Ok(found.ordinal),
            Some(_) => Err(Problem::new(ErrorKind::Conflict, format!("endpoint `{endpoint}` is of another project"))),
            None => Err(Problem::invalid("this request id was used for something else")),
        }
    }
}

async fn encode(project: ProjectName, ordinal: u16, reports: Vec<Report>) -> Result<Vec<EncodedRecord>, Problem> {
    let encode_all = move || {
        let encode = |report: Report| NewRecord { project: &project, ordinal, record: &report.record }.encode();
        in_parts(reports, encode).into_iter().collect::<Result<Vec<_>, _>>()
    };
    tokio::task::spawn_blocking(encode_all).await.map_err(internal)?.map_err(log_problem)
}

fn nothing_recorded(refused: Refusals) -> PredictionsRecorded {
    let refused_count = refused.count();
    PredictionsRecorded { refused: refused.into_items(), refused_count, ..PredictionsRecorded::default() }
}
