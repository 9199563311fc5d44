//! The same answers as ONNX Runtime.
//!
//! Labels, indices and texts must be equal. Numbers may differ by rounding: the two take sums in different orders and
//! have different `exp` and `tanh`.

use stemma_onnx::{Tensor, TensorData};

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
        for ((found_name, found), (wanted_name, wanted)) in outputs.iter().zip(&case.outputs) {
            assert_eq!(found_name, wanted_name, "{name}");
            greatest = greatest.max(tensor_difference(&name, found, wanted));
        }
    }
    greatest
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
