//! What was recorded of two predictions, side by side.

use stemma_api::types::{ComparedPrediction, ComparedRule, ComparedStep, ComparedValue, PredictionComparison};
use stemma_core::endpoint::prediction::{
    LoggedTensor, NodeRecord, OverrideEffect, OverrideRecord, PredictionId, PredictionRecord,
};

/// Values before an override that are told.
const TOLD: usize = 5;

pub fn sides(a: (&PredictionId, &PredictionRecord), b: (&PredictionId, &PredictionRecord)) -> PredictionComparison {
    PredictionComparison {
        inputs: values(&a.1.inputs, &b.1.inputs),
        steps: steps(&a.1.nodes, &b.1.nodes),
        rules: rules(&a.1.overrides, &b.1.overrides),
        outputs: values(&a.1.outputs, &b.1.outputs),
        a: side(a.0, a.1),
        b: side(b.0, b.1),
        effects: None,
        reasons: Vec::new(),
    }
}

fn side(prediction: &PredictionId, record: &PredictionRecord) -> ComparedPrediction {
    ComparedPrediction {
        prediction: *prediction,
        time: record.time,
        endpoint: record.endpoint.clone(),
        revision: record.revision,
        revision_digest: record.revision_digest,
        arm: record.arm.as_ref().map(|arm| arm.name.clone()),
        unit: record.draw.as_ref().map(|draw| draw.unit.clone()),
        status: record.outcome.status().to_owned(),
        failure: record.outcome.message().map(str::to_owned),
    }
}

/// Pairs of the things of two lists that are called the same, in the order of the first.
fn pairs<'x, T>(a: &'x [T], b: &'x [T], name: impl Fn(&T) -> &str) -> Vec<(String, Option<&'x T>, Option<&'x T>)> {
    let of = |list: &'x [T], wanted: &str| list.iter().find(|one| name(one) == wanted);
    let mut pairs: Vec<_> = a.iter().map(|one| (name(one).to_owned(), Some(one), of(b, name(one)))).collect();
    let only_b = b.iter().filter(|one| of(a, name(one)).is_none());
    pairs.extend(only_b.map(|one| (name(one).to_owned(), None, Some(one))));
    pairs
}

pub fn values(a: &[LoggedTensor], b: &[LoggedTensor]) -> Vec<ComparedValue> {
    let pairs = pairs(a, b, |tensor| &tensor.name).into_iter();
    pairs.map(|(name, a, b)| ComparedValue { name, a: a.cloned(), b: b.cloned() }).collect()
}

fn steps(a: &[NodeRecord], b: &[NodeRecord]) -> Vec<ComparedStep> {
    let step = |(step, a, b): (String, Option<&NodeRecord>, Option<&NodeRecord>)| ComparedStep {
        step,
        same: a.map(|node| &node.what) == b.map(|node| &node.what),
        outputs: values(a.map_or(&[], |node| &node.outputs), b.map_or(&[], |node| &node.outputs)),
        a: a.map(NodeRecord::asked),
        b: b.map(NodeRecord::asked),
    };
    pairs(a, b, |node| &node.node).into_iter().map(step).collect()
}

fn rules(a: &[OverrideRecord], b: &[OverrideRecord]) -> Vec<ComparedRule> {
    let rule = |(name, a, b): (String, Option<&OverrideRecord>, Option<&OverrideRecord>)| ComparedRule {
        name,
        a: a.map(|one| effect(&one.effect)),
        b: b.map(|one| effect(&one.effect)),
    };
    pairs(a, b, |one| &one.name).into_iter().map(rule).collect()
}

/// `changed `limit`, which was 5000`
fn effect(effect: &OverrideEffect) -> String {
    match effect {
        OverrideEffect::Bounded { output, count, before } => {
            let told: Vec<String> = before.iter().take(TOLD).map(|(_, value)| value.to_string()).collect();
            let more = usize::try_from(*count).unwrap_or(usize::MAX).saturating_sub(told.len());
            let more = if more > 0 { format!(" and {more} more values") } else { String::new() };
            format!("changed `{output}`, which was {}{more}", told.join(", "))
        }
        OverrideEffect::Expired { since } => format!("was ignored: it expired at {since}"),
    }
}
