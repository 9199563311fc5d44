//! What a model is evaluated on, as declared.

use std::sync::Arc;

use stemma_core::{
    Problem,
    name::{ModelName, ProjectName},
    policy::EvaluationSpec,
};

use super::evaluation::EvaluationData;
use crate::Known;

/// What a model declares to be evaluated on.
pub(crate) async fn declared_data(
    known: &Known,
    project: &ProjectName,
    model: &ModelName,
) -> Result<EvaluationData, Problem> {
    let policy = known.policy_or_default(project, model).await?;
    let Some(spec) = policy.evaluation else {
        return Err(Problem::invalid(format!("model `{model}` declares no evaluation"))
            .hint(format!("add `[model.{model}.evaluation]` to stemma.toml, then `stemma policy apply`")));
    };
    evaluation_data(known, project, &spec).await
}

/// Reads the table that an evaluation is declared on.
pub(crate) async fn evaluation_data(
    known: &Known,
    project: &ProjectName,
    spec: &EvaluationSpec,
) -> Result<EvaluationData, Problem> {
    let version = known.find_readable_dataset(project, &spec.data).await?;
    let name = format!("{}@{}", version.dataset, version.number);
    let table = known.read_table(&name, version.digest).await?;
    let data = EvaluationData { spec: spec.clone(), name, digest: version.digest, table: Arc::new(table) };
    data.target_column()?;
    Ok(data)
}
