//! `TreeEnsemble`, which took the place of the older two operators in version 5.

use stemma_tensor::Element;

use super::super::real::Real;
use super::super::scores::PostTransform;
use super::super::{KernelError, refuse};
use super::ensemble::{Described, Ensemble, Test, Weight, mode};
use super::regressor::Regressor;
use super::{Aggregate, Built, Forest, Numbers, Trees, count_of, feature_number, targets_below};
use crate::attributes::{Attributes, required};

/// `TreeEnsemble`, which took the place of the other two in version 5.
pub(crate) fn ensemble(attributes: &mut Attributes, _: i64) -> Built {
    let targets = count_of("n_targets", attributes.int_or("n_targets", 1)?)?;
    let aggregate = match attributes.int_or("aggregate_function", 1)? {
        0 => Aggregate::Average,
        1 => Aggregate::Sum,
        2 => Aggregate::Min,
        3 => Aggregate::Max,
        other => refuse!("there is no aggregate_function {other}"),
    };
    let post_transform = PostTransform::numbered(attributes.int_or("post_transform", 0)?)?;
    let table = BranchTable::read(attributes, targets)?;
    Ok(Box::new(Regressor {
        forest: Forest { trees: table.trees()?, aggregate, targets },
        base_values: Vec::new(),
        post_transform: post_transform.for_targets(targets)?,
        keeps_size: true,
    }))
}

/// The tables of `TreeEnsemble`: branches and leaves apart, each numbered from zero.
struct BranchTable {
    roots: Vec<i64>,
    features: Vec<i64>,
    modes: Vec<u8>,
    splits: Numbers,
    on_true: Vec<i64>,
    on_false: Vec<i64>,
    true_is_leaf: Vec<i64>,
    false_is_leaf: Vec<i64>,
    missing: Vec<i64>,
    leaf_targets: Vec<u32>,
    leaf_weights: Numbers,
    members: Option<Numbers>,
}

impl BranchTable {
    fn read(attributes: &mut Attributes, targets: usize) -> Result<Self, KernelError> {
        let mut numbers = |name: &str| match attributes.tensor(name)? {
            None => Ok(None),
            Some(tensor) => Numbers::of(name, tensor).map(Some),
        };
        let splits = required("nodes_splits", numbers("nodes_splits")?)?;
        let leaf_weights = required("leaf_weights", numbers("leaf_weights")?)?;
        let members = numbers("membership_values")?;
        let modes = required("nodes_modes", attributes.tensor("nodes_modes")?)?;
        let Some(modes) = u8::view(modes.data()).map(<[u8]>::to_vec) else {
            refuse!("attribute `nodes_modes` is {}, not UINT8", modes.datatype());
        };
        attributes.ignore("nodes_hitrates");
        let mut ints = |name: &str| required(name, attributes.ints(name)?);
        let table = Self {
            roots: ints("tree_roots")?,
            features: ints("nodes_featureids")?,
            on_true: ints("nodes_truenodeids")?,
            on_false: ints("nodes_falsenodeids")?,
            true_is_leaf: ints("nodes_trueleafs")?,
            false_is_leaf: ints("nodes_falseleafs")?,
            leaf_targets: targets_below(&ints("leaf_targetids")?, targets)?,
            missing: attributes.ints("nodes_missing_value_tracks_true")?.unwrap_or_default(),
            modes,
            splits,
            leaf_weights,
            members,
        };
        table.check()?;
        Ok(table)
    }

    fn check(&self) -> Result<(), KernelError> {
        let nodes = self.features.len();
        let columns = [
            self.modes.len(),
            self.splits.len(),
            self.on_true.len(),
            self.on_false.len(),
            self.true_is_leaf.len(),
            self.false_is_leaf.len(),
        ];
        if columns.iter().any(|&length| length != nodes) {
            refuse!("the attributes of {nodes} nodes have lengths {columns:?}");
        }
        if !self.missing.is_empty() && self.missing.len() != nodes {
            refuse!("there are {} missing value tracks for {nodes} nodes", self.missing.len());
        }
        if self.leaf_weights.len() != self.leaf_targets.len() {
            refuse!("{} leaves have {} weights", self.leaf_targets.len(), self.leaf_weights.len());
        }
        if self.modes.iter().any(|&mode| mode > mode::MEMBER) {
            refuse!("there is a node mode that is not 0 to {}", mode::MEMBER);
        }
        Ok(())
    }

    fn trees(&self) -> Result<Trees, KernelError> {
        let members_are_double = self.members.as_ref().is_some_and(Numbers::is_double);
        Ok(if self.splits.is_double() || self.leaf_weights.is_double() || members_are_double {
            Trees::Double(self.ensemble()?)
        } else {
            Trees::Single(self.ensemble()?)
        })
    }

    fn ensemble<W: Real>(&self) -> Result<Ensemble<W>, KernelError> {
        let sets = self.sets::<W>()?;
        let mut next_set = 0;
        let mut described = Vec::with_capacity(self.features.len() + self.leaf_targets.len());
        for (at, &split) in self.splits.to_reals::<W>().iter().enumerate() {
            let value = if self.modes[at] == mode::MEMBER {
                next_set += 1;
                W::from_f64(f64::from(next_set - 1))
            } else {
                split
            };
            described.push(Described::Branch {
                test: Test::new(
                    feature_number(self.features[at])?,
                    self.modes[at],
                    self.missing.get(at).is_some_and(|&track| track != 0),
                ),
                value,
                on_true: self.child(self.on_true[at], self.true_is_leaf[at])?,
                on_false: self.child(self.on_false[at], self.false_is_leaf[at])?,
            });
        }
        let weights = self.leaf_weights.to_reals::<W>();
        for (&target, &weight) in self.leaf_targets.iter().zip(&weights) {
            described.push(Described::Leaf { weights: vec![Weight { target, weight }] });
        }
        let roots = self.roots.iter().map(|&root| self.child(root, 0));
        let roots: Vec<usize> = roots.collect::<Result<_, _>>()?;
        Ensemble::new(described, &roots, sets)
    }

    /// Where a branch or a leaf is, once the leaves are put behind the branches.
    fn child(&self, number: i64, is_leaf: i64) -> Result<usize, KernelError> {
        let (offset, count) = match is_leaf {
            0 => (0, self.features.len()),
            _ => (self.features.len(), self.leaf_targets.len()),
        };
        match usize::try_from(number) {
            Ok(place) if place < count => Ok(offset + place),
            _ => refuse!("a tree leads to node {number}, which is not there"),
        }
    }

    /// The sets of the membership tests in the order of these, as NaN separates them.
    fn sets<W: Real>(&self) -> Result<Vec<Vec<W>>, KernelError> {
        // set numbers are kept in the nodes' values and must be exact there
        const SETS_MAX: usize = 1 << 24;
        let tests = self.modes.iter().filter(|&&mode| mode == mode::MEMBER).count();
        let members = self.members.as_ref().map(Numbers::to_reals::<W>).unwrap_or_default();
        let mut sets: Vec<Vec<W>> = members.split(|member| member.is_nan()).map(<[W]>::to_vec).collect();
        if sets.len() < tests || tests > SETS_MAX {
            refuse!("{tests} membership tests have {} sets", sets.len());
        }
        for set in &mut sets {
            set.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        }
        Ok(sets)
    }
}
