//! Require: whether a registration brings what its model asks for.

use stemma_core::{
    Problem,
    meaning::{Aspect, Thing},
    name::{ModelName, ProjectName},
    policy::{Brought, BroughtRun, ModelPolicy, decide_registration},
    record::RunRecord,
};

use crate::{Known, run::packages::ENVIRONMENT_BYTES_MAX};

/// The part of an environment's document that says how its packages were pinned.
#[derive(serde::Deserialize)]
struct Pins {
    #[serde(default)]
    lock_files: Vec<serde::de::IgnoredAny>,
}

/// Refuses a registration that lacks something; the error says all that it lacks.
pub(crate) async fn check_registration(
    known: &Known,
    project: &ProjectName,
    model: &ModelName,
    policy: &ModelPolicy,
    (run, evaluation): (Option<&RunRecord>, Result<(), String>),
) -> Result<(), Problem> {
    if policy.require.is_empty() {
        return Ok(());
    }
    let held = known.held(project, &Thing::Model(model.clone())).await?;
    let said = held.into_keys().map(|(aspect, _)| aspect).collect::<std::collections::BTreeSet<Aspect>>();
    let run = match run {
        None => None,
        Some(run) => {
            let pinned_environment = match policy.require.pinned_environment {
                true => pinned(known, run).await,
                false => Ok(()),
            };
            Some(BroughtRun { capture_level: run.capture.level, pinned_environment })
        }
    };
    decide_registration(model, &policy.require, &Brought { said, evaluation, run }).map_err(Problem::from)
}

/// Why the environment of a run is not pinned, or can't be known to be.
async fn pinned(known: &Known, run: &RunRecord) -> Result<(), String> {
    let bytes = known.read_content(run.environment, ENVIRONMENT_BYTES_MAX).await;
    let bytes = bytes.map_err(|problem| format!("its run's environment can't be read: {}", problem.message))?;
    let pins: Pins = serde_json::from_slice(&bytes)
        .map_err(|_| "its run's environment is described in a form of another tool".to_owned())?;
    match pins.lock_files.is_empty() {
        true => Err("there was no lock file in the project when its run began".to_owned()),
        false => Ok(()),
    }
}
