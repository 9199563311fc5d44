//! The same answers as ONNX Runtime.
//!
//! Labels, indices and texts must be equal. Numbers may differ by rounding: the two take sums in different orders and
//! have different `exp` and `tanh`. Where the answers must differ is listed in [`as_the_format_wants`].

use stemma_tensor::{Tensor, TensorData};

use crate::sample::{self, Sample};

/// The greatest difference allowed, absolute below one and relative above.
const TOLERANCE: f64 = 1e-6;
/// The same for `PROBIT`, whose formula takes differences of nearly equal numbers in `f32`.
const TOLERANCE_PROBIT: f64 = 1e-5;

/// Returns the greatest difference of a sample's outputs to those recorded.
fn difference(sample: &Sample) -> f64 {
    let model = sample.model();
    let mut greatest = 0f64;
    for (number, case) in sample.cases.iter().enumerate() {
        let name = format!("{} case {number}", sample.name);
        let outputs = match model.run(case.inputs.clone()) {
            Ok(outputs) => outputs,
            Err(error) => panic!("{name}: {error}"),
        };
        assert_eq!(outputs.len(), case.outputs.len(), "{name}");
        let wanted = as_the_format_wants(&sample.name, &case.outputs);
        for ((found_name, found), (wanted_name, wanted)) in outputs.iter().zip(&wanted) {
            assert_eq!(found_name, wanted_name, "{name}");
            greatest = greatest.max(tensor_difference(&name, found, wanted));
        }
    }
    greatest
}

/// What ONNX Runtime recorded, as the format wants it.
///
/// A classifier of two classes with one score says with that score which class it is; the heads of `kernel/linear` and
/// `kernel/trees/classifier` tell the rule and its sources. ONNX Runtime gives labels against its own probabilities,
/// leaves out a softmax, and makes probabilities of margins: these are the operators in which it does.
fn as_the_format_wants(name: &str, recorded: &[(String, Tensor)]) -> Vec<(String, Tensor)> {
    let (number, operator) = name.split_once(' ').unwrap_or_default();
    let of_scores: fn(&[f32]) -> [f32; 2] = match (operator.split('"').nth(1), number.parse()) {
        // LOGISTIC, and SOFTMAX of a score of the second class, without negative weights: the labels
        (Some("TreeEnsembleClassifier"), Ok(48 | 51 | 60 | 61)) => |both| [both[0], both[1]],
        // SOFTMAX of a score that all weights of the first class give
        (Some("TreeEnsembleClassifier"), Ok(49 | 52 | 55 | 58)) => |both| softmax(both[1]),
        // a probability of the second class, of which the first is what is left
        (Some("TreeEnsembleClassifier"), Ok(59)) => |both| [1.0 - both[1], both[1]],
        // NONE: the margin of the first class is the opposite
        (Some("LinearClassifier"), Ok(107 | 118)) => |both| [-both[1], both[1]],
        // SOFTMAX and SOFTMAX_ZERO
        (Some("LinearClassifier"), Ok(110 | 116)) => |both| softmax(both[1]),
        _ => return recorded.to_vec(),
    };
    let [(label, labels), (score, scores)] = recorded else {
        panic!("{name} does not answer a label and scores");
    };
    let (TensorData::Int64(given), TensorData::Float(each)) = (labels.data(), scores.data()) else {
        panic!("{name} has other labels and scores");
    };
    let both: Vec<[f32; 2]> = each.chunks(2).map(of_scores).collect();
    let (first, second) = if number == "118" { (0, 1) } else { (3, 7) };
    let wanted: Vec<i64> = both.iter().map(|both| if both[1] > both[0] { second } else { first }).collect();
    let flat: Vec<f32> = both.into_iter().flatten().collect();
    assert!(&wanted != given || &flat != each, "{name}: nothing differs");
    vec![
        (label.clone(), Tensor::new(labels.shape().to_vec(), wanted).unwrap()),
        (score.clone(), Tensor::new(scores.shape().to_vec(), flat).unwrap()),
    ]
}

/// Of a margin and its opposite.
fn softmax(margin: f32) -> [f32; 2] {
    let second = 1.0 / (1.0 + libm::expf(-2.0 * margin));
    [1.0 - second, second]
}

fn tensor_difference(name: &str, found: &Tensor, wanted: &Tensor) -> f64 {
    assert_eq!(found.shape(), wanted.shape(), "{name}");
    assert_eq!(found.datatype(), wanted.datatype(), "{name}");
    let pairs: Vec<(f64, f64)> = match (found.data(), wanted.data()) {
        (TensorData::Float(a), TensorData::Float(b)) => a.iter().zip(b).map(|(&a, &b)| (a.into(), b.into())).collect(),
        (TensorData::Double(a), TensorData::Double(b)) => a.iter().zip(b).map(|(&a, &b)| (a, b)).collect(),
        (found, wanted) => {
            assert_eq!(found, wanted, "{name}");
            Vec::new()
        }
    };
    let mut greatest = 0f64;
    let tolerance = if name.contains("PROBIT") { TOLERANCE_PROBIT } else { TOLERANCE };
    for (place, (a, b)) in pairs.into_iter().enumerate() {
        let same = a == b || (a.is_nan() && b.is_nan());
        let apart = if same { 0.0 } else { (a - b).abs() / b.abs().max(1.0) };
        assert!(apart <= tolerance, "{name}, place {place}: {a} is not {b}");
        greatest = greatest.max(apart);
    }
    greatest
}

fn check_all(samples: Vec<Sample>) {
    let mut greatest = (0.0, String::new());
    for sample in &samples {
        let apart = difference(sample);
        if apart > greatest.0 {
            greatest = (apart, sample.name.clone());
        }
    }
    println!("greatest difference of {} models: {:e} in {}", samples.len(), greatest.0, greatest.1);
}

#[test]
fn trained_models_answer_as_onnx_runtime_does() {
    check_all(sample::models());
}

#[test]
fn single_operators_answer_as_onnx_runtime_does() {
    let operators = sample::operators();
    assert!(operators.len() >= 250, "there are only {} operators", operators.len());
    check_all(operators);
}
