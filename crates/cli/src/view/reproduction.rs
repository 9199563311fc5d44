//! A training that is repeated: what will happen, and how equal it came out.

use std::path::Path;

use stemma_api::types::Reproduced;
use stemma_core::{
    record::ExitStatus,
    reproduction::{EnvironmentDifference, Finding, ReproductionReport, ReproductionStep},
};
use stemma_runner::sandbox::{Missing, missing_walls};
use stemma_workspace::reproduce::{Plan, PlannedFile, PlannedPlace, Purpose, TrainingNetwork};

use super::{count, facts, run::command_line, section};
use crate::print::{self, Output};

/// Entries shown of a list; the rest is counted.
const SHOWN: usize = 20;

/// What will be run, with what, and what it may reach.
pub fn plan(version: &str, plan: &Plan, into: Option<&Path>, times: u8, training: TrainingNetwork) -> String {
    let place = into.map_or("a new temporary folder".to_owned(), |folder| format!("`{}`", folder.display()));
    let times = if times == 1 { "once".to_owned() } else { format!("{times} times") };
    let head = facts(&[
        ("command", command_line(&plan.command)),
        ("recorded as", other_command(plan)),
        ("in", plan.directory.clone()),
        ("where", place),
        ("trains", format!("{times}, at most {} s each", plan.limits.time_max_s)),
        ("limits", limits(plan)),
        ("model", format!("`{}`", plan.model)),
        ("to fetch", print::bytes(plan.fetched_bytes())),
        ("python", plan.interpreter.as_ref().map(|one| one.version.clone()).unwrap_or_default()),
        ("network", network(plan, training)),
        ("reads", "what is listed here, its own folder, Python and the system's programs; nothing else".to_owned()),
        ("writes", "below its own folder".to_owned()),
        ("not contained", uncontained(plan)),
    ]);
    let mut text = format!("train `{version}` again, as run {}\n{head}", plan.run);
    let mut add = |heading: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            text.push_str(&format!("\n{}", section(heading, &some(lines))));
        }
    };
    let of = |purpose: Purpose| plan.files.iter().filter(move |file| file.purpose == purpose).map(file).collect();
    add("code", of(Purpose::Code));
    add("data", of(Purpose::Input));
    add("packages", plan.packages.iter().map(|one| format!("{} {}", one.name, one.version)).collect());
    add("variables", plan.variables.iter().map(|(name, value)| format!("{name}={value}")).collect());
    add("mind", plan.warnings.clone());
    text
}

fn limits(plan: &Plan) -> String {
    let limits = plan.limits;
    let (memory, disk) = (print::bytes(limits.memory_bytes), print::bytes(limits.disk_bytes));
    let (processes, files) = (limits.processes, limits.open_files);
    format!("{memory} of memory, {disk} on the disk, {processes} processes, {files} open files each")
}

/// What this machine can't keep others' code from; empty if there is nothing.
fn uncontained(plan: &Plan) -> String {
    let one = |one: Missing| {
        let allowed = if plan.uncontained.contains(&one.wall) { "allowed" } else { "refused" };
        format!("{}: it could {} ({allowed})", one.wall, one.wall.opening())
    };
    missing_walls().into_iter().map(one).collect::<Vec<_>>().join("; ")
}

fn other_command(plan: &Plan) -> String {
    if plan.command == plan.recorded_command { String::new() } else { command_line(&plan.recorded_command) }
}

fn network(plan: &Plan, training: TrainingNetwork) -> String {
    let packages = if plan.packages.is_empty() { "" } else { "the package index, for packages that are not here; " };
    let training = match (training, plan.hosts.is_empty()) {
        (TrainingNetwork::Allowed, _) => "allowed for the training",
        (TrainingNetwork::Refused, true) => "none for the training",
        (TrainingNetwork::Refused, false) => {
            "none for the training, though the recorded run had one: `--allow-network`"
        }
    };
    format!("{packages}{training}")
}

fn file(file: &PlannedFile) -> String {
    let outside = if file.place == PlannedPlace::Outside { ", must be there already" } else { "" };
    format!("{} {}{outside}", file.path, print::bytes(file.size))
}

fn some(mut lines: Vec<String>) -> String {
    let more = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}

/// How the new environment compares with the recorded one.
pub fn installed(plan: &Plan, differences: &[EnvironmentDifference]) -> String {
    let packages = count(plan.packages.len() as u64, "package");
    match differences {
        [] => format!("environment: {packages}, all as recorded"),
        differences => format!("environment: {packages}\n{}", some(differences.iter().map(difference).collect())),
    }
}

/// As in `numpy 2.0.0 → 2.0.1`, `extra 1 is new`, `old 1 is gone`.
fn difference(one: &EnvironmentDifference) -> String {
    let what = format!("{} {}", one.part.as_str(), one.what);
    match (&one.recorded, &one.repeated) {
        (Some(recorded), Some(repeated)) => format!("{what}: {recorded} → {repeated}"),
        (Some(recorded), None) => format!("{what}: {recorded} is not there"),
        (None, Some(repeated)) => format!("{what}: {repeated} is new"),
        (None, None) => what,
    }
}

/// The ladder with its evidence, then everything that was not the same.
pub fn text(reproduced: &Reproduced, output: &Output) -> String {
    let report = &reproduced.report;
    let verdict = output.verdict(reproduced.passed);
    let mut text = format!("{} {verdict}: {}\n", output.bold(&reproduced.version), report.summary());
    text.push_str(&print::table(&["level", "holds", "meaning", "found"], report.steps.iter().map(step)));
    let mut add = |heading: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            text.push_str(&format!("\n{}", section(heading, &some(lines))));
        }
    };
    add("missing", report.missing.clone());
    add("trainings", trainings(report));
    add("outputs that differ", outputs(report));
    add("environment that differs, the likeliest cause first", report.environment.iter().map(difference).collect());
    add("notes", report.notes.clone());
    text
}

fn step(step: &ReproductionStep) -> Vec<String> {
    let holds = match step.holds {
        Finding::Unknown => "–".to_owned(),
        known => known.as_str().to_owned(),
    };
    vec![step.level.to_string(), holds, step.level.meaning().to_owned(), step.found.clone()]
}

fn trainings(report: &ReproductionReport) -> Vec<String> {
    let one = |training: &stemma_core::reproduction::RepeatedTraining| {
        let exit = match training.exit {
            ExitStatus::Code(0) => String::new(),
            ExitStatus::Code(code) => format!(", exit code {code}"),
            ExitStatus::Signal(signal) => format!(", signal {signal}"),
            ExitStatus::Unknown => ", exit not known".to_owned(),
        };
        let model = training.model.map_or("no model".to_owned(), |model| format!("b3:{}", model.short()));
        let run = training.run.map(|run| format!(", run {run}")).unwrap_or_default();
        format!("{model} after {:.1} s{exit}{run}", training.wall_us as f64 / 1e6)
    };
    report.trainings.iter().map(one).collect()
}

fn outputs(report: &ReproductionReport) -> Vec<String> {
    let differing = report.outputs.iter().filter(|output| !output.is_same());
    let shown = |output: &stemma_core::reproduction::RepeatedOutput| match output.repeated {
        Some(repeated) => format!("{}: b3:{} → b3:{}", output.path, output.recorded.short(), repeated.short()),
        None => format!("{}: not written", output.path),
    };
    differing.map(shown).collect()
}
