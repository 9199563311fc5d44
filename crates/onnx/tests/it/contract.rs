//! What a model says that it takes and gives, and what it says to callers who do otherwise.

use stemma_core::signature::Datatype;
use stemma_onnx::{Model, OnnxError, ProbabilityOutput, RunError};
use stemma_tensor::{Tensor, TensorData};

use crate::sample;

fn described(name: &str) -> String {
    let model = sample::model(name).model();
    let signature = model.signature();
    let fields = |fields: &[stemma_core::signature::Field]| {
        fields.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let inputs = fields(&signature.inputs);
    format!("{inputs} -> {}", fields(&signature.outputs))
}

#[test]
fn a_table_has_an_input_for_each_column() {
    assert_eq!(
        described("table_logistic"),
        "age: FP32[-1, 1], amount: FP32[-1, 1], purpose: BYTES[-1, 1], housing: BYTES[-1, 1] \
         -> output_label: BYTES[-1], output_probability: FP32[-1, 2]"
    );
}

#[test]
fn maps_of_probabilities_are_a_matrix_in_the_signature() {
    let with_maps = described("logistic");
    assert_eq!(with_maps, "X: FP32[-1, 5] -> output_label: INT64[-1], output_probability: FP32[-1, 2]");
    assert_eq!(described("forest_zip_off"), "X: FP32[-1, 5] -> label: INT64[-1], probabilities: FP32[-1, 2]");
}

#[test]
fn regressors_have_no_classes() {
    assert_eq!(described("forest_regression_two"), "X: FP32[-1, 5] -> variable: FP32[-1, 2]");
    let model = sample::model("boosting_regression").model();
    assert_eq!(model.classes(), None);
    assert_eq!(model.label_output(), None);
    assert_eq!(model.probability_output(), None);
}

fn check_classes(name: &str, classes: &[&str]) {
    let model = sample::model(name).model();
    let classes: Vec<String> = classes.iter().map(|&class| class.to_owned()).collect();
    assert_eq!(model.classes(), Some(classes.as_slice()), "{name}");
    assert_eq!(model.label_output(), Some(0), "{name}");
    assert_eq!(model.probability_output(), Some(&ProbabilityOutput { output: 1, classes }), "{name}");
}

#[test]
fn classes_are_found_however_a_classifier_is_written() {
    check_classes("logistic", &["0", "1"]);
    check_classes("logistic_normalized", &["3", "7"]);
    check_classes("forest_zip_off", &["0", "1"]);
    check_classes("forest_three", &["high", "low", "middle"]);
    check_classes("boosting", &["bad", "good"]);
    // put together from plain operators, the classes being a constant
    check_classes("mlp", &["0", "1"]);
    check_classes("mlp_three", &["high", "low", "middle"]);
    check_classes("bayes", &["high", "low", "middle"]);
    check_classes("table_forest", &["bad", "good"]);
}

#[test]
fn the_label_is_the_class_of_the_greatest_probability() {
    let mut checked = 0;
    for sample in sample::models() {
        let model = sample.model();
        let (Some(label), Some(probabilities)) = (model.label_output(), model.probability_output()) else {
            continue;
        };
        for case in &sample.cases {
            let outputs = model.run(case.inputs.clone()).unwrap();
            let labels = as_texts(&outputs[label].1);
            let TensorData::Float(scores) = outputs[probabilities.output].1.data() else {
                panic!("{}: probabilities are not FP32", sample.name);
            };
            for (label, row) in labels.iter().zip(scores.chunks(probabilities.classes.len())) {
                let place = probabilities.classes.iter().position(|class| class == label).unwrap();
                assert!(row.iter().all(|&score| score <= row[place]), "{}: {row:?}", sample.name);
                checked += 1;
            }
        }
    }
    assert!(checked > 500, "{checked}");
}

fn as_texts(labels: &Tensor) -> Vec<String> {
    match labels.data() {
        TensorData::String(labels) => labels.clone(),
        TensorData::Int64(labels) => labels.iter().map(i64::to_string).collect(),
        other => panic!("labels are {}", other.datatype()),
    }
}

fn floats(shape: &[usize], element: f32) -> Tensor {
    Tensor::new(shape.to_vec(), vec![element; shape.iter().product()]).unwrap()
}

fn texts(shape: &[usize], text: &str) -> Tensor {
    Tensor::new(shape.to_vec(), vec![text.to_owned(); shape.iter().product()]).unwrap()
}

/// One row for the table models, with one input replaced, renamed or left out.
fn row(changed: &str, name: &str, tensor: Option<Tensor>) -> Vec<(String, Tensor)> {
    let columns = [
        ("age", floats(&[1, 1], 40.0)),
        ("amount", floats(&[1, 1], 1000.0)),
        ("purpose", texts(&[1, 1], "car")),
        ("housing", texts(&[1, 1], "own")),
    ];
    let mut inputs = Vec::new();
    for (column, value) in columns {
        if column != changed {
            inputs.push((column.to_owned(), value));
        } else if let Some(tensor) = &tensor {
            inputs.push((name.to_owned(), tensor.clone()));
        }
    }
    inputs
}

fn table_error(inputs: Vec<(String, Tensor)>) -> (RunError, String) {
    let model = sample::model("table_logistic").model();
    let error = model.run(inputs).unwrap_err();
    let text = error.to_string();
    (error, text)
}

#[test]
fn inputs_may_come_in_any_order() {
    let model = sample::model("table_logistic").model();
    let ordered = model.run(row("", "", None)).unwrap();
    let mut inputs = row("", "", None);
    inputs.reverse();
    assert_eq!(model.run(inputs).unwrap(), ordered);
}

#[test]
fn a_missing_input_is_named() {
    let (error, text) = table_error(row("amount", "", None));
    assert!(matches!(error, RunError::MissingInput { input, .. } if input == "amount"));
    assert_eq!(text, "input `amount` is missing; the model takes `age`, `amount`, `purpose`, `housing`");
}

#[test]
fn a_mistyped_input_gets_a_hint() {
    let (error, text) = table_error(row("amount", "ammount", Some(floats(&[1, 1], 1.0))));
    assert!(matches!(error, RunError::UnknownInput { near, .. } if near == ["amount"]));
    assert_eq!(text, "the model has no input `ammount`; did you mean `amount`?");
    let (_, text) = table_error(row("amount", &"x".repeat(100_000), Some(floats(&[1, 1], 1.0))));
    assert!(text.ends_with("it takes `age`, `amount`, `purpose`, `housing`"));
}

#[test]
fn an_input_given_twice_is_refused() {
    let (error, _) = table_error(row("amount", "age", Some(floats(&[1, 1], 1.0))));
    assert_eq!(error, RunError::DuplicateInput { input: "age".to_owned() });
}

#[test]
fn types_and_shapes_are_checked() {
    let (error, text) = table_error(row("age", "age", Some(texts(&[1, 1], "40"))));
    assert_eq!(text, "input `age` is BYTES, the model takes FP32");
    assert!(matches!(error, RunError::WrongDatatype { expected: Datatype::Fp32, got: Datatype::Bytes, .. }));
    let (_, text) = table_error(row("age", "age", Some(floats(&[1], 40.0))));
    assert_eq!(text, "input `age` has shape [1], the model takes [-1, 1]");
    let (_, text) = table_error(row("age", "age", Some(floats(&[1, 2], 40.0))));
    assert_eq!(text, "input `age` has shape [1, 2], the model takes [-1, 1]");
    let (_, text) = table_error(row("purpose", "purpose", Some(texts(&[2, 1], "car"))));
    assert_eq!(text, "input `purpose` has 2 rows where input `age` has 1");
}

#[test]
fn what_fails_within_names_the_operator() {
    let model = sample::model("table_dropped").model();
    let error = model.run(row("purpose", "purpose", Some(texts(&[1, 1], "spaceship")))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "operator `OneHotEncoder` at node `OneHotEncoder`: the category at place 0 is unknown"
    );
}

/// Parses a sample in which some bytes are replaced by as many others.
fn edited(name: &str, from: &str, to: &str) -> OnnxError {
    assert_eq!(from.len(), to.len());
    let mut bytes = sample::model(name).bytes;
    let places: Vec<usize> =
        (0..bytes.len() - from.len()).filter(|&at| bytes[at..].starts_with(from.as_bytes())).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    Model::parse(&bytes).unwrap_err()
}

#[test]
fn an_unknown_operator_is_named_with_those_that_are_known() {
    let error = edited("logistic_zip_off", "LinearClassifier", "LinearKlassifier");
    let text = error.to_string();
    assert!(
        text.starts_with("operator `LinearKlassifier` of `ai.onnx.ml` at node `LinearClassifier`")
            || text.starts_with("operator `LinearKlassifier` of `ai.onnx.ml` at node `LinearKlassifier`"),
        "{text}"
    );
    let OnnxError::UnsupportedOperator { supported, .. } = error else {
        panic!("{error}");
    };
    assert!(supported.contains(&"LinearClassifier"));
    assert!(!supported.contains(&"MatMul"));
}

#[test]
fn attributes_that_are_not_known_are_refused() {
    let error = edited("logistic_zip_off", "intercepts", "interceptz");
    assert_eq!(
        error.to_string(),
        "operator `LinearClassifier` at node `LinearClassifier`: attribute `intercepts` is missing"
    );
    let error = edited("logistic_zip_off", "multi_class", "multi_klass");
    assert_eq!(
        error.to_string(),
        "operator `LinearClassifier` at node `LinearClassifier`: attribute `multi_klass` is not supported"
    );
}

#[test]
fn nothing_and_a_truncated_model_are_refused() {
    assert!(matches!(Model::parse(&[]), Err(OnnxError::NoGraph)));
    let bytes = sample::model("logistic").bytes;
    let error = Model::parse(&bytes[..bytes.len() / 2]).unwrap_err();
    assert!(matches!(error, OnnxError::NotProtobuf { .. }), "{error}");
}
