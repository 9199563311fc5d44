//! A dataset version of predictions and what came of them: what the next model can learn from, with the revisions that
//! answered above it in the family tree.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use stemma_api::types::{AddDatasetVersion, DatasetFromFeedback, FeedbackDataset};
use stemma_core::{
    Problem, Timestamp,
    endpoint::prediction::{NodeRecord, Outcome, PredictionAddress, PredictionRecord},
    event::SegmentSealed,
    id::RequestId,
    name::{DatasetName, EndpointName, ProjectName},
    rights::Action,
};
use stemma_engine::{Caller, problem::internal};
use stemma_gateway::{HeldSegment, Unread, read_sealed_rows};

use super::{
    newest::{Labels, newest_labels},
    places::Places,
    table::{BYTES_MAX, NoRow, Rows},
};
use crate::{
    Delivery, gap,
    sealed::{SealedFile, look_into},
};

/// Records that are decoded at a time.
const RECORDS_AT_ONCE: usize = 1024;

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
        let places = Arc::new(Places::of(self, endpoint, window).await?);
        let labels = newest_labels(self, project, ordinal, Arc::clone(&places), &mut gaps).await?;
        let gathered = gather(self, ordinal, &places, Gathered::new(window, labels), &mut gaps).await?;
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

/// Goes through the records that may be of the window, those of sealed files first.
async fn gather(
    delivery: &Delivery,
    ordinal: u16,
    places: &Places,
    mut gathered: Gathered,
    gaps: &mut Vec<String>,
) -> Result<Gathered, Problem> {
    for part in places.parts.iter().cloned() {
        let (project, digest) = (part.project.clone(), part.digest);
        let look = move |file: &SealedFile, gathered: &mut Gathered| gathered.meet_part(file, &part);
        let (grown, gap) = look_into(delivery, (&project, digest), gathered, look).await?;
        gathered = grown;
        gaps.extend(gap.map(|gap| gap.message));
    }
    for segment in &places.held {
        let segment = segment.clone();
        let look = move || {
            let unread = gathered.meet_segment(&segment, ordinal)?;
            Ok::<_, Problem>((gathered, unread))
        };
        let (grown, unread) = tokio::task::spawn_blocking(look).await.map_err(internal)??;
        gathered = grown;
        gaps.extend(unread.iter().map(|unread| gap::of(unread, "prediction log")));
    }
    Ok(gathered)
}

impl Gathered {
    fn new(window: (Timestamp, Timestamp), labels: Labels) -> Self {
        Self { window, labels, rows: Rows::default(), answered_by: BTreeSet::new(), no_rows: BTreeMap::new() }
    }

    fn meet_part(&mut self, file: &SealedFile, part: &SegmentSealed) -> Result<(), Problem> {
        let mut row = part.first_row;
        while row <= part.last_row {
            let records = file.read(|chunks| read_sealed_rows(chunks, part.first_row, row, RECORDS_AT_ONCE))?;
            row += records.len() as u32;
            for (row, record) in records {
                self.meet(PredictionAddress { segment: part.segment, endpoint: part.ordinal, row }, &record)?;
            }
        }
        Ok(())
    }

    fn meet_segment(&mut self, segment: &HeldSegment, ordinal: u16) -> Result<Vec<Unread>, Problem> {
        let mut met = Ok(());
        let meet = |address, record: PredictionRecord| {
            if met.is_ok() {
                met = self.meet(address, &record);
            }
        };
        let unread = segment.each(ordinal, |_| true, meet);
        met.map(|()| unread)
    }

    fn meet(&mut self, address: PredictionAddress, record: &PredictionRecord) -> Result<(), Problem> {
        let (since, until) = self.window;
        let is_answered = matches!(record.outcome, Outcome::Answered) && (since..=until).contains(&record.time);
        let Some(label) = self.labels.get(address).filter(|_| is_answered) else { return Ok(()) };
        match self.rows.push(&record.inputs, label) {
            Ok(()) => self.answered_by.extend(answered_by(record)),
            Err(why) => *self.no_rows.entry(why).or_default() += 1,
        }
        match self.rows.bytes() > BYTES_MAX {
            true => Err(Problem::invalid(format!("the rows of the window are more than {BYTES_MAX} bytes"))
                .hint("take a shorter window with `--since` and `--until`")),
            false => Ok(()),
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
