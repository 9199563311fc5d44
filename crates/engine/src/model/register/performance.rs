//! What our own evaluations say about a new version beside the best of the line that its callers are on.

use stemma_api::types::ModelVersion;
use stemma_core::{
    Digest, ErrorKind, Problem,
    name::ProjectName,
    record::EvaluationReport,
    version::{Performance, Sameness, VersionNumber},
};
use stemma_stats::Metric;

use super::prepared::Prepared;
use crate::{
    Engine, Known,
    model::evaluate::{
        Evaluation, EvaluationData,
        asked::model_of,
        compare, evaluate_model,
        stored::{stored_evaluation, with_predictions},
    },
    run::track::producing_run,
};

/// Versions of a line that are evaluated for one registration; stored evaluations on the same data are no work.
const EVALUATED_MAX: usize = 8;

/// What is known of a line on the evaluation data.
struct Line {
    measured: Vec<Measured>,
    /// Versions beyond [`EVALUATED_MAX`].
    unseen: usize,
}

struct Measured {
    number: VersionNumber,
    evaluation: Stored,
}

/// An evaluation whose predictions are read when they are needed.
enum Stored {
    Report(Digest, Box<EvaluationReport>),
    Whole(Box<Evaluation>),
}

impl Stored {
    fn report(&self) -> &EvaluationReport {
        match self {
            Self::Report(_, report) => report,
            Self::Whole(evaluation) => &evaluation.report,
        }
    }
}

/// `line` are the numbers of the versions that the candidate must beat, of all `versions` of the model.
pub(crate) async fn performance(
    engine: &Engine,
    project: &ProjectName,
    versions: &[ModelVersion],
    line: &[VersionNumber],
    prepared: &Prepared,
) -> Result<Performance, Problem> {
    let unknown = |why: String| Ok(Performance::Unknown { why });
    if let Some(same) = versions.iter().find(|version| version.digest == prepared.content.digest) {
        return Ok(Performance::Same { reference: same.number, what: Sameness::Content });
    }
    let (data, evaluation) = match &prepared.evaluation {
        Ok(found) => found,
        Err(why) => return unknown(format!("{why}, so better performance is not shown")),
    };
    if evaluation.report.is_leaky() {
        let (rows, data) = (evaluation.report.leaky_rows, &data.name);
        return unknown(format!("{rows} rows of {data} are leaky, so better performance is not shown"));
    }
    if let Some(same) = same_answers(engine.known(), project, versions, data, evaluation).await? {
        return Ok(same);
    }
    if let Some(doubt) = evaluation.report.leak_doubt() {
        return unknown(format!("{doubt}, so better performance is not shown"));
    }
    let of_line: Vec<&ModelVersion> = versions.iter().filter(|version| line.contains(&version.number)).collect();
    let line = match measure_line(engine, project, &of_line, data).await? {
        Ok(line) => line,
        Err(why) => return unknown(why),
    };
    if line.unseen > 0 {
        return unknown(format!(
            "{} earlier versions were not evaluated on {}, so better performance is not shown",
            line.unseen, data.name
        ));
    }
    compare_with_best(engine, line.measured, evaluation).await
}

/// A version, archived or not, whose stored evaluation found the same answers on the same rows.
async fn same_answers(
    known: &Known,
    project: &ProjectName,
    versions: &[ModelVersion],
    data: &EvaluationData,
    evaluation: &Evaluation,
) -> Result<Option<Performance>, Problem> {
    for version in versions {
        let stored = stored_evaluation(known, project, version, data).await?;
        if stored.is_some_and(|(_, stored)| stored.predictions == evaluation.report.predictions) {
            let rows = evaluation.report.overall.rows();
            let what = Sameness::Answers { rows, data: data.name.clone() };
            return Ok(Some(Performance::Same { reference: version.number, what }));
        }
    }
    Ok(None)
}

