//! Validate: a version is loaded and asked in a sandboxed process of its own. If it answers as it was recorded to, and
//! twice the same, it is blessed.

pub mod child;

use std::{ffi::OsString, time::Duration};

use stemma_api::types::{ModelVersion, Validated};
use stemma_core::{
    Digest, ErrorKind, Problem, canonical,
    endpoint::prediction::LoggedTensor,
    event::{Event, EvidenceKind, EvidenceRecorded},
    id::{EvidenceId, RequestId},
    name::{ModelName, ProjectName},
    policy::ValidationSpec,
    record::{CheckResult, EvaluationReport, GateReport, Latency},
    signature::{Datatype, Field, Signature},
};
use stemma_runner::sandbox::{Contained, Ending, Outcome, Reads, Sandbox, system_paths};
use stemma_tensor::{Tensor, logged};

use self::child::{Answers, Asked};
use crate::{
    Caller, Engine, Known,
    known::content::check_is_evaluated,
    model::evaluate::{
        Fed, Wanted, inputs_of,
        predictions::{self, Said},
        read_answers,
    },
    problem::internal,
    resolve::find_version,
};

/// Largest model that is put into a sandbox.
const MODEL_BYTES_MAX: u64 = 1 << 30;
const PREDICTIONS_BYTES_MAX: u64 = 1 << 30;
/// Longest that a version is asked for the sake of time alone.
const TIMING_US_MAX: u64 = 500_000;
/// Rows made up from the signature where no evaluation tells of real ones.
const MADE_UP_ROWS: usize = 4;

/// What is asked, and what should be answered to it.
struct Rows {
    inputs: Vec<(String, Tensor)>,
    /// Absent if it was never evaluated in this process.
    recorded: Option<Recorded>,
    /// For people: where the rows come from.
    from: String,
    data: Option<String>,
    count: u64,
}

/// Answers as the newest evaluation found them.
struct Recorded {
    said: Vec<Said>,
    report: EvaluationReport,
}

impl Engine {
    /// The program that serves a model to its input and output; it gets the model, so it must be one of ours.
    pub fn set_model_server(&self, argv: Vec<OsString>) {
        // the first one stays: there is one binary
        let _ = self.inner.model_server.set(argv);
    }

    /// Validates a version under the usual limits and records the evidence.
    pub async fn validate(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
    ) -> Result<Validated, Problem> {
        let version = find_version(self.known(), project, model, version).await?;
        let spec = ValidationSpec::default();
        let Validation { checks, data, latency } = validation_of(self, project, &version, &spec).await?;
        let passed = checks.iter().all(|check| check.passed);
        let report = GateReport { v: 1, gate: "validation".into(), passed, checks, slices: Vec::new(), latency };
        let stored = self.put_content(project, canonical::to_bytes(&report).map_err(internal)?).await?;
        let evidence = EvidenceId::generate();
        let event = &Event::EvidenceRecorded(EvidenceRecorded {
            project: project.clone(),
            evidence,
            kind: EvidenceKind::Validation,
            model: model.clone(),
            version: version.number,
            subject: version.digest,
            gate: None,
            spec_digest: canonical::digest(&spec).map_err(internal)?.0,
            passed,
            summary: summary(&report),
            report: stored,
            data,
            leaky: false,
            metrics: None,
        });
        self.change(caller, request, || async move { Ok(vec![event.clone()]) }).await?;
        Ok(Validated { version: version.name(), evidence, report })
    }
}

/// What came of asking a version in a sandbox.
pub(crate) struct Validation {
    pub checks: Vec<CheckResult>,
    /// What it was asked with, if that is data of an evaluation.
    pub data: Option<String>,
    pub latency: Option<Latency>,
}

