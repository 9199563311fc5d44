//! Lineage: the family tree around a thing, also around an answer.

use stemma_api::types::{AskLineage, Lineage};
use stemma_core::{Problem, endpoint::prediction::PredictionId, name::ProjectName};
use stemma_engine::{
    Caller, Reference,
    lineage::{self, Start},
};

use crate::{Delivery, prediction::find_prediction};

impl Delivery {
    pub async fn lineage(&self, caller: &Caller, project: &ProjectName, ask: &AskLineage) -> Result<Lineage, Problem> {
        let start = find_thing(self, caller, project, &ask.of).await?;
        lineage::lineage(self.known(), project, start, ask).await
    }
}

/// Finds a thing of a project, or an answer, by what a person typed.
pub(crate) async fn find_thing(
    delivery: &Delivery,
    caller: &Caller,
    project: &ProjectName,
    text: &str,
) -> Result<Start, Problem> {
    match text.parse() {
        Ok(Reference::Prediction(id)) => find_answer(delivery, caller, project, &id).await,
        _ => lineage::find_thing(delivery.known(), project, text).await,
    }
}

async fn find_answer(
    delivery: &Delivery,
    caller: &Caller,
    project: &ProjectName,
    id: &PredictionId,
) -> Result<Start, Problem> {
    let record = find_prediction(delivery, caller, id).await?.record;
    let revision = delivery.known().revision_that_answered(&record).await?;
    let of = delivery.known().endpoint_if_any(&record.endpoint).await?.map(|found| found.project);
    if let Some(of) = of.filter(|of| of != project) {
        return Err(Problem::not_found(format!("`{id}` is not of project `{project}`"))
            .hint(format!("ask with `--project {of}`")));
    }
    Ok(Start::answer(id, &record, revision.as_ref()))
}
