//! Reproduce: a version was trained again elsewhere; how equal what came out is to it, as evidence of the version.
//!
//! What went in and how the command ended is told by whoever trained it. The models are compared here.

use stemma_api::types::{Evidence, ModelVersion, Page, RecordReproduction, Reproduced, TrainedAgain};
use stemma_core::{
    Digest, ErrorKind, Problem, canonical,
    event::{Event, EvidenceKind, EvidenceRecorded},
    id::{EvidenceId, RequestId, RunId},
    name::{ModelName, ProjectName},
    record::Metrics,
    reproduction::{
        EnvironmentDifference, Finding, RepeatedTraining, ReproductionFacts, ReproductionLevel as Level,
        ReproductionReport, ReproductionStep, decide_level,
    },
};
use stemma_onnx::{Canonical, MODEL_BYTES_MAX};
use stemma_stats::{REPLICATES_MIN, next_replicate};

use crate::{
    Caller, Engine, Known,
    model::evaluate::{
        Evaluation, EvaluationData,
        agreement::{Agreement, agreement},
        evaluate_model, evaluation_data,
    },
    problem::internal,
    resolve::find_version,
    run::track::producing_run,
};

/// Most trainings in one record.
pub const TRAININGS_MAX: usize = 20;
/// Longest stored report that is read.
const REPORT_BYTES_MAX: u64 = 64 << 20;
/// Most entries of each list in a record.
const ENTRIES_MAX: usize = 10_000;

/// What a comparison found, and on what that rests.
struct Found {
    holds: Finding,
    found: String,
}

impl Found {
    fn new(holds: bool, found: impl Into<String>) -> Self {
        Self { holds: Finding::of(holds), found: found.into() }
    }

    fn unknown(why: impl Into<String>) -> Self {
        Self { holds: Finding::Unknown, found: why.into() }
    }
}

impl Known {
    /// How equal a version came out each time that it was trained again, newest first.
    pub async fn reproductions(
        &self,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
        cursor: Option<u64>,
        limit: u32,
    ) -> Result<Page<Reproduced>, Problem> {
        let version = find_version(self, project, model, version).await?;
        let evidence = self.evidence(project, &version).await?.into_iter().rev();
        let ours = |one: &Evidence| one.kind == EvidenceKind::Reproduction && one.subject == version.digest;
        let behind = evidence.filter(ours).filter(|one| cursor.is_none_or(|cursor| one.recorded.seq < cursor));
        let page = Page::of(behind.collect(), limit, |last: &Evidence| last.recorded.seq);
        let mut items = Vec::with_capacity(page.items.len());
        for one in page.items {
            let what = format!("a report of training {} again", version.name());
            let Some(bytes) = self.read_shown(one.report, REPORT_BYTES_MAX, &what).await? else {
                continue;
            };
            let report = serde_json::from_slice(&bytes).map_err(|error| {
                Problem::new(ErrorKind::Corrupt, format!("a stored reproduction can't be read: {error}"))
            })?;
            let (version, evidence, digest, passed) = (version.name(), one.evidence, one.report, one.passed);
            items.push(Reproduced { version, evidence, digest, passed, report });
        }
        Ok(Page { items, next: page.next })
    }
}

impl Engine {
    /// Compares what was trained again with the version, and records the level that was reached.
    pub async fn reproduce(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
        record: RecordReproduction,
    ) -> Result<Reproduced, Problem> {
        let version = find_version(self.known(), project, model, version).await?;
        let run = version.run.ok_or_else(|| no_run(&version))?;
        check_bounds(&record)?;
        let models: Vec<Digest> = record.trainings.iter().filter_map(|training| training.model).collect();
        if let Some(missing) = self.known().ungranted(project, &models).await?.first() {
            return Err(Problem::invalid(format!("the model `{missing}` that was trained again is not here"))
                .hint("upload it before the record"));
        }
        let report = self.reproduction_report(project, &version, run, record).await?;
        let bytes = canonical::to_bytes(&report).map_err(internal)?;
        let digest = self.put_content(project, bytes).await?;
        let evidence = EvidenceId::generate();
        let event = &reproduction_event(evidence, project, &version, &report, digest);
        self.change(caller, request, || async move { Ok(vec![event.clone()]) }).await?;
        Ok(Reproduced { version: version.name(), evidence, digest, passed: report.passed(), report })
    }

