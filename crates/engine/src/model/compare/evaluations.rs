//! What a version says of the rows: as it was kept when it was evaluated, or as it says now.

use stemma_api::types::ModelVersion;
use stemma_core::{ErrorKind, Problem, event::EvidenceKind, name::ProjectName, record::RunRecord};

use super::standing::is_about_content;
use crate::{
    Engine, Known,
    model::evaluate::{
        Evaluation, EvaluationData,
        asked::model_of,
        evaluate_model,
        stored::{stored_evaluation, with_predictions},
    },
};

/// An evaluation, and what has to be told of how it came about.
pub struct Found {
    pub evaluation: Evaluation,
    pub note: Option<String>,
}

/// The rows that were kept when a version was evaluated as it is declared today; else it is asked now. Where that can't
/// be done here, what a command answered counts.
pub async fn evaluation_of(
    engine: &Engine,
    project: &ProjectName,
    version: &ModelVersion,
    data: &EvaluationData,
    run: Option<&RunRecord>,
) -> Result<Found, Problem> {
    let note = match kept(engine.known(), project, version, data).await? {
        Kept::Whole(evaluation) => return Ok(Found { evaluation: *evaluation, note: None }),
        Kept::Not(note) => note,
    };
    let why = match model_of(engine.known(), version, data).await {
        Ok(model) => {
            let evaluation = evaluate_model(engine, project, &model, version.digest, data, run).await?;
            return Ok(Found { evaluation, note: Some(format!("{}: {note}, so it was asked now", version.name())) });
        }
        Err(problem) if problem.kind == ErrorKind::Invalid => problem,
        Err(problem) => return Err(problem),
    };
    match stored_evaluation(engine.known(), project, version, data).await? {
        Some((digest, report)) => {
            let evaluation = with_predictions(engine.known(), digest, report).await?;
            Ok(Found { evaluation, note: None })
        }
        None => Err(why),
    }
}

enum Kept {
    Whole(Box<Evaluation>),
    /// Why there is none.
    Not(String),
}

/// The newest evaluation that was declared as it is today, to the last key, if its rows are still here.
async fn kept(
    known: &Known,
    project: &ProjectName,
    version: &ModelVersion,
    data: &EvaluationData,
) -> Result<Kept, Problem> {
    let (evidence, declared) = (known.evidence(project, version).await?, data.spec_digest());
    let is_it = |one: &&stemma_api::types::Evidence| {
        one.kind == EvidenceKind::Evaluation && one.subject == version.digest && one.spec_digest == declared
    };
    let Some(newest) = evidence.iter().rev().find(is_it) else {
        return Ok(Kept::Not(format!("it was not evaluated on {} as it is declared today", data.name)));
    };
    let read = async {
        let report = known.evaluation_report(newest.report).await?;
        if !report.is_current() || report.asked.as_ref() != Some(&data.spec.asked()) {
            return Ok(Kept::Not("it was evaluated by older rules".to_owned()));
        }
        with_predictions(known, newest.report, report).await.map(|whole| Kept::Whole(Box::new(whole)))
    };
    match read.await {
        Err(problem) if is_about_content(&problem) => {
            Ok(Kept::Not(format!("the rows of its evaluation can't be read ({})", problem.message)))
        }
        read => read,
    }
}
