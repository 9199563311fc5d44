//! Regression cases, put to both versions.

use std::sync::Arc;

use stemma_api::types::ModelVersion;
use stemma_core::{Problem, behaviour::Tally, name::ProjectName};
use stemma_engine::{Known, problem::internal};
use stemma_onnx::Model;

/// Puts the model's regression cases to the earlier version and to another model. A case that the earlier one can't answer
/// tells nothing.
pub(super) async fn ask_cases(
    known: &Known,
    project: &ProjectName,
    earlier: &ModelVersion,
    model: &Arc<Model>,
    tally: &mut Tally,
) -> Result<(), Problem> {
    let cases = known.regression_cases(project, &earlier.model).await?;
    if cases.is_empty() {
        return Ok(());
    }
    let Some(before) = known.load_version_if_evaluated(earlier).await? else {
        tally.left_out.push(format!("regression cases: {} is not run here", earlier.name()));
        return Ok(());
    };
    let model = Arc::clone(model);
    let asked = tokio::task::spawn_blocking(move || {
        let (mut asked, mut unanswered) = (0, 0);
        for case in &cases {
            match stemma_engine::model::cases::answer(&before, case) {
                Err(_) => unanswered += 1,
                Ok(answer) if stemma_engine::model::cases::answer(&model, case).as_ref() == Ok(&answer) => asked += 1,
                Ok(_) => return (asked + 1, unanswered, true),
            }
        }
        (asked, unanswered, false)
    });
    let (asked, unanswered, differs) = asked.await.map_err(internal)?;
    tally.cases += asked;
    tally.differs |= differs;
    if unanswered > 0 {
        tally.left_out.push(format!("{unanswered} regression cases that {} can't answer", earlier.number));
    }
    Ok(())
}
