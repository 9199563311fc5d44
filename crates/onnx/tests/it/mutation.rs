//! Models that are not quite models: damaged ones are refused or run, but nothing breaks.

use std::sync::OnceLock;

use proptest::prelude::*;
use proptest::sample::Index;
use stemma_onnx::Model;

use crate::sample::{self, Sample};

/// All samples but the largest, whose damage is mostly in the numbers of leaves.
fn victims() -> &'static [Sample] {
    static VICTIMS: OnceLock<Vec<Sample>> = OnceLock::new();
    VICTIMS.get_or_init(|| {
        let mut samples = sample::models();
        samples.extend(sample::operators());
        samples.retain(|sample| sample.bytes.len() < 20_000);
        samples
    })
}

#[derive(Debug, Clone)]
enum Damage {
    Set(Index, u8),
    Flip(Index, u32),
    Cut(Index),
    Remove(Index, usize),
    /// A stretch is written over another place.
    Copy(Index, Index, usize),
    Insert(Index, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        4 => (any::<Index>(), 0..8u32).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        1 => any::<Index>().prop_map(Damage::Cut),
        1 => (any::<Index>(), 1..16usize).prop_map(|(at, count)| Damage::Remove(at, count)),
        1 => (any::<Index>(), any::<Index>(), 1..16usize).prop_map(|(from, to, count)| Damage::Copy(from, to, count)),
        1 => (any::<Index>(), prop::collection::vec(any::<u8>(), 1..8)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match damage {
        Damage::Set(at, byte) => bytes[at.index(length)] = *byte,
        Damage::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
        Damage::Cut(at) => bytes.truncate(at.index(length)),
        Damage::Remove(at, count) => {
            let from = at.index(length);
            bytes.drain(from..(from + count).min(length));
        }
        Damage::Copy(from, to, count) => {
            let (from, to) = (from.index(length), to.index(length));
            let count = (*count).min(length - from).min(length - to);
            bytes.copy_within(from..from + count, to);
        }
        Damage::Insert(at, inserted) => {
            let at = at.index(length);
            bytes.splice(at..at, inserted.iter().copied());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_models_break_nothing(
        victim in any::<Index>(),
        damages in prop::collection::vec(damage(), 1..4),
    ) {
        let sample = victim.get(victims());
        let mut bytes = sample.bytes.clone();
        for damage in &damages {
            apply(&mut bytes, damage);
        }
        if let Ok(model) = Model::parse(&bytes) {
            for case in &sample.cases {
                let _ = model.run(case.inputs.clone());
                let tensors = case.inputs.iter().map(|(_, tensor)| tensor.clone()).collect();
                let _ = model.run_positional(tensors);
            }
        }
    }

    #[test]
    fn noise_is_no_model(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = Model::parse(&bytes);
    }
}
