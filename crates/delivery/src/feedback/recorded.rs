//! The predictions that feedback is about: they must have been made, and a label must be one that could have been said.

use std::collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry};

use stemma_core::{
    Problem,
    endpoint::prediction::{PredictionAddress, PredictionId},
};
use stemma_engine::problem::internal;
use stemma_gateway::{Answerer, read_answerers};

use super::{
    given::Told,
    labels::{PossibleLabels, possible_labels},
};
use crate::{
    Delivery,
    prediction::{lost, recorded_prediction},
    problem::{log_problem, read_problem},
    sealed::open_sealed,
};

/// What answered each prediction.
type Answerers = HashMap<PredictionAddress, Answerer>;

/// Checks what was told, and brings labels into the spelling of the models. What is refused is handed back with its place.
pub async fn check(delivery: &Delivery, told: Vec<Told>) -> Result<(Vec<Told>, Vec<(usize, Problem)>), Problem> {
    let answerers = answerers(delivery, told.iter().map(|one| one.address).collect()).await?;
    let mut labels: HashMap<(u16, &Answerer), Result<PossibleLabels, Problem>> = HashMap::new();
    let (mut sound, mut refused) = (Vec::with_capacity(told.len()), Vec::new());
    for mut one in told {
        let Some(answerer) = answerers.get(&one.address) else {
            refused.push((one.at, lost(&one.prediction)));
            continue;
        };
        if let Some(label) = &one.what.label {
            let key = (one.address.endpoint, answerer);
            let labels = match labels.entry(key) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(labels_of(delivery, one.prediction, one.address).await),
            };
            match labels.as_ref().map_err(Clone::clone).and_then(|labels| labels.find(label)) {
                Ok(label) => one.what.label = Some(label),
                Err(problem) => {
                    refused.push((one.at, problem));
                    continue;
                }
            }
        }
        sound.push(one);
    }
    Ok((sound, refused))
}

/// One prediction's labels are those of all that the same models answered.
async fn labels_of(
    delivery: &Delivery,
    prediction: PredictionId,
    address: PredictionAddress,
) -> Result<PossibleLabels, Problem> {
    let record = recorded_prediction(delivery, address).await?.ok_or_else(|| lost(&prediction))?.record;
    possible_labels(delivery.known(), &record).await
}

async fn answerers(delivery: &Delivery, predictions: BTreeSet<PredictionAddress>) -> Result<Answerers, Problem> {
    // whoever knows an id may know it before its record is on disk
    delivery.log().flush().await.map_err(log_problem)?;
    let (log, asked) = (delivery.log().clone(), predictions.clone());
    let open = tokio::task::spawn_blocking(move || {
        let mut found = Answerers::new();
        for address in asked {
            if let Some(record) = log.get(address)? {
                found.insert(address, Answerer::of(&record));
            }
        }
        Ok(found)
    });
    let mut found = open.await.map_err(internal)?.map_err(read_problem)?;
    let mut left: BTreeSet<PredictionAddress> =
        predictions.into_iter().filter(|address| !found.contains_key(address)).collect();
    while let Some(first) = left.pop_first() {
        let Some(part) = delivery.known().sealed_part(first).await? else { continue };
        let of_part = |row| PredictionAddress { row, ..first };
        let rest: Vec<PredictionAddress> = left.range(..=of_part(part.last_row)).copied().collect();
        let mut rows: BTreeSet<u32> = rest.iter().map(|address| address.row).collect();
        rows.insert(first.row);
        left.retain(|address| *address > of_part(part.last_row) || *address < first);
        let file = open_sealed(delivery, &part.project, part.digest).await?;
        let read = move || file.read(|chunks| read_answerers(chunks, |row| rows.contains(&row)));
        let read: BTreeMap<Answerer, Vec<u32>> = tokio::task::spawn_blocking(read).await.map_err(internal)??;
        for (answerer, rows) in read {
            found.extend(rows.into_iter().map(|row| (of_part(row), answerer.clone())));
        }
    }
    Ok(found)
}
