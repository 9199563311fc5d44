//! `[auto_register]`: what a run that ended with 0 wrote becomes versions, and whatever keeps it from that is told.
//!
//! The content is that of the record, and not what lies at the path by now.

use std::collections::BTreeMap;

use serde::Serialize;
use stemma_api::types::RegisterVersion;
use stemma_core::{
    Problem,
    id::WorkspaceId,
    name::ModelName,
    pattern::PathPattern,
    record::{FileRef, RunRecord},
};
use stemma_workspace::Workspace;

use crate::{command::model::register::register_output, global::Global, print::Output};

/// What the folder declares, as it was when the run began: a run that changes its own rules is judged by the old ones.
pub struct Asked {
    patterns: BTreeMap<PathPattern, ModelName>,
    workspace: Result<WorkspaceId, Problem>,
}

impl Asked {
    pub fn of(workspace: &Workspace) -> Self {
        let patterns = workspace.settings().auto_register.clone();
        Self { patterns, workspace: workspace.id().map_err(Problem::from) }
    }
}

/// What came of it. Absent where nothing is declared.
#[derive(Debug, Serialize)]
pub struct AutoRegistered {
    /// Why nothing was looked at, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_looked: Option<String>,
    outputs: Vec<OutputRegistered>,
}

/// What came of one output of the run.
#[derive(Debug, Serialize)]
struct OutputRegistered {
    path: String,
    model: ModelName,
    pattern: PathPattern,
    /// As in `credit-score@1.1.0`; absent if it could not be registered.
    version: Option<String>,
    /// The version was there before.
    unchanged: bool,
    reason: Option<String>,
    problem: Option<Problem>,
}

/// Registers the outputs that are declared. A failure leaves the others and the run alone.
pub async fn auto_register(
    asked: Asked,
    record: &RunRecord,
    global: &Global,
    output: &Output,
) -> Option<AutoRegistered> {
    if asked.patterns.is_empty() {
        return None;
    }
    let not_looked = |why: &str| Some(AutoRegistered { not_looked: Some(why.to_owned()), outputs: Vec::new() });
    if !record.exit.is_success() {
        return not_looked("the run did not end with 0");
    }
    let workspace = match asked.workspace {
        Ok(workspace) => workspace,
        Err(problem) => return not_looked(&problem.message),
    };
    let mut outputs = Vec::new();
    for (file, pattern, model) in fitting(&record.outputs, &asked.patterns) {
        let register = RegisterVersion {
            run: Some(record.id),
            path: Some(file.path.clone()),
            workspace: Some(workspace),
            chosen_by: Some(pattern.clone()),
            ..RegisterVersion::new(file.digest, file.path.rsplit('/').next().unwrap_or(&file.path))
        };
        let registered = register_output(model, register, global, output).await;
        let (path, model, pattern) = (file.path.clone(), model.clone(), pattern.clone());
        outputs.push(match registered {
            Ok(registered) => OutputRegistered {
                version: Some(registered.version.name()),
                unchanged: registered.unchanged,
                reason: Some(registered.version.reason),
                problem: None,
                path,
                model,
                pattern,
            },
            Err(problem) => OutputRegistered {
                version: None,
                unchanged: false,
                reason: None,
                problem: Some(problem),
                path,
                model,
                pattern,
            },
        });
    }
    Some(AutoRegistered { not_looked: None, outputs })
}

/// Each output with each model that it is declared for, once: the first pattern counts.
fn fitting<'a>(
    outputs: &'a [FileRef],
    patterns: &'a BTreeMap<PathPattern, ModelName>,
) -> Vec<(&'a FileRef, &'a PathPattern, &'a ModelName)> {
    let mut found: Vec<(&FileRef, &PathPattern, &ModelName)> = Vec::new();
    for file in outputs {
        for (pattern, model) in patterns.iter().filter(|(pattern, _)| pattern.fits(&file.path)) {
            if !found.iter().any(|(other, _, of)| other.path == file.path && *of == model) {
                found.push((file, pattern, model));
            }
        }
    }
    found
}

impl AutoRegistered {
    pub fn tell(&self, output: &Output) {
        if let Some(why) = &self.not_looked {
            output.note(format!("nothing is registered by [auto_register]: {why}"));
        } else if self.outputs.is_empty() {
            output.note("nothing is registered by [auto_register]: the run wrote no file that fits a pattern of it");
        }
        for one in &self.outputs {
            match (&one.version, &one.problem) {
                (Some(version), _) => {
                    let reason = one.reason.as_deref().unwrap_or_default();
                    let unchanged = if one.unchanged { "unchanged; " } else { "" };
                    output.note(format!("registered {version} from `{}`  ({unchanged}{reason})", one.path));
                }
                (None, Some(problem)) => output.warn(&Problem {
                    message: format!("`{}` is NOT registered as {}: {}", one.path, one.model, problem.message),
                    ..problem.clone()
                }),
                (None, None) => {}
            }
        }
    }
}
