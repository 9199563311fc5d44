//! A dataset version of predictions and what came of them: what the next model can learn from, with the revisions that
//! answered above it in the family tree.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use stemma_api::types::{AddDatasetVersion, DatasetFromFeedback, Feedback, FeedbackDataset};
use stemma_core::{
    Problem, Timestamp,
    endpoint::prediction::{NodeRecord, Outcome, PredictionAddress, PredictionRecord},
    id::RequestId,
    name::{DatasetName, EndpointName, ProjectName},
    rights::Action,
};
use stemma_engine::{Caller, problem::internal};
use stemma_gateway::{FeedbackRows, PlacedFeedback, read_sealed_rows};

use super::table::{NoRow, Rows};
use crate::{
    Delivery,
    problem::{feedback_problem, log_problem, read_problem},
    sealed::{SealedFile, sealed_file},
};

/// Most labels that are held at once.
const LABELS_MAX: usize = 2_000_000;
/// Rows of old homes that are read at a time.
const EARLY_ROWS: usize = 10_000;
/// Records that are decoded at a time.
const RECORDS_AT_ONCE: usize = 1024;

/// The label that holds for each prediction.
type Labels = HashMap<PredictionAddress, String>;

/// What is gathered from the predictions.
struct Gathered {
    window: (Timestamp, Timestamp),
    labels: Labels,
    rows: Rows,
    answered_by: BTreeSet<String>,
    no_rows: BTreeMap<NoRow, u64>,
}

impl Delivery {
    /// Makes a dataset version of the answered predictions of a window that have a label. The same rows keep their number.
    pub async fn dataset_from_feedback(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        endpoint: &EndpointName,
        ask: DatasetFromFeedback,
    ) -> Result<FeedbackDataset, Problem> {
        // whoever may read the project may read the dataset
        caller.may(Action::ReadPredictions, Some(project))?;
        let ordinal = self.known().found_endpoint(project, endpoint).await?.ordinal;
        let window = (ask.since, ask.until.unwrap_or_else(|| self.known().now()));
        let dataset = match ask.dataset {
            Some(dataset) => dataset,
            None => DatasetName::new(format!("{endpoint}-feedback"))?,
        };
        let mut gaps = Vec::new();
        let labels = labels(self, project, ordinal, &mut gaps).await?;
        let gathered = gather(self, (endpoint, ordinal), Gathered::new(window, labels), &mut gaps).await?;
        let rows = gathered.rows.len() as u64;
        if rows == 0 {
            return Err(nothing(endpoint, &gathered, &gaps));
        }
        let answered_by: Vec<String> = gathered.answered_by.iter().cloned().collect();
        gaps.extend(gathered.no_rows.iter().map(|(why, count)| format!("{count} predictions {}", why.reason())));
        let bytes = tokio::task::spawn_blocking(move || gathered.rows.write());
        let bytes = bytes.await.map_err(internal)?.map_err(internal)?;
        let digest = self.engine().put_content(project, bytes).await?;
        let (since, until) = window;
        let why = format!("{rows} predictions of {endpoint} from {since} to {until}, and what came of them");
        let add = AddDatasetVersion {
            digest,
            path: format!("feedback/{dataset}.parquet"),
            source: None,
            why: Some(why),
            derived_from: Vec::new(),
            workspace: None,
        };
        let from = (add, answered_by.clone());
        let added = self.engine().add_version_from_feedback(caller, request, project, &dataset, from).await?;
        Ok(FeedbackDataset { version: added.version, unchanged: added.unchanged, rows, answered_by, left_out: gaps })
    }
}

fn nothing(endpoint: &EndpointName, gathered: &Gathered, gaps: &[String]) -> Problem {
    let (since, until) = gathered.window;
    let message = format!("no answered prediction of `{endpoint}` from {since} to {until} has a label");
    let none = gathered.no_rows.iter().map(|(why, count)| format!("{count} {}", why.reason()));
    let why: Vec<String> = none.chain(gaps.iter().cloned()).collect();
    match why.is_empty() {
        true => Problem::not_found(message).hint("`stemma feedback` tells what came of predictions"),
        false => Problem::not_found(format!("{message} that can be a row: {}", why.join("; "))),
    }
}