/// Asks the version in a sandbox; also what a gate of this kind does.
pub(crate) async fn validation_of(
    engine: &Engine,
    project: &ProjectName,
    version: &ModelVersion,
    spec: &ValidationSpec,
) -> Result<Validation, Problem> {
    check_is_evaluated(version)?;
    let rows = validation_rows(engine.known(), project, version, spec).await?;
    let bytes = engine.known().read_content(version.digest, MODEL_BYTES_MAX).await?;
    let asked = Asked { inputs: logged::from_tensors(&rows.inputs), timing_us: timing(spec) };
    let outcome = ask_in_sandbox(engine, bytes, asked, spec).await?;
    let mut checks = vec![loaded(&outcome, spec)];
    let answers = match outcome.is_success().then(|| serde_json::from_slice::<Answers>(&outcome.stdout)) {
        None => return Ok(Validation { checks, data: rows.data, latency: None }),
        Some(Err(error)) => {
            checks.push(CheckResult::new("it answers in a form that is known", false, error.to_string()));
            return Ok(Validation { checks, data: rows.data, latency: None });
        }
        Some(Ok(answers)) => answers,
    };
    checks.push(signature(&version.signature, &answers.signature));
    checks.push(CheckResult::new(
        "the same request twice gives the same bytes",
        answers.first == answers.second,
        if answers.first == answers.second { "the same" } else { "the answers differ" }.to_owned(),
    ));
    checks.push(as_recorded(engine.known(), version.digest, &rows, &answers.first).await?);
    checks[0].found = format!(
        "loaded in {} ms, answered in {} ms, half of {} times within {:.1} ms; contained by {}",
        answers.load_us / 1000,
        answers.answer_us / 1000,
        answers.answers,
        answers.p50_us as f64 / 1000.0,
        outcome.layers
    );
    let latency = Latency { p50_us: answers.p50_us, answers: answers.answers, rows: rows.count };
    Ok(Validation { checks, data: rows.data, latency: Some(latency) })
}

/// How long a version may be asked for the sake of time alone, in microseconds: a tenth of what it has for everything.
fn timing(spec: &ValidationSpec) -> u64 {
    TIMING_US_MAX.min(spec.wall_seconds.saturating_mul(100_000))
}

async fn ask_in_sandbox(
    engine: &Engine,
    model: Vec<u8>,
    asked: Asked,
    spec: &ValidationSpec,
) -> Result<Outcome, Problem> {
    let Some(argv) = engine.inner.model_server.get().cloned() else {
        let message = "this process knows no program that serves a model in a sandbox";
        return Err(Problem::new(ErrorKind::Config, message).hint("use the binary `stemma`"));
    };
    let mut readable = system_paths();
    readable.extend(argv.first().map(Into::into));
    let sandbox = Sandbox {
        wall: Duration::from_secs(spec.wall_seconds),
        cpu: Duration::from_secs(spec.wall_seconds),
        memory_bytes: spec.memory_mb << 20,
        readable: Reads::Only(readable),
        ..Sandbox::default()
    };
    let stdin = child::request(&model, &asked).map_err(internal)?;
    let contained = Contained::new(argv, std::path::Path::new("/"));
    let ran = tokio::task::spawn_blocking(move || sandbox.run(&contained, &stdin)).await.map_err(internal)?;
    ran.map_err(Problem::from)
}

/// Rows of the newest evaluation with what it recorded of them; made up from the signature where there is none.
async fn validation_rows(
    known: &Known,
    project: &ProjectName,
    version: &ModelVersion,
    spec: &ValidationSpec,
) -> Result<Rows, Problem> {
    // what a command was asked is not what the model is given
    let report = known.newest_evaluation_report(project, version).await?;
    match report.filter(|report| report.by_command.is_none()) {
        Some(report) => recorded_rows(known, version, report, spec).await,
        None => Ok(Rows {
            inputs: made_up(&version.signature)?,
            recorded: None,
            from: format!("{MADE_UP_ROWS} rows made up from the signature: it was never evaluated in this process"),
            data: None,
            count: MADE_UP_ROWS as u64,
        }),
    }
}

async fn recorded_rows(
    known: &Known,
    version: &ModelVersion,
    report: EvaluationReport,
    spec: &ValidationSpec,
) -> Result<Rows, Problem> {
    let table = known.read_table(&report.data, report.data_digest).await?;
    let bytes = known.read_content(report.predictions, PREDICTIONS_BYTES_MAX).await?;
    let (signature, fed) = (version.signature.clone(), Fed::reported(&report));
    let most = usize::try_from(spec.rows).unwrap_or(usize::MAX);
    let read = tokio::task::spawn_blocking(move || {
        let recorded = predictions::read(bytes)?;
        let chosen: Vec<_> = recorded.into_iter().take(most.max(1)).collect();
        let places: Vec<usize> = chosen.iter().filter_map(|row| usize::try_from(row.row).ok()).collect();
        if places.iter().any(|place| *place >= table.row_count()) {
            return Err(Problem::new(ErrorKind::Corrupt, "the evaluation names rows that its data lacks"));
        }
        let inputs = inputs_of(&signature, &table, &fed, &places)?;
        Ok((inputs, chosen.into_iter().map(|row| row.said).collect::<Vec<_>>()))
    });
    let (inputs, said) = read.await.map_err(internal)??;
    Ok(Rows {
        inputs,
        count: said.len() as u64,
        from: format!("{} rows of {}", said.len(), report.data),
        data: Some(report.data.clone()),
        recorded: Some(Recorded { said, report }),
    })
}

