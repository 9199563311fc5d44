//! The same bits every time, alone and in a batch.

use stemma_tensor::{Tensor, TensorData};

use crate::sample;

/// The bits of the elements, so that NaN equals itself and the zeros differ.
fn bits(tensor: &Tensor) -> Vec<u64> {
    match tensor.data() {
        TensorData::Float(elements) => elements.iter().map(|x| x.to_bits().into()).collect(),
        TensorData::Double(elements) => elements.iter().map(|x| x.to_bits()).collect(),
        TensorData::Int64(elements) => elements.iter().map(|&x| x as u64).collect(),
        TensorData::String(elements) => {
            elements.iter().flat_map(|text| text.bytes().map(u64::from).chain([u64::MAX])).collect()
        }
        other => panic!("no sample gives {}", other.datatype()),
    }
}

fn row_of(tensor: &Tensor, row: usize) -> Tensor {
    let columns = tensor.len() / tensor.shape()[0];
    let range = row * columns..(row + 1) * columns;
    let data: TensorData = match tensor.data() {
        TensorData::Float(elements) => elements[range].to_vec().into(),
        TensorData::String(elements) => elements[range].to_vec().into(),
        other => panic!("no sample takes {}", other.datatype()),
    };
    let mut shape = tensor.shape().to_vec();
    shape[0] = 1;
    Tensor::new(shape, data).unwrap()
}

#[test]
fn a_row_gives_the_same_bits_twice_and_alone_and_in_a_batch() {
    for sample in sample::models() {
        let model = sample.model();
        for case in &sample.cases {
            let together = model.run(case.inputs.clone()).unwrap();
            let again = sample.model().run(case.inputs.clone()).unwrap();
            let mut alone = vec![Vec::new(); together.len()];
            for row in 0..case.inputs[0].1.shape()[0] {
                let inputs = case.inputs.iter().map(|(name, tensor)| (name.clone(), row_of(tensor, row)));
                let outputs = model.run(inputs.collect()).unwrap();
                for (rows, (_, output)) in alone.iter_mut().zip(&outputs) {
                    rows.extend(bits(output));
                }
            }
            for (((name, together), (_, again)), alone) in together.iter().zip(&again).zip(&alone) {
                assert_eq!(bits(together), bits(again), "{}: {name}", sample.name);
                assert_eq!(&bits(together), alone, "{}: {name}", sample.name);
            }
        }
    }
}

/// A number that changes with any bit of any output.
fn fingerprint(name: &str) -> u64 {
    let sample = sample::model(name);
    let model = sample.model();
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for case in &sample.cases {
        for (_, output) in model.run(case.inputs.clone()).unwrap() {
            for bits in bits(&output) {
                hash = (hash ^ bits).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    hash
}

/// The bits of each kind of model, as they came out when this was written, on whatever machine.
///
/// If this fails though the models are the same, predictions made before no longer replay: that needs a decision, not
/// a new number here.
#[test]
fn recorded_bits_stay() {
    let recorded = [
        ("bayes", 0xaece_f37e_583e_699b),
        ("boosting_three", 0xa419_fe97_8106_300b),
        ("forest_hundred", 0x38fe_faad_0566_de50),
        ("linear_regression", 0x4e23_9a62_5edd_c91b),
        ("logistic", 0x8c86_9d04_fab3_dec4),
        ("mlp_logistic", 0x9011_2345_3d4d_1d9c),
        ("mlp_three", 0xf149_7b79_8da9_12f4),
        ("sgd", 0x7a3c_e179_732e_c5c1),
        ("table_forest", 0xe60f_12bd_d978_9de9),
        ("table_logistic", 0xc90d_f551_b59f_26dc),
    ];
    let found = recorded.map(|(name, _)| (name, fingerprint(name)));
    assert_eq!(found, recorded, "{found:#018x?}");
}
