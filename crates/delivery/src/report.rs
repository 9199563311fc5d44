//! Report: predictions that were made elsewhere are told, recorded as such, and found like ours.
//!
//! Whoever reports says what answered; nothing of it was seen here. A request is recorded whole or not at all. The
//! reporter's id names a prediction once for each endpoint and time, so what is reported again changes nothing.

mod ids;
mod read;

use std::collections::HashMap;

use stemma_api::types::{PredictionsRecorded, RecordPredictions, RefusedItem};
use stemma_core::{
    ErrorKind, Problem,
    endpoint::{prediction::PredictionRecord, target::Target},
    event::Event,
    id::RequestId,
    name::{EndpointName, ModelName, ProjectName},
    rights::Action,
    version::VersionNumber,
};
use stemma_engine::{Caller, problem::internal};
use stemma_gateway::NewRecord;

use self::{
    ids::new_ones,
    read::{Answering, Reading, read},
};
use crate::{Delivery, problem::log_problem};

/// Most predictions of one request.
const ITEMS_MAX: usize = 50_000;
/// Refused ones that are told one by one.
const TOLD_MAX: usize = 1_000;

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
        caller.may(Action::Report, Some(project))?;
        let (records, refused) = self.read_reports(caller, project, endpoint, send).await?;
        if !refused.is_empty() || records.is_empty() {
            return Ok(PredictionsRecorded { refused, ..PredictionsRecorded::default() });
        }
        let ordinal = self.reported_endpoint(caller, request, project, endpoint).await?;
        let mut ids = self.reported_ids().lock().await;
        let reported = records.len();
        let (new, keys) = new_ones(self, &mut ids, (endpoint, ordinal), records).await?;
        let encode = |record: &PredictionRecord| NewRecord { project, ordinal, record }.encode().map_err(log_problem);
        let encoded = new.iter().map(encode).collect::<Result<Vec<_>, Problem>>()?;
        let predictions = self.log().append_all(encoded).await.map_err(log_problem)?;
        let addresses = predictions.iter().filter_map(|id| id.open(self.prediction_key()));
        ids.add(ordinal, addresses.zip(keys));
        let recorded = predictions.len() as u64;
        Ok(PredictionsRecorded { recorded, known: reported as u64 - recorded, refused, predictions })
    }

    /// The records that are made of reports, and what is refused of them.
    async fn read_reports(
        &self,
        caller: &Caller,
        project: &ProjectName,
        endpoint: &EndpointName,
        send: RecordPredictions,
    ) -> Result<(Vec<PredictionRecord>, Vec<RefusedItem>), Problem> {
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
            let (mut records, mut refused) = (Vec::with_capacity(predictions.len()), Vec::new());
            for (at, one) in predictions.into_iter().enumerate() {
                match read(&reading, one) {
                    Ok(record) => records.push(record),
                    Err(problem) if refused.len() < TOLD_MAX => refused.push(refused_item(at, problem)),
                    Err(_) => {}
                }
            }
            (records, refused)
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
        let number: VersionNumber = number.parse().map_err(|_| wrong())?;
        let versions = self.known().versions_if_any(project, &model).await?.unwrap_or_default();
        let never = || {
            Problem::not_found(format!("there never was a version `{named}` in project `{project}`"))
                .hint(format!("`stemma models {model}` lists its versions; `stemma register` makes one"))
        };
        let found = versions.into_iter().find(|version| version.number == number).ok_or_else(never)?;
        let target = Target { model, version: number, digest: found.digest };
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

fn refused_item(at: usize, problem: Problem) -> RefusedItem {
    RefusedItem { at: at as u64, reason: problem.message, hint: problem.hint }
}