/// The newest label of each prediction of an endpoint.
async fn labels(
    delivery: &Delivery,
    project: &ProjectName,
    ordinal: u16,
    gaps: &mut Vec<String>,
) -> Result<Labels, Problem> {
    let mut labels = Labels::new();
    let mut after = 0;
    loop {
        let page = delivery.known().page_of_early_feedback(project, after, EARLY_ROWS).await?;
        let Some((last, _, _)) = page.last() else { break };
        after = *last;
        for (_, prediction, feedback) in page {
            let address = prediction.open(delivery.prediction_key()).filter(|address| address.endpoint == ordinal);
            if let Some(address) = address {
                take(&mut labels, address, feedback)?;
            }
        }
    }
    // what is sealed meanwhile is met in the log, or as a part too: the log is read first and counts last
    let log = delivery.feedback_log().clone();
    log.flush().await.map_err(feedback_problem)?;
    let open = tokio::task::spawn_blocking(move || Ok((log.of_endpoint(ordinal)?, log.unread())));
    let (open, unread) = open.await.map_err(internal)?.map_err(read_problem)?;
    gaps.extend(unread.into_iter().map(|one| format!("feedback segment {:016x}: {}", one.segment, one.what)));
    for part in delivery.known().feedback_parts(ordinal).await? {
        let Some(file) = sealed_file(delivery, &part.project, part.digest, gaps).await? else { continue };
        let read = tokio::task::spawn_blocking(move || take_part(&file, labels));
        labels = read.await.map_err(internal)??;
    }
    for PlacedFeedback { prediction, stored, .. } in open {
        take(&mut labels, prediction, stored.feedback)?;
    }
    Ok(labels)
}

fn take_part(file: &SealedFile, mut labels: Labels) -> Result<Labels, Problem> {
    for batch in file.read(|chunks| FeedbackRows::open(&chunks))? {
        for PlacedFeedback { prediction, stored, .. } in file.read(|_| batch)? {
            take(&mut labels, prediction, stored.feedback)?;
        }
    }
    Ok(labels)
}

fn take(labels: &mut Labels, prediction: PredictionAddress, feedback: Feedback) -> Result<(), Problem> {
    if let Some(label) = feedback.label {
        labels.insert(prediction, label);
    }
    match labels.len() > LABELS_MAX {
        true => Err(Problem::invalid(format!("more than {LABELS_MAX} predictions of the endpoint have labels"))),
        false => Ok(()),
    }
}

/// Goes through the records of the window, those of sealed files first.
async fn gather(
    delivery: &Delivery,
    (endpoint, ordinal): (&EndpointName, u16),
    mut gathered: Gathered,
    gaps: &mut Vec<String>,
) -> Result<Gathered, Problem> {
    delivery.log().flush().await.map_err(log_problem)?;
    let log = delivery.log().clone();
    let wanted: BTreeSet<PredictionAddress> = gathered.labels.keys().copied().collect();
    let open = tokio::task::spawn_blocking(move || {
        let mut open = Vec::new();
        let meet = |address: PredictionAddress, record: PredictionRecord| {
            if wanted.contains(&address) {
                open.push((address, record));
            }
        };
        log.each(ordinal, meet).map(|segments| (segments, open))
    });
    let (segments, open) = open.await.map_err(internal)?.map_err(read_problem)?;
    for part in delivery.known().sealed_parts(endpoint).await? {
        let (since, until) = gathered.window;
        if segments.contains(&part.segment) || part.last_time < since || part.first_time > until {
            continue;
        }
        let Some(file) = sealed_file(delivery, &part.project, part.digest, gaps).await? else { continue };
        let read = move || {
            let mut row = part.first_row;
            while row <= part.last_row {
                let records = file.read(|chunks| read_sealed_rows(chunks, part.first_row, row, RECORDS_AT_ONCE))?;
                row += records.len() as u32;
                for (row, record) in records {
                    gathered.meet(PredictionAddress { segment: part.segment, endpoint: ordinal, row }, &record);
                }
            }
            Ok::<_, Problem>(gathered)
        };
        gathered = tokio::task::spawn_blocking(read).await.map_err(internal)??;
    }
    for (address, record) in open {
        gathered.meet(address, &record);
    }
    Ok(gathered)
}

impl Gathered {
    fn new(window: (Timestamp, Timestamp), labels: Labels) -> Self {
        Self { window, labels, rows: Rows::default(), answered_by: BTreeSet::new(), no_rows: BTreeMap::new() }
    }

    fn meet(&mut self, address: PredictionAddress, record: &PredictionRecord) {
        let (since, until) = self.window;
        let is_answered = matches!(record.outcome, Outcome::Answered) && (since..=until).contains(&record.time);
        let Some(label) = self.labels.get(&address).filter(|_| is_answered) else { return };
        match self.rows.push(&record.inputs, label) {
            Ok(()) => self.answered_by.extend(answered_by(record)),
            Err(why) => *self.no_rows.entry(why).or_default() += 1,
        }
    }
}

/// The revision that answered; of what was reported, the version that is said to have.
fn answered_by(record: &PredictionRecord) -> Option<String> {
    match record.reported {
        None => Some(format!("{}#{}", record.endpoint, record.revision)),
        Some(_) => record.nodes.last().and_then(NodeRecord::model_version),
    }
}
