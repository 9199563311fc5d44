//! What the documents say can be declared.

use std::path::Path;

use stemma_core::{case::RegressionCase, policy::GateSpec};
use stemma_workspace::Settings;

const EVALUATION: &str = r#"
[model.credit-score.evaluation]
data = "data/test.csv"
target = "creditability"
positive = "bad"
slices = ["personal_status_and_sex", { column = "age_in_years", bins = [25, 40] }]
"#;

/// The blocks of code of a document.
fn blocks(document: &str) -> impl Iterator<Item = &str> {
    document.split("```\n").skip(1).step_by(2)
}

#[test]
fn every_gate_of_the_document_can_be_declared() {
    let document = include_str!("../../../../docs/gates.md");
    let declared: Vec<&str> = blocks(document).filter(|block| block.contains("[model.")).collect();
    let text = [&[EVALUATION], declared.as_slice()].concat().join("\n");
    let settings = Settings::parse(Path::new("stemma.toml"), &text).unwrap();
    let gates = &settings.models["credit-score"].gates;
    let kinds = |is: fn(&GateSpec) -> bool| gates.values().filter(|gate| is(gate)).count();
    assert_eq!(kinds(|gate| matches!(gate, GateSpec::DataTest(_))), 1);
    assert_eq!(kinds(|gate| matches!(gate, GateSpec::MetricBaseline { .. })), 1);
    assert_eq!(kinds(|gate| matches!(gate, GateSpec::SliceBaseline { .. })), 1);
    assert_eq!(kinds(|gate| matches!(gate, GateSpec::SliceGap { .. })), 2);
    assert_eq!(kinds(|gate| matches!(gate, GateSpec::RegressionCases { .. })), 1);
}

#[test]
fn the_evaluation_of_the_document_can_be_declared() {
    let document = include_str!("../../../../docs/evaluation.md");
    let declared = blocks(document).find(|block| block.contains("[model.")).unwrap();
    let settings = Settings::parse(Path::new("stemma.toml"), declared).unwrap();
    assert_eq!(settings.models["credit-score"].evaluation.as_ref().unwrap().slices.len(), 2);
}

#[test]
fn what_the_document_says_of_a_model_can_be_declared() {
    let document = include_str!("../../../../docs/meaning.md");
    let declared = blocks(document).find(|block| block.contains("[model.")).unwrap();
    let settings = Settings::parse(Path::new("stemma.toml"), declared).unwrap();
    let policy = &settings.models["credit-score"];
    assert_eq!((policy.owner.as_deref(), policy.tags.len(), policy.require.capture), (Some("risk"), 1, Some(3)));
}

#[test]
fn the_case_of_the_document_is_one() {
    let document = include_str!("../../../../docs/gates.md");
    let case = blocks(document).find(|block| block.starts_with('{')).unwrap();
    RegressionCase::parse(&"answered-too-harshly".parse().unwrap(), case).unwrap();
}
