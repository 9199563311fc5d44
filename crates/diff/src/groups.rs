//! Many tensors in few lines: those whose names differ only in a layer's number, and in what follows it, are a group.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{Checkpoints, tensor::ratio};

/// What changed in one layer, or in what is in no layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// As in `model.layers.7`
    pub name: String,
    pub tensors: u64,
    pub elements: u64,
    pub changed_elements: u64,
    /// Over all elements of the group's changed tensors.
    pub relative_l2: Option<f64>,
    pub max_abs_delta: f64,
    /// The least of its tensors.
    pub cosine_min: Option<f64>,
    pub not_finite: bool,
    #[serde(skip)]
    squares: [f64; 2],
}

impl Group {
    pub fn share_changed(&self) -> f64 {
        if self.elements == 0 { 0.0 } else { self.changed_elements as f64 / self.elements as f64 }
    }
}

/// The changed tensors by layer, in the order of layers.
pub fn groups(found: &Checkpoints) -> Vec<Group> {
    let mut groups: BTreeMap<(String, Option<u64>), Group> = BTreeMap::new();
    for change in &found.changed {
        let Some(difference) = &change.difference else { continue };
        let layer = layer(&change.name);
        let group = groups.entry(layer.clone()).or_insert_with(|| Group::new(layer));
        group.tensors += 1;
        group.elements += difference.elements;
        group.changed_elements += difference.changed;
        group.max_abs_delta = group.max_abs_delta.max(difference.max_abs_delta);
        let least = [group.cosine_min, difference.cosine].into_iter().flatten().reduce(f64::min);
        group.cosine_min = least;
        group.not_finite |= difference.not_finite();
        for (sum, square) in group.squares.iter_mut().zip(difference.squares) {
            *sum += square;
        }
        group.relative_l2 = ratio(group.squares);
    }
    groups.into_values().collect()
}

impl Group {
    fn new((prefix, number): (String, Option<u64>)) -> Self {
        let name = match number {
            Some(number) => format!("{prefix}.{number}"),
            None => prefix,
        };
        Self {
            name,
            tensors: 0,
            elements: 0,
            changed_elements: 0,
            relative_l2: None,
            max_abs_delta: 0.0,
            cosine_min: None,
            not_finite: false,
            squares: [0.0; 2],
        }
    }
}

/// What stands before the first number in the name, and that number; without one, all but the last word.
fn layer(name: &str) -> (String, Option<u64>) {
    let words: Vec<&str> = name.split(['.', '/']).collect();
    let numbers = words.iter().enumerate().filter_map(|(at, word)| Some((at, word.parse::<u64>().ok()?)));
    match numbers.into_iter().find(|(at, _)| *at > 0) {
        Some((at, number)) => (words[..at].join("."), Some(number)),
        None if words.len() > 1 => (words[..words.len() - 1].join("."), None),
        None => (name.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_layers() {
        for (name, prefix, number) in [
            ("model.layers.7.self_attn.q_proj.weight", "model.layers", Some(7)),
            ("blk.12.attn_q.weight", "blk", Some(12)),
            ("lm_head.weight", "lm_head", None),
            ("weight", "weight", None),
            ("0.weight", "0", None),
        ] {
            assert_eq!(layer(name), (prefix.to_owned(), number), "{name}");
        }
    }
}