/// `Err` says which version can't be measured, which leaves open whether it is the best.
async fn measure_line(
    engine: &Engine,
    project: &ProjectName,
    line: &[&ModelVersion],
    data: &EvaluationData,
) -> Result<Result<Line, String>, Problem> {
    let mut found = Line { measured: Vec::new(), unseen: 0 };
    let mut evaluated = 0;
    for version in line.iter().rev() {
        let number = version.number;
        if let Some((digest, report)) = stored_evaluation(engine.known(), project, version, data).await? {
            found.measured.push(Measured { number, evaluation: Stored::Report(digest, Box::new(report)) });
            continue;
        }
        if evaluated == EVALUATED_MAX {
            found.unseen += 1;
            continue;
        }
        evaluated += 1;
        let model = match model_of(engine.known(), version, data).await {
            Ok(model) => model,
            Err(problem) if problem.kind == ErrorKind::Invalid => {
                return Ok(Err(format!("{}; so better performance is not shown", problem.message)));
            }
            Err(problem) => return Err(problem),
        };
        let run = producing_run(engine.known(), project, version.run).await?;
        match evaluate_model(engine, project, &model, version.digest, data, run.as_ref()).await {
            Ok(made) => found.measured.push(Measured { number, evaluation: Stored::Whole(Box::new(made)) }),
            Err(problem) if problem.kind == ErrorKind::Invalid => {
                let what = format!("{number} can't be evaluated on {}: {}", data.name, problem.message);
                return Ok(Err(format!("{what}; so better performance is not shown")));
            }
            Err(problem) => return Err(problem),
        }
    }
    Ok(Ok(found))
}

/// The comparison with the version that is hardest to beat, of equals the oldest.
async fn compare_with_best(
    engine: &Engine,
    line: Vec<Measured>,
    evaluation: &Evaluation,
) -> Result<Performance, Problem> {
    // what was judged on fewer rows has no value beside the others' and is compared on the rows that are left
    let (fair, leaky): (Vec<Measured>, Vec<Measured>) =
        line.into_iter().partition(|one| !one.evaluation.report().is_leaky());
    let mut hardest: Option<Performance> = None;
    for one in best(fair, &evaluation.report.primary).into_iter().chain(leaky) {
        let compared = match compare(&whole(engine.known(), one.evaluation).await?, evaluation) {
            Ok(comparison) => Performance::Compared { reference: one.number, comparison },
            Err(why) => {
                let why = format!("it can't be compared with {}: {why}", one.number);
                return Ok(Performance::Unknown { why });
            }
        };
        if difference(&compared) < hardest.as_ref().map_or(f64::INFINITY, difference) {
            hardest = Some(compared);
        }
    }
    Ok(hardest.unwrap_or_else(|| Performance::Unknown { why: "there is no version to compare with".to_owned() }))
}

async fn whole(known: &Known, stored: Stored) -> Result<Evaluation, Problem> {
    match stored {
        Stored::Whole(evaluation) => Ok(*evaluation),
        Stored::Report(digest, report) => with_predictions(known, digest, *report).await,
    }
}

fn difference(performance: &Performance) -> f64 {
    match performance {
        Performance::Compared { comparison, .. } => comparison.difference,
        Performance::Same { .. } | Performance::Unknown { .. } => f64::INFINITY,
    }
}

/// Of versions that were judged on the same rows the best, and all whose metric is not defined.
fn best(measured: Vec<Measured>, primary: &str) -> Vec<Measured> {
    let higher_is_better = Metric::parse(primary).is_ok_and(Metric::higher_is_better);
    let value = |one: &Measured| {
        let value = one.evaluation.report().overall.value(primary);
        value.map(|value| if higher_is_better { value } else { -value })
    };
    let (defined, mut chosen): (Vec<Measured>, Vec<Measured>) =
        measured.into_iter().partition(|one| value(one).is_some());
    // they come newest first, and of equals the last one counts
    chosen.extend(defined.into_iter().max_by(|a, b| value(a).partial_cmp(&value(b)).expect("metrics are no NaN")));
    chosen
}
