//! The predictions that feedback is about: they must have been made, and a label must be one that could have been said.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry},
    sync::Arc,
};

use stemma_core::{
    Problem,
    endpoint::prediction::{PredictionAddress, PredictionId},
    event::SegmentSealed,
};
use stemma_engine::problem::internal;
use stemma_gateway::{Answerer, read_answerers};

use super::{
    given::{EndpointOf, Told},
    labels::{PossibleLabels, possible_labels},
};
use crate::{
    Delivery,
    prediction::{lost, recorded_prediction},
    problem::{log_problem, read_problem},
    refusals::Refusals,
    sealed::{is_gap, open_sealed},
};

/// What answered each prediction, or why that can't be read.
type Answerers = HashMap<PredictionAddress, Result<Arc<Answerer>, Problem>>;

/// What can have been right, by endpoint and what answered.
type Labels = HashMap<(u16, Arc<Answerer>), Result<PossibleLabels, Problem>>;

/// Labels as they were told, each as the models spell it.
type Spelled = HashMap<String, Result<String, Problem>>;

/// Checks what was told, and brings labels into the spelling of the models.
pub async fn check(delivery: &Delivery, told: Vec<Told>) -> Result<(Vec<Told>, Refusals), Problem> {
    let answerers = answerers(delivery, told.iter().map(|one| one.address).collect()).await?;
    let mut labels = Labels::new();
    for one in told.iter().filter(|one| one.what.label.is_some()) {
        let Some(Ok(answerer)) = answerers.get(&one.address) else { continue };
        let key = (one.address.endpoint, Arc::clone(answerer));
        if let Entry::Vacant(unknown) = labels.entry(key) {
            unknown.insert(labels_of(delivery, &one.endpoint, one.prediction, one.address).await);
        }
    }
    // a million of them are compared with thousands of classes
    tokio::task::spawn_blocking(move || fit(told, &answerers, &labels)).await.map_err(internal)
}

fn fit(told: Vec<Told>, answerers: &Answerers, labels: &Labels) -> (Vec<Told>, Refusals) {
    let mut spelled: HashMap<(u16, &Arc<Answerer>), Spelled> = HashMap::new();
    let (mut sound, mut refused) = (Vec::with_capacity(told.len()), Refusals::default());
    for mut one in told {
        let answerer = match answerers.get(&one.address) {
            Some(Ok(answerer)) => answerer,
            Some(Err(problem)) => {
                refused.add(one.at, problem.clone());
                continue;
            }
            None => {
                refused.add(one.at, lost(&one.prediction));
                continue;
            }
        };
        if let Some(label) = one.what.label.take() {
            let of_models = spelled.entry((one.address.endpoint, answerer)).or_default();
            let found = match of_models.get(&label) {
                Some(known) => known,
                None => {
                    // each answerer with a label was asked for
                    let possible = labels.get(&(one.address.endpoint, Arc::clone(answerer)));
                    let found = spell(possible, &label, refused.has_room());
                    &*of_models.entry(label).or_insert(found)
                }
            };
            match found {
                Ok(label) => one.what.label = Some(label.clone()),
                Err(problem) => {
                    refused.add(one.at, problem.clone());
                    continue;
                }
            }
        }
        sound.push(one);
    }
    (sound, refused)
}

/// The label as the models spell it; a hint is looked for only where somebody reads it.
fn spell(possible: Option<&Result<PossibleLabels, Problem>>, label: &str, is_told: bool) -> Result<String, Problem> {
    let unknown = || Problem::invalid("what the models could have said was not looked for");
    let possible = possible.ok_or_else(unknown)?.as_ref().map_err(Clone::clone)?;
    possible.find(label).map_err(|problem| match possible.hint(label).filter(|_| is_told && problem.hint.is_none()) {
        Some(hint) => problem.hint(hint),
        None => problem,
    })
}

/// One prediction's labels are those of all that the same models answered.
async fn labels_of(
    delivery: &Delivery,
    endpoint: &EndpointOf,
    prediction: PredictionId,
    address: PredictionAddress,
) -> Result<PossibleLabels, Problem> {
    let record = recorded_prediction(delivery, address).await?.ok_or_else(|| lost(&prediction))?.record;
    possible_labels(delivery.known(), &endpoint.project, &record).await
}

async fn answerers(delivery: &Delivery, predictions: BTreeSet<PredictionAddress>) -> Result<Answerers, Problem> {
    // whoever knows an id may know it before its record is on disk
    delivery.log().flush().await.map_err(log_problem)?;
    let (log, asked) = (delivery.log().clone(), predictions.clone());
    let open = tokio::task::spawn_blocking(move || {
        let of = |address: PredictionAddress| match log.get(address) {
            Ok(record) => record.map(|record| Ok(Arc::new(Answerer::of(&record)))),
            Err(error) => Some(Err(read_problem(error))),
        };
        asked.into_iter().filter_map(|address| Some((address, of(address)?))).collect::<Answerers>()
    });
    let mut found = open.await.map_err(internal)?;
    let mut left: BTreeSet<PredictionAddress> =
        predictions.into_iter().filter(|address| !found.contains_key(address)).collect();
    while let Some(first) = left.pop_first() {
        let Some(part) = delivery.known().sealed_part(first).await? else { continue };
        let of_part = |row| PredictionAddress { row, ..first };
        let rest: Vec<PredictionAddress> = left.range(..=of_part(part.last_row)).copied().collect();
        left.retain(|address| *address > of_part(part.last_row));
        let rows: BTreeSet<u32> = std::iter::once(first).chain(rest).map(|address| address.row).collect();
        match read_part(delivery, &part, rows.clone()).await {
            Ok(read) => {
                for (answerer, rows) in read {
                    let answerer = Arc::new(answerer);
                    found.extend(rows.into_iter().map(|row| (of_part(row), Ok(Arc::clone(&answerer)))));
                }
            }
            // one file that is gone keeps nothing else from being told
            Err(problem) if is_gap(&problem) => {
                found.extend(rows.into_iter().map(|row| (of_part(row), Err(problem.clone()))));
            }
            Err(problem) => return Err(problem),
        }
    }
    Ok(found)
}

async fn read_part(
    delivery: &Delivery,
    part: &SegmentSealed,
    rows: BTreeSet<u32>,
) -> Result<BTreeMap<Answerer, Vec<u32>>, Problem> {
    let file = open_sealed(delivery, &part.project, part.digest).await?;
    let read = move || file.read(|chunks| read_answerers(chunks, |row| rows.contains(&row)));
    tokio::task::spawn_blocking(read).await.map_err(internal)?
}
