//! Two predictions side by side, and which inputs make the difference.

use askama::Template;
use axum::response::Response;
use stemma_api::{
    act::Nothing,
    types::{ComparedPrediction, InputEffect, OutputEffects, PredictionComparison, With},
};
use stemma_core::{
    Problem,
    endpoint::prediction::{LoggedTensor, PredictionId},
    name::ProjectName,
};

use super::{
    chart::{self, Bar},
    filters,
    head::Head,
    paper::html,
};
use crate::{call::Call, href};

/// Characters of a value beside a bar.
const VALUE_CHARS: usize = 24;

#[derive(Template)]
#[template(path = "compare_predictions.html")]
struct ComparePage {
    head: Head,
    project: ProjectName,
    sides: [(&'static str, ComparedPrediction); 2],
    pictures: Vec<Picture>,
    found: PredictionComparison,
}

/// How the inputs make the difference of an output, drawn.
struct Picture {
    effects: OutputEffects,
    alone: String,
    in_order: String,
}

pub async fn compare(call: Call<(PredictionId,), Nothing, With>) -> Result<Response, Problem> {
    let ((a,), delivery) = (&call.at, &call.app.delivery);
    let found = delivery.compare_predictions(&call.caller, a, &call.ask.with).await?;
    let project = delivery.project_of(a).await?;
    let effects = found.effects.iter().flat_map(|effects| effects.outputs.clone());
    let pictures = effects.map(|effects| Picture {
        alone: chart::shares(&bars(&effects, &effects.alone)),
        in_order: chart::shares(&bars(&effects, &effects.in_order)),
        effects,
    });
    html(ComparePage {
        head: Head::in_project(&call, &project).await?,
        project,
        sides: [("a", found.a.clone()), ("b", found.b.clone())],
        pictures: pictures.collect(),
        found,
    })
}

fn bars(effects: &OutputEffects, of: &[InputEffect]) -> Vec<Bar> {
    let bar = |effect: &InputEffect| Bar {
        label: effect.input.clone(),
        percent: effects.percent(effect),
        value: shown(&effect.output),
    };
    of.iter().map(bar).collect()
}

fn shown(tensor: &LoggedTensor) -> String {
    let text = tensor.data.to_string();
    match text.char_indices().nth(VALUE_CHARS) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