    async fn reproduction_report(
        &self,
        project: &ProjectName,
        version: &ModelVersion,
        run: RunId,
        record: RecordReproduction,
    ) -> Result<ReproductionReport, Problem> {
        let models: Vec<Digest> = record.trainings.iter().filter_map(|training| training.model).collect();
        let trained = !models.is_empty() && record.trainings.iter().all(is_complete);
        let bytes = if trained { compare_bytes(version, &models) } else { not_trained() };
        let forms = if trained {
            compare_forms(self.known(), version.digest, &models).await?
        } else {
            [not_trained(), not_trained()]
        };
        let (behaviour, metrics) = match trained {
            true => compare_behaviour(self, project, version, &models).await,
            false => ([not_trained(), not_trained()], Vec::new()),
        };
        let [content, numbers] = forms;
        let [predictions, noise] = behaviour;
        let facts = ReproductionFacts {
            inputs: record.missing.is_empty(),
            environment: !record.environment.iter().any(|difference| difference.part.is_installed()),
            trained,
            bytes: bytes.holds,
            content: content.holds,
            numbers: numbers.holds,
            predictions: predictions.holds,
            metrics: noise.holds,
        };
        let rungs = [had(&record, &facts), bytes, content, numbers, predictions, noise];
        let steps = Level::ALL.into_iter().zip(rungs);
        let steps = steps.map(|(level, rung)| ReproductionStep { level, holds: rung.holds, found: rung.found });
        let mut metrics = metrics.into_iter().map(Some);
        Ok(ReproductionReport {
            v: 1,
            model_digest: version.digest,
            run,
            level: decide_level(&facts),
            required: record.required,
            steps: steps.collect(),
            trainings: record.trainings.into_iter().map(|one| repeated(one, metrics.next().flatten())).collect(),
            outputs: record.outputs,
            environment: ranked(record.environment),
            missing: record.missing,
            notes: record.notes,
        })
    }
}

/// R2 and R3: the models' forms without names, and how far their numbers are apart.
async fn compare_forms(known: &Known, recorded: Digest, models: &[Digest]) -> Result<[Found; 2], Problem> {
    let recorded = canonical_form(known, recorded).await?;
    let mut forms = Vec::new();
    for model in models {
        forms.push(canonical_form(known, *model).await?);
    }
    let (recorded, forms) = match (recorded, forms.into_iter().collect::<Result<Vec<_>, _>>()) {
        (Ok(recorded), Ok(forms)) => (recorded, forms),
        (Err(why), _) | (_, Err(why)) => return Ok([Found::unknown(why.clone()), Found::unknown(why)]),
    };
    let digest = recorded.digest();
    let equal = forms.iter().filter(|form| form.digest() == digest).count();
    let content = match equal == forms.len() {
        true => Found::new(true, format!("form b3:{}", digest.short())),
        false => Found::new(false, format!("form b3:{}{}", forms[0].digest().short(), of_times(equal, forms.len()))),
    };
    Ok([content, compare_numbers(&recorded, &forms)])
}

/// `Err` says why a model has no such form.
async fn canonical_form(known: &Known, digest: Digest) -> Result<Result<Canonical, String>, Problem> {
    let bytes = known.read_content(digest, MODEL_BYTES_MAX as u64).await?;
    let form = tokio::task::spawn_blocking(move || Canonical::of(&bytes)).await.map_err(internal)?;
    Ok(form.map_err(|error| format!("b3:{} is no model of a known format: {error}", digest.short())))
}