/// Compares what the sandboxed model said with what its evaluation recorded, bit by bit.
async fn as_recorded(
    known: &Known,
    digest: Digest,
    rows: &Rows,
    said: &[LoggedTensor],
) -> Result<CheckResult, Problem> {
    let Some(recorded) = &rows.recorded else {
        return Ok(CheckResult::new("it answers", true, rows.from.clone()));
    };
    let what = format!("it answers {} as its evaluation recorded", rows.from);
    if !recorded.report.is_current() {
        let found = "that was judged by an older rule; `stemma evaluate` does so again";
        return Ok(CheckResult::new(what, false, found));
    }
    let outputs = match logged::to_tensors(said) {
        Ok(outputs) => outputs,
        Err(error) => return Ok(CheckResult::new(what, false, error.to_string())),
    };
    let loaded = known.load_model(digest).await?;
    let wanted = Wanted::reported(&recorded.report);
    let answers = match read_answers(&loaded, &outputs, recorded.said.len(), wanted) {
        Ok(answers) => answers.said,
        Err(problem) => return Ok(CheckResult::new(what, false, problem.message)),
    };
    let differ = recorded.said.iter().zip(&answers).filter(|(then, now)| !then.is_bit_equal(now));
    let differ = differ.count();
    let found = match differ {
        0 => "every answer has the same bits".to_owned(),
        differ => format!("{differ} of {} answers differ", recorded.said.len()),
    };
    Ok(CheckResult::new(what, differ == 0, found))
}

fn loaded(outcome: &Outcome, spec: &ValidationSpec) -> CheckResult {
    let what =
        format!("it loads and answers in a sandbox ({} s, {} MiB, no network)", spec.wall_seconds, spec.memory_mb);
    let mut found = outcome.ending.to_string();
    if matches!(outcome.ending, Ending::Exited(code) if code != 0) {
        let said = String::from_utf8_lossy(&outcome.stderr);
        let last: String = said.lines().last().unwrap_or_default().chars().take(200).collect();
        found.push_str(&format!(": {last}"));
    }
    CheckResult::new(what, outcome.is_success(), found)
}

fn signature(registered: &Signature, found: &Signature) -> CheckResult {
    let changes: Vec<String> = registered.changes_to(found).into_iter().map(|change| change.what).collect();
    let said = if changes.is_empty() { "the same".to_owned() } else { changes.join(", ") };
    CheckResult::new("its signature is the registered one", changes.is_empty(), said)
}

/// For lists of evidence.
fn summary(report: &GateReport) -> String {
    match report.checks.iter().find(|check| !check.passed) {
        Some(failed) => format!("not blessed: {}", failed.found),
        None => "blessed: answered in a sandbox as it should".to_owned(),
    }
}

/// Plain values of the right types and shapes.
fn made_up(signature: &Signature) -> Result<Vec<(String, Tensor)>, Problem> {
    signature.inputs.iter().map(|field| Ok((field.name.clone(), made_up_tensor(field)?))).collect()
}

fn made_up_tensor(field: &Field) -> Result<Tensor, Problem> {
    let mut shape: Vec<usize> = field.shape.iter().map(|size| usize::try_from(*size).unwrap_or(1)).collect();
    if let (Some(rows), Some(-1)) = (shape.first_mut(), field.shape.first()) {
        *rows = MADE_UP_ROWS;
    }
    let count: usize = shape.iter().product();
    let numbers = 0..count;
    let made = match field.datatype {
        Datatype::Bytes => Tensor::new(shape, numbers.map(|n| format!("value {n}")).collect::<Vec<_>>()),
        Datatype::Fp32 => Tensor::new(shape, numbers.map(|n| n as f32).collect::<Vec<_>>()),
        Datatype::Fp64 => Tensor::new(shape, numbers.map(|n| n as f64).collect::<Vec<_>>()),
        Datatype::Int64 => Tensor::new(shape, numbers.map(|n| n as i64).collect::<Vec<_>>()),
        Datatype::Int32 => Tensor::new(shape, numbers.map(|n| n as i32).collect::<Vec<_>>()),
        Datatype::Bool => Tensor::new(shape, numbers.map(|n| n % 2 == 0).collect::<Vec<_>>()),
        other => return Err(Problem::invalid(format!("input `{}` is {other}; no rows can be made up", field.name))),
    };
    made.map_err(|error| Problem::invalid(error.to_string()))
}
