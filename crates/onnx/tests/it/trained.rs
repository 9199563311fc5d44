//! The labels that the trained models themselves predict, whatever another runtime makes of their files.

use stemma_onnx::Model;
use stemma_tensor::TensorData;

use crate::sample;

/// How far scores in single precision may be from the trained model's own.
const TOLERANCE: f64 = 2e-5;

#[test]
fn labels_and_scores_are_those_of_the_trained_model() {
    let models = sample::trained();
    assert!(models.len() >= 9, "there are only {} models", models.len());
    for trained in models {
        let name = &trained.name;
        let model = Model::parse(&trained.bytes).unwrap();
        let outputs = model.run(vec![("X".to_owned(), trained.input)]).unwrap();
        let label = model.label_output().unwrap_or_else(|| panic!("{name} has no label"));
        assert_eq!(outputs[label].1.data(), trained.labels.data(), "{name}");
        let classes = model.classes().unwrap().len();
        let scores = model.probability_output().map(|output| output.output).or(model.margin_output());
        let found = as_reals(outputs[scores.unwrap_or_else(|| panic!("{name} has no scores"))].1.data());
        let wanted = as_reals(trained.scores.data());
        // a model may answer the second class's score alone
        let wanted: Vec<f64> = match found.len() < wanted.len() {
            true => wanted.chunks(classes).map(|row| row[1]).collect(),
            false => wanted,
        };
        assert_eq!(found.len(), wanted.len(), "{name}");
        for (found, wanted) in found.iter().zip(&wanted) {
            assert!((found - wanted).abs() <= TOLERANCE * wanted.abs().max(1.0), "{name}: {found} is not {wanted}");
        }
    }
}

fn as_reals(data: &TensorData) -> Vec<f64> {
    match data {
        TensorData::Float(values) => values.iter().map(|&value| value.into()).collect(),
        TensorData::Double(values) => values.clone(),
        other => panic!("scores are {}", other.datatype()),
    }
}