/// R4 and R5 on the declared evaluation, and the metrics of each training.
async fn compare_behaviour(
    engine: &Engine,
    project: &ProjectName,
    version: &ModelVersion,
    models: &[Digest],
) -> ([Found; 2], Vec<Metrics>) {
    match evaluate_all(engine, project, version, models).await {
        Ok(Some((data, recorded, repeated))) => {
            let metrics = repeated.iter().map(|evaluation| evaluation.report.overall.clone()).collect();
            let agreements = repeated.iter().map(|one| agreement(&data, &recorded, one)).collect::<Result<Vec<_>, _>>();
            let predictions = match agreements {
                Ok(agreements) => compare_predictions(&data.name, &agreements),
                Err(problem) => Found::unknown(problem.message),
            };
            ([predictions, compare_metrics(&recorded, &repeated)], metrics)
        }
        Ok(None) => {
            let why = format!("model `{}` declares no evaluation", version.model);
            ([Found::unknown(why.clone()), Found::unknown(why)], Vec::new())
        }
        Err(problem) => {
            let why = format!("not evaluated: {}", problem.message);
            ([Found::unknown(why.clone()), Found::unknown(why)], Vec::new())
        }
    }
}

async fn evaluate_all(
    engine: &Engine,
    project: &ProjectName,
    version: &ModelVersion,
    models: &[Digest],
) -> Result<Option<(EvaluationData, Evaluation, Vec<Evaluation>)>, Problem> {
    let Some(spec) = engine.known().policy_or_default(project, &version.model).await?.evaluation else {
        return Ok(None);
    };
    let data = evaluation_data(engine.known(), project, &spec).await?;
    let run = producing_run(engine.known(), project, version.run).await?;
    let mut evaluations = Vec::new();
    for digest in std::iter::once(&version.digest).chain(models) {
        let loaded = engine.known().load_model(*digest).await?;
        evaluations.push(evaluate_model(engine, project, &loaded, *digest, &data, run.as_ref()).await?);
    }
    let recorded = evaluations.remove(0);
    Ok(Some((data, recorded, evaluations)))
}

fn no_run(version: &ModelVersion) -> Problem {
    Problem::invalid(format!("no run is known that made `{}`", version.name()))
        .hint("train with `stemma run -- COMMAND`, then register what it wrote")
}

fn check_bounds(record: &RecordReproduction) -> Result<(), Problem> {
    let lists = [record.missing.len(), record.outputs.len(), record.environment.len(), record.notes.len()];
    if record.trainings.len() > TRAININGS_MAX {
        return Err(Problem::invalid(format!("more than {TRAININGS_MAX} trainings in one record")));
    }
    if lists.iter().any(|length| *length > ENTRIES_MAX) {
        return Err(Problem::invalid(format!("a list of the record has more than {ENTRIES_MAX} entries")));
    }
    Ok(())
}

fn is_complete(training: &TrainedAgain) -> bool {
    training.exit.is_success() && training.model.is_some()
}

fn repeated(training: TrainedAgain, metrics: Option<Metrics>) -> RepeatedTraining {
    let TrainedAgain { exit, wall_us, model, run } = training;
    RepeatedTraining { exit, wall_us, model, metrics, run }
}

/// The likeliest cause of another model first.
fn ranked(mut differences: Vec<EnvironmentDifference>) -> Vec<EnvironmentDifference> {
    differences.sort_by(|a, b| (a.part, &a.what).cmp(&(b.part, &b.what)));
    differences
}

fn not_trained() -> Found {
    Found::unknown("no model came out")
}

fn had(record: &RecordReproduction, facts: &ReproductionFacts) -> Found {
    let installed = record.environment.iter().filter(|difference| difference.part.is_installed());
    let differing: Vec<&str> = installed.map(|difference| difference.what.as_str()).collect();
    match (record.missing.as_slice(), differing.as_slice()) {
        ([], []) => Found::new(true, record.inputs.clone()),
        ([], [one]) => Found::new(false, format!("not as it was recorded: {one}")),
        ([], [first, ..]) => Found::new(false, format!("{} not as recorded, {first} first", differing.len())),
        ([one], _) => Found::new(facts.inputs, one.clone()),
        ([first, rest @ ..], _) => Found::new(facts.inputs, format!("{first}, and {} more", rest.len())),
    }
}

fn compare_bytes(version: &ModelVersion, models: &[Digest]) -> Found {
    let equal = models.iter().filter(|model| **model == version.digest).count();
    match equal == models.len() {
        true => Found::new(true, format!("b3:{}", version.digest.short())),
        false => Found::new(false, format!("b3:{}{}", models[0].short(), of_times(equal, models.len()))),
    }
}

