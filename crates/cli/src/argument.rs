//! How people name things on the command line.

use std::path::{Path, PathBuf};

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use stemma_core::{
    Problem, Timestamp,
    endpoint::prediction::{PredictionId, PredictionIdError},
    moment::Moment,
    name::ModelName,
    policy::Stage,
    written_time::WrittenTime,
};

/// Whether somebody means a prediction.
pub fn is_prediction(text: &str) -> bool {
    text.starts_with("pred_")
}

/// Reads a prediction's id.
pub fn prediction(text: &str) -> Result<PredictionId, Problem> {
    text.parse().map_err(|error: PredictionIdError| {
        Problem::invalid(error.to_string())
            .hint("an endpoint's answer holds it as `parameters.prediction_id`; see `stemma endpoints NAME`")
    })
}

/// Reads a time that an option names: of a day, the moment that is asked for.
pub fn moment(option: &str, text: &str, which: fn(WrittenTime) -> Timestamp) -> Result<Timestamp, Problem> {
    WrittenTime::parse(text).map(which).ok_or_else(|| {
        Problem::invalid(format!("`{text}` of `{option}` is no time"))
            .hint("write it as `2026-03-01T12:30:00Z` or `2026-03-01`")
    })
}

/// About when a question is.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct AtArgs {
    /// As it was then: after the event of this number, or at this time; a date is the end of that day, and what names no
    /// zone is UTC
    #[arg(long, value_name = "TIME|SEQ", value_parser = when)]
    pub at: Option<Moment>,
}

fn when(text: &str) -> Result<Moment, String> {
    let told = |problem: Problem| match problem.hint {
        Some(hint) => format!("{}; {hint}", problem.message),
        None => problem.message,
    };
    text.parse().map_err(told)
}

/// Reads a stage, and lists the stages in the help.
pub fn stage() -> impl TypedValueParser<Value = Stage> {
    PossibleValuesParser::new(Stage::ALL.map(Stage::as_str)).try_map(|text| Stage::parse(&text).ok_or("not a stage"))
}

/// Splits `model@version` as people type it; a bare model means its newest version.
pub fn model_and_version(text: &str) -> Result<(ModelName, String), Problem> {
    let (model, version) = text.split_once('@').unwrap_or((text, "newest"));
    if version.is_empty() {
        return Err(Problem::invalid(format!("`{text}` names no version"))
            .hint("write `model@1.2.0`, `model@alias`, `model@stage`, or the model alone for its newest version"));
    }
    Ok((model.parse()?, version.to_owned()))
}

/// The workspace sees relative paths from its root, a person from where they stand.
pub fn absolute(path: &Path) -> Result<PathBuf, Problem> {
    std::path::absolute(path).map_err(|error| Problem::invalid(format!("`{}` is not a path: {error}", path.display())))
}
