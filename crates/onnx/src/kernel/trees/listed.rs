//! The table in which `TreeEnsembleClassifier` and `TreeEnsembleRegressor` list nodes and weights.

use std::collections::HashSet;

use super::super::real::Real;
use super::super::{KernelError, refuse};
use super::ensemble::{Described, Ensemble, Test, Weight, mode};
use super::{Numbers, Trees, feature_number, targets_below};
use crate::attributes::{Attributes, required};

/// The attributes of `TreeEnsembleClassifier` and `TreeEnsembleRegressor`, whose weights have names of their own.
pub(super) struct Listed {
    pub(super) trees: Trees,
    pub(super) base_values: Vec<f64>,
    /// The different targets of all weights, sorted.
    pub(super) weighted_targets: Vec<u32>,
    pub(super) any_weight_is_negative: bool,
}

/// The columns of the table that the older operators keep their nodes in.
pub(super) struct NodeTable {
    trees: Vec<i64>,
    ids: Vec<i64>,
    features: Vec<i64>,
    modes: Vec<String>,
    on_true: Vec<i64>,
    on_false: Vec<i64>,
    values: Numbers,
    missing: Vec<i64>,
    weights: WeightTable,
}

pub(super) struct WeightTable {
    trees: Vec<i64>,
    ids: Vec<i64>,
    targets: Vec<u32>,
    weights: Numbers,
}

pub(super) fn listed(attributes: &mut Attributes, prefix: &str, targets: usize) -> Result<Listed, KernelError> {
    let mut ints = |name: &str| required(name, attributes.ints(name)?);
    let (trees, ids) = (ints("nodes_treeids")?, ints("nodes_nodeids")?);
    let (features, on_true) = (ints("nodes_featureids")?, ints("nodes_truenodeids")?);
    let on_false = ints("nodes_falsenodeids")?;
    let weight_trees = ints(&format!("{prefix}_treeids"))?;
    let weight_ids = ints(&format!("{prefix}_nodeids"))?;
    let weight_targets = ints(&format!("{prefix}_ids"))?;
    let weights = Numbers::read(attributes, &format!("{prefix}_weights"))?;
    let values = Numbers::read(attributes, "nodes_values")?;
    attributes.ignore("nodes_hitrates");
    attributes.ignore("nodes_hitrates_as_tensor");
    let table = NodeTable {
        modes: required("nodes_modes", attributes.strings("nodes_modes")?)?,
        missing: attributes.ints("nodes_missing_value_tracks_true")?.unwrap_or_default(),
        values: required("nodes_values", values)?,
        weights: WeightTable {
            targets: targets_below(&weight_targets, targets)?,
            weights: required(&format!("{prefix}_weights"), weights)?,
            trees: weight_trees,
            ids: weight_ids,
        },
        trees,
        ids,
        features,
        on_true,
        on_false,
    };
    let base_values = Numbers::read(attributes, "base_values")?;
    table.check()?;
    let negative = |weight: &f64| *weight < 0.0;
    let mut weighted_targets = table.weights.targets.clone();
    weighted_targets.sort_unstable();
    weighted_targets.dedup();
    Ok(Listed {
        any_weight_is_negative: table.weights.weights.to_reals::<f64>().iter().any(negative),
        weighted_targets,
        base_values: base_values.map(|values| values.to_reals()).unwrap_or_default(),
        trees: table.trees()?,
    })
}

/// Where the node of a tree and a number is: sorted, which these lists are already as a rule.
struct Places(Vec<((i64, i64), usize)>);

impl Places {
    fn new(trees: &[i64], ids: &[i64]) -> Result<Self, KernelError> {
        let keys = trees.iter().copied().zip(ids.iter().copied());
        let mut places: Vec<_> = keys.zip(0..).collect();
        places.sort();
        if let Some(twice) = places.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let (tree, id) = twice[0].0;
            refuse!("tree {tree} has node {id} twice");
        }
        Ok(Self(places))
    }

    fn find(&self, key: (i64, i64)) -> Option<usize> {
        let found = self.0.binary_search_by_key(&key, |&(key, _)| key);
        found.ok().map(|at| self.0[at].1)
    }
}

impl NodeTable {
    fn check(&self) -> Result<(), KernelError> {
        let nodes = self.trees.len();
        let columns = [
            self.ids.len(),
            self.features.len(),
            self.modes.len(),
            self.on_true.len(),
            self.on_false.len(),
            self.values.len(),
        ];
        if columns.iter().any(|&length| length != nodes) {
            refuse!("the attributes of {nodes} nodes have lengths {columns:?}");
        }
        if !self.missing.is_empty() && self.missing.len() != nodes {
            refuse!("there are {} missing value tracks for {nodes} nodes", self.missing.len());
        }
        let weights = self.weights.targets.len();
        let columns = [self.weights.trees.len(), self.weights.ids.len(), self.weights.weights.len()];
        if columns.iter().any(|&length| length != weights) {
            refuse!("the attributes of {weights} weights have lengths {columns:?}");
        }
        Ok(())
    }

    fn trees(&self) -> Result<Trees, KernelError> {
        Ok(if self.values.is_double() || self.weights.weights.is_double() {
            Trees::Double(self.ensemble()?)
        } else {
            Trees::Single(self.ensemble()?)
        })
    }

    fn ensemble<W: Real>(&self) -> Result<Ensemble<W>, KernelError> {
        let places = Places::new(&self.trees, &self.ids)?;
        let values = self.values.to_reals::<W>();
        let mut described = Vec::with_capacity(values.len());
        for (at, value) in values.into_iter().enumerate() {
            described.push(self.describe(at, value, &places)?);
        }
        let weights = self.weights.weights.to_reals::<W>();
        for (at, weight) in weights.into_iter().enumerate() {
            let key = (self.weights.trees[at], self.weights.ids[at]);
            let Some(place) = places.find(key) else {
                refuse!("tree {} has weights for node {}, which is not there", key.0, key.1);
            };
            // writers of old models gave branches weights too, which never counted
            if let Described::Leaf { weights } = &mut described[place] {
                weights.push(Weight { target: self.weights.targets[at], weight });
            }
        }
        Ensemble::new(described, &self.roots(), Vec::new())
    }

    /// The first node of each tree.
    fn roots(&self) -> Vec<usize> {
        let mut seen = HashSet::new();
        (0..self.trees.len()).filter(|&at| seen.insert(self.trees[at])).collect()
    }

    fn describe<W>(&self, at: usize, value: W, places: &Places) -> Result<Described<W>, KernelError> {
        let mode = match self.modes[at].as_str() {
            "LEAF" => {
                return Ok(Described::Leaf { weights: Vec::new() });
            }
            "BRANCH_LEQ" => mode::LESS_OR_EQUAL,
            "BRANCH_LT" => mode::LESS,
            "BRANCH_GTE" => mode::GREATER_OR_EQUAL,
            "BRANCH_GT" => mode::GREATER,
            "BRANCH_EQ" => mode::EQUAL,
            "BRANCH_NEQ" => mode::NOT_EQUAL,
            other => refuse!("there is no node mode `{other}`"),
        };
        let child = |id: i64| match places.find((self.trees[at], id)) {
            Some(place) => Ok(place),
            None => refuse!("tree {} leads to node {id}, which is not there", self.trees[at]),
        };
        Ok(Described::Branch {
            test: Test::new(
                feature_number(self.features[at])?,
                mode,
                self.missing.get(at).is_some_and(|&track| track != 0),
            ),
            value,
            on_true: child(self.on_true[at])?,
            on_false: child(self.on_false[at])?,
        })
    }
}