/// As in `, equal 1 of 3 times`; nothing for a single training.
fn of_times(equal: usize, times: usize) -> String {
    if times == 1 { String::new() } else { format!(", equal {equal} of {times} times") }
}

fn compare_numbers(recorded: &Canonical, forms: &[Canonical]) -> Found {
    let distances: Option<Vec<_>> = forms.iter().map(|form| recorded.distance(form)).collect();
    let Some(distances) = distances else {
        return Found::new(false, "the structure is not the same");
    };
    let farthest = distances.iter().max_by(|a, b| a.relative_max.total_cmp(&b.relative_max));
    let Some(farthest) = farthest else {
        return not_trained();
    };
    let found = match farthest.differing {
        0 => format!("all {} tensors equal", farthest.tensors),
        differing => format!(
            "{differing} of {} tensors differ, by {:.1e} at most (relative) or {} representable number{}",
            farthest.tensors,
            farthest.relative_max,
            farthest.ulps_max,
            if farthest.ulps_max == 1 { "" } else { "s" }
        ),
    };
    Found::new(distances.iter().all(|distance| distance.is_within_tolerance), found)
}

fn compare_predictions(data: &str, agreements: &[Agreement]) -> Found {
    let holds = agreements.iter().all(Agreement::is_within_tolerance);
    let worse = |a: &&Agreement, b: &&Agreement| {
        let key = |one: &Agreement| (one.flips, one.score_difference_max);
        key(a).partial_cmp(&key(b)).unwrap_or(std::cmp::Ordering::Equal)
    };
    let Some(worst) = agreements.iter().max_by(worse) else {
        return not_trained();
    };
    let mut found = match worst.is_exact() {
        true => format!("{} rows of {data}, each to the last bit", worst.rows),
        false => format!(
            "{} of {} rows of {data} get another class; probabilities differ by {:.2e} at most",
            worst.flips, worst.rows, worst.score_difference_max
        ),
    };
    if let Some(slice) = &worst.worst_slice {
        found.push_str(&format!("; worst in {}: {} of {}", slice.slice, slice.flips, slice.rows));
    }
    Found::new(holds, found)
}

/// Whether the version's own metric is one that another training might have given.
fn compare_metrics(recorded: &Evaluation, repeated: &[Evaluation]) -> Found {
    let primary = &recorded.report.primary;
    let value = |evaluation: &Evaluation| evaluation.report.overall.value(primary);
    let values: Option<Vec<f64>> = repeated.iter().map(value).collect();
    let (Some(was), Some(values)) = (value(recorded), values) else {
        return Found::unknown(format!("{primary} is not defined on rows of one class"));
    };
    if values.len() < REPLICATES_MIN {
        let now = values.first().copied().unwrap_or(f64::NAN);
        return Found::unknown(format!(
            "{primary} {was:.4} then, {now:.4} now; the spread shows from {REPLICATES_MIN} trainings on"
        ));
    }
    match next_replicate(&values) {
        Err(error) => Found::unknown(error.to_string()),
        Ok(band) => Found::new(
            (band.low..=band.high).contains(&was),
            format!("{primary} {was:.4}; {} trainings give [{:.4}, {:.4}]", values.len(), band.low, band.high),
        ),
    }
}

fn reproduction_event(
    evidence: EvidenceId,
    project: &ProjectName,
    version: &ModelVersion,
    report: &ReproductionReport,
    digest: Digest,
) -> Event {
    let declared = ("reproduction", 1u32, report.required);
    Event::EvidenceRecorded(EvidenceRecorded {
        project: project.clone(),
        evidence,
        kind: EvidenceKind::Reproduction,
        model: version.model.clone(),
        version: version.number,
        subject: version.digest,
        gate: None,
        spec_digest: canonical::digest(&declared).expect("two texts and a number are always JSON").0,
        passed: report.passed(),
        summary: report.summary(),
        report: digest,
        data: None,
        leaky: false,
        metrics: None,
    })
}
