//! Ensembles of decision trees, laid out for speed.
//!
//! All trees lie in one array of small nodes. A leaf points at itself, so several trees can be walked side by side
//! without asking at each step which of them has arrived; their leaves are then added up in the order of the trees,
//! which keeps the bits the same whatever is walked together.
//!
//! With `f32` input everything is compared and added in `f32`, with `f64` input in `f64`.
//!
//! Where ONNX Runtime is known to be wrong this does otherwise. A classifier of two classes with scores for both takes
//! the class of the greater one and gives its own label (ONNX Runtime gives the number 1 whenever the second score is
//! positive). Combinations of base values and classes that ONNX Runtime adds to the wrong class are refused.

use std::collections::HashMap;

use super::real::Real;
use super::scores::{Labels, PostTransform};
use super::{Context, Fault, Kernel, Outputs, features, refuse, rows_and_columns};
use crate::attributes::{Attributes, required};
use crate::tensor::{Element, Tensor, TensorData};

type Built = Result<Box<dyn Kernel>, Fault>;

/// How many trees are walked side by side.
const LANES: usize = 8;

/// The comparisons of a feature with a node's value, in the numbering of `TreeEnsemble`.
mod mode {
    pub(super) const LESS_OR_EQUAL: u8 = 0;
    pub(super) const LESS: u8 = 1;
    pub(super) const GREATER_OR_EQUAL: u8 = 2;
    pub(super) const GREATER: u8 = 3;
    pub(super) const EQUAL: u8 = 4;
    pub(super) const NOT_EQUAL: u8 = 5;
    pub(super) const MEMBER: u8 = 6;
    /// Not a comparison: each node has its own.
    pub(super) const OWN: u8 = 7;
}

/// A feature number, a mode and whether a missing value goes the true way, in 32 bits.
#[derive(Clone, Copy)]
struct Test(u32);

impl Test {
    const FEATURE_BITS: u32 = 28;
    const MISSING_IS_TRUE: u32 = 1 << 31;

    fn new(feature: usize, mode: u8, missing_is_true: bool) -> Self {
        let flag = if missing_is_true {
            Self::MISSING_IS_TRUE
        } else {
            0
        };
        Self(feature as u32 | u32::from(mode) << Self::FEATURE_BITS | flag)
    }

    fn feature(self) -> usize {
        (self.0 & ((1 << Self::FEATURE_BITS) - 1)) as usize
    }

    fn mode(self) -> u8 {
        (self.0 >> Self::FEATURE_BITS & 7) as u8
    }

    fn missing_is_true(self) -> bool {
        self.0 & Self::MISSING_IS_TRUE != 0
    }
}

#[derive(Clone, Copy)]
struct Node<W> {
    test: Test,
    /// Compared with the feature; of a membership test the number of its set.
    value: W,
    on_true: u32,
    on_false: u32,
}

/// Trees whose values and weights are stored in `W`.
struct Ensemble<W> {
    /// Branches first, then leaves.
    nodes: Vec<Node<W>>,
    first_leaf: usize,
    roots: Vec<u32>,
    /// Where each leaf's weights begin, and at the end where the last ones end.
    leaf_starts: Vec<u32>,
    weights: Vec<Weight<W>>,
    /// What each leaf gives, if all weights are for one target.
    leaf_values: Vec<W>,
    /// Sorted.
    sets: Vec<Vec<W>>,
    /// The mode of all nodes, or [`mode::OWN`].
    mode: u8,
    any_missing_is_true: bool,
    /// How many features a row must have.
    features: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Weight<W> {
    target: u32,
    weight: W,
}

/// A node as a model describes it, with places in a list instead of node numbers.
enum Described<W> {
    Branch {
        test: Test,
        value: W,
        on_true: usize,
        on_false: usize,
    },
    Leaf {
        weights: Vec<Weight<W>>,
    },
}

impl<W: Real> Ensemble<W> {
    /// Lays out the nodes that the roots lead to; a node may be led to more than once, but not by itself.
    fn new(
        described: Vec<Described<W>>,
        roots: &[usize],
        sets: Vec<Vec<W>>,
    ) -> Result<Self, Fault> {
        let order = depth_first(&described, roots)?;
        let places = places(&described, &order)?;
        let mut ensemble = Self {
            nodes: Vec::with_capacity(order.len()),
            first_leaf: 0,
            roots: roots.iter().map(|&root| places[root]).collect(),
            leaf_starts: vec![0],
            weights: Vec::new(),
            leaf_values: Vec::new(),
            sets,
            mode: mode::OWN,
            any_missing_is_true: false,
            features: 0,
        };
        for &at in &order {
            if let Described::Branch {
                test,
                value,
                on_true,
                on_false,
            } = described[at]
            {
                ensemble.nodes.push(Node {
                    test,
                    value,
                    on_true: places[on_true],
                    on_false: places[on_false],
                });
            }
        }
        ensemble.first_leaf = ensemble.nodes.len();
        ensemble.describe_tests();
        for &at in &order {
            if let Described::Leaf { weights } = &described[at] {
                ensemble.push_leaf(weights);
            }
        }
        ensemble.add_up_leaves();
        Ok(ensemble)
    }

    fn describe_tests(&mut self) {
        let tests = || self.nodes.iter().map(|node| node.test);
        self.features = tests().map(|test| test.feature() + 1).max().unwrap_or(0);
        self.any_missing_is_true = tests().any(Test::missing_is_true);
        if let Some(first) = tests().next()
            && tests().all(|test| test.mode() == first.mode())
        {
            self.mode = first.mode();
        }
    }

    fn push_leaf(&mut self, weights: &[Weight<W>]) {
        let place = self.nodes.len() as u32;
        self.nodes.push(Node {
            test: Test::new(0, mode::LESS_OR_EQUAL, false),
            value: W::ZERO,
            on_true: place,
            on_false: place,
        });
        self.weights.extend_from_slice(weights);
        self.leaf_starts.push(self.weights.len() as u32);
    }

    fn add_up_leaves(&mut self) {
        let target = self.weights.first().map(|weight| weight.target);
        if self
            .weights
            .iter()
            .any(|weight| Some(weight.target) != target)
        {
            return;
        }
        self.leaf_values = (0..self.leaf_starts.len() - 1)
            .map(|leaf| {
                let weights = self.weights_of(leaf).iter().map(|weight| weight.weight);
                weights
                    .reduce(|sum, weight| sum + weight)
                    .unwrap_or(W::ZERO)
            })
            .collect();
    }

    fn weights_of(&self, leaf: usize) -> &[Weight<W>] {
        &self.weights[self.leaf_starts[leaf] as usize..self.leaf_starts[leaf + 1] as usize]
    }

    /// Calls `visit` with the leaf that a row reaches in each tree, in the order of the trees.
    fn for_each_leaf<X: Real>(&self, row: &[X], visit: impl FnMut(usize))
    where
        W: Into<X>,
    {
        use mode::{LESS, LESS_OR_EQUAL, OWN};
        match (self.mode, self.any_missing_is_true) {
            (LESS_OR_EQUAL, false) => self.walk::<X, LESS_OR_EQUAL, false>(row, visit),
            (LESS_OR_EQUAL, true) => self.walk::<X, LESS_OR_EQUAL, true>(row, visit),
            (LESS, false) => self.walk::<X, LESS, false>(row, visit),
            (LESS, true) => self.walk::<X, LESS, true>(row, visit),
            _ => self.walk::<X, OWN, true>(row, visit),
        }
    }

    fn walk<X: Real, const MODE: u8, const MISSING: bool>(
        &self,
        row: &[X],
        mut visit: impl FnMut(usize),
    ) where
        W: Into<X>,
    {
        for trees in self.roots.chunks(LANES) {
            let mut at = [trees[0]; LANES];
            at[..trees.len()].copy_from_slice(trees);
            loop {
                let mut moved = 0;
                for lane in &mut at {
                    let node = &self.nodes[*lane as usize];
                    let feature = row[node.test.feature()];
                    let next = if self.is_true::<X, MODE, MISSING>(feature, node) {
                        node.on_true
                    } else {
                        node.on_false
                    };
                    moved |= next ^ *lane;
                    *lane = next;
                }
                if moved == 0 {
                    break;
                }
            }
            for &leaf in &at[..trees.len()] {
                visit(leaf as usize - self.first_leaf);
            }
        }
    }

    #[inline(always)]
    fn is_true<X: Real, const MODE: u8, const MISSING: bool>(
        &self,
        feature: X,
        node: &Node<W>,
    ) -> bool
    where
        W: Into<X>,
    {
        let value: X = node.value.into();
        let mode = if MODE == mode::OWN {
            node.test.mode()
        } else {
            MODE
        };
        let holds = match mode {
            mode::LESS_OR_EQUAL => feature <= value,
            mode::LESS => feature < value,
            mode::GREATER_OR_EQUAL => feature >= value,
            mode::GREATER => feature > value,
            mode::EQUAL => feature == value,
            mode::NOT_EQUAL => feature != value,
            _ => self.is_member(feature, node.value.to_f64() as usize),
        };
        holds || (MISSING && feature.is_nan() && node.test.missing_is_true())
    }

    fn is_member<X: Real>(&self, feature: X, set: usize) -> bool
    where
        W: Into<X>,
    {
        let set = &self.sets[set];
        let place = set.partition_point(|&member| member.into() < feature);
        set.get(place)
            .is_some_and(|&member| member.into() == feature)
    }
}

/// Returns the nodes that the roots lead to, each once, a branch before what it leads to; the true way first.
fn depth_first<W>(described: &[Described<W>], roots: &[usize]) -> Result<Vec<usize>, Fault> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        /// On the way from the root to where the walk is.
        Open,
        Done,
    }
    let mut states = vec![State::New; described.len()];
    let mut order = Vec::new();
    for &root in roots {
        let mut stack = vec![root];
        while let Some(&at) = stack.last() {
            match (states[at], &described[at]) {
                (State::New, Described::Leaf { .. }) => {
                    states[at] = State::Done;
                    order.push(at);
                }
                (
                    State::New,
                    Described::Branch {
                        on_true, on_false, ..
                    },
                ) => {
                    states[at] = State::Open;
                    order.push(at);
                    for next in [*on_false, *on_true] {
                        match states[next] {
                            State::Open => refuse!("a tree leads back to a node above"),
                            State::New => stack.push(next),
                            State::Done => {}
                        }
                    }
                }
                (State::Open, _) => {
                    states[at] = State::Done;
                    stack.pop();
                }
                (State::Done, _) => {
                    stack.pop();
                }
            }
        }
    }
    Ok(order)
}

/// Returns where each node goes: branches first, then leaves, both in the order given.
fn places<W>(described: &[Described<W>], order: &[usize]) -> Result<Vec<u32>, Fault> {
    if u32::try_from(order.len()).is_err() {
        refuse!("there are too many nodes");
    }
    let is_leaf = |&&at: &&usize| matches!(described[at], Described::Leaf { .. });
    let branches = order.iter().filter(|at| !is_leaf(at));
    let leaves = order.iter().filter(is_leaf);
    let mut places = vec![0; described.len()];
    for (place, &at) in branches.chain(leaves).enumerate() {
        places[at] = place as u32;
    }
    Ok(places)
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Aggregate {
    Average,
    Sum,
    Min,
    Max,
}

/// The score of one target as the trees' leaves come in.
#[derive(Debug, Clone, Copy)]
struct Score<X> {
    total: X,
    /// Whether any leaf had a weight for the target.
    seen: bool,
}

impl<X: Real> Score<X> {
    const NONE: Self = Self {
        total: X::ZERO,
        seen: false,
    };

    fn add(&mut self, weight: X, aggregate: Aggregate) {
        let replaced = match aggregate {
            Aggregate::Sum | Aggregate::Average => {
                self.total = self.total + weight;
                false
            }
            Aggregate::Min => !self.seen || weight < self.total,
            Aggregate::Max => !self.seen || weight > self.total,
        };
        if replaced {
            self.total = weight;
        }
        self.seen = true;
    }
}

/// Trees in the size that the model gives their numbers in.
enum Trees {
    Single(Ensemble<f32>),
    Double(Ensemble<f64>),
}

/// Trees and how the leaves of one row become its scores.
struct Forest {
    trees: Trees,
    aggregate: Aggregate,
    targets: usize,
}

impl Forest {
    /// Calls `visit` with the scores of each row.
    fn for_each_row(&self, context: &Context<'_>, visit: impl RowVisitor) -> Result<(), Fault> {
        let input = context.tensor(0)?;
        match (&self.trees, input.data()) {
            (Trees::Single(ensemble), TensorData::Double(elements)) => {
                self.scores(ensemble, elements, input.shape(), visit)
            }
            (Trees::Double(ensemble), TensorData::Double(elements)) => {
                self.scores(ensemble, elements, input.shape(), visit)
            }
            (Trees::Single(ensemble), _) => {
                self.scores(ensemble, &features(input)?, input.shape(), visit)
            }
            (Trees::Double(ensemble), _) => {
                let wide: Vec<f64> = features(input)?.iter().map(|&x| x.into()).collect();
                self.scores(ensemble, &wide, input.shape(), visit)
            }
        }
    }

    fn scores<W: Real + Into<X>, X: Real>(
        &self,
        ensemble: &Ensemble<W>,
        elements: &[X],
        shape: &[usize],
        mut visit: impl RowVisitor,
    ) -> Result<(), Fault> {
        let (rows, columns) = rows_and_columns(shape)?;
        if columns < ensemble.features {
            refuse!(
                "the input has {columns} features, the trees ask for {}",
                ensemble.features
            );
        }
        let mut scores = vec![Score::NONE; self.targets];
        for row in 0..rows {
            let row = if ensemble.features == 0 {
                // leaves look at a feature too, though for nothing
                &[X::ZERO][..]
            } else {
                &elements[row * columns..][..columns]
            };
            scores.fill(Score::NONE);
            self.add_up(ensemble, row, &mut scores);
            visit.visit(&mut scores);
        }
        Ok(())
    }

    fn add_up<W: Real + Into<X>, X: Real>(
        &self,
        ensemble: &Ensemble<W>,
        row: &[X],
        scores: &mut [Score<X>],
    ) {
        if self.aggregate == Aggregate::Sum && !ensemble.leaf_values.is_empty() {
            let mut total = X::ZERO;
            ensemble.for_each_leaf(row, |leaf| {
                total = total + ensemble.leaf_values[leaf].into()
            });
            let target = ensemble.weights.first().map_or(0, |weight| weight.target);
            scores[target as usize] = Score { total, seen: true };
            return;
        }
        ensemble.for_each_leaf(row, |leaf| {
            for weight in ensemble.weights_of(leaf) {
                scores[weight.target as usize].add(weight.weight.into(), self.aggregate);
            }
        });
        if self.aggregate == Aggregate::Average {
            let trees = X::from_f64(ensemble.roots.len() as f64);
            for score in scores {
                score.total = score.total / trees;
            }
        }
    }
}

/// Something to do with the scores of each row, in either size.
trait RowVisitor {
    fn visit<X: Real>(&mut self, scores: &mut [Score<X>]);
}

/// The attributes of `TreeEnsembleClassifier` and `TreeEnsembleRegressor`, whose weights have names of their own.
struct Listed {
    trees: Trees,
    base_values: Vec<f64>,
    /// The different targets of all weights, sorted.
    weighted_targets: Vec<u32>,
    any_weight_is_negative: bool,
}

/// Reads numbers that may be given as floats or, to have doubles, as a tensor.
enum Numbers {
    Single(Vec<f32>),
    Double(Vec<f64>),
}

impl Numbers {
    fn read(attributes: &mut Attributes, name: &str) -> Result<Option<Self>, Fault> {
        if let Some(tensor) = attributes.tensor(&format!("{name}_as_tensor"))? {
            return Self::of(name, tensor).map(Some);
        }
        Ok(attributes.floats(name)?.map(Self::Single))
    }

    fn of(name: &str, tensor: Tensor) -> Result<Self, Fault> {
        match tensor.into_data() {
            TensorData::Float(elements) => Ok(Self::Single(elements)),
            TensorData::Double(elements) => Ok(Self::Double(elements)),
            other => refuse!(
                "attribute `{name}` is {}, not FP32 or FP64",
                other.datatype()
            ),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Single(elements) => elements.len(),
            Self::Double(elements) => elements.len(),
        }
    }

    fn is_double(&self) -> bool {
        matches!(self, Self::Double(_))
    }

    fn to_reals<W: Real>(&self) -> Vec<W> {
        match self {
            Self::Single(elements) => elements.iter().map(|&x| W::from_f64(x.into())).collect(),
            Self::Double(elements) => elements.iter().map(|&x| W::from_f64(x)).collect(),
        }
    }
}

/// The columns of the table that the older operators keep their nodes in.
struct NodeTable {
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

struct WeightTable {
    trees: Vec<i64>,
    ids: Vec<i64>,
    targets: Vec<u32>,
    weights: Numbers,
}

fn listed(attributes: &mut Attributes, prefix: &str, targets: usize) -> Result<Listed, Fault> {
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
        missing: attributes
            .ints("nodes_missing_value_tracks_true")?
            .unwrap_or_default(),
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
        base_values: base_values
            .map(|values| values.to_reals())
            .unwrap_or_default(),
        trees: table.trees()?,
    })
}

fn targets_below(targets: &[i64], count: usize) -> Result<Vec<u32>, Fault> {
    let place = |&target: &i64| match u32::try_from(target) {
        Ok(place) if (place as usize) < count => Ok(place),
        _ => refuse!("weights are for target {target}, there are {count}"),
    };
    targets.iter().map(place).collect()
}

impl NodeTable {
    fn check(&self) -> Result<(), Fault> {
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
            refuse!(
                "there are {} missing value tracks for {nodes} nodes",
                self.missing.len()
            );
        }
        let weights = self.weights.targets.len();
        let columns = [
            self.weights.trees.len(),
            self.weights.ids.len(),
            self.weights.weights.len(),
        ];
        if columns.iter().any(|&length| length != weights) {
            refuse!("the attributes of {weights} weights have lengths {columns:?}");
        }
        Ok(())
    }

    fn trees(&self) -> Result<Trees, Fault> {
        Ok(
            if self.values.is_double() || self.weights.weights.is_double() {
                Trees::Double(self.ensemble()?)
            } else {
                Trees::Single(self.ensemble()?)
            },
        )
    }

    fn ensemble<W: Real>(&self) -> Result<Ensemble<W>, Fault> {
        let places = self.places()?;
        let values = self.values.to_reals::<W>();
        let mut described = Vec::with_capacity(values.len());
        for (at, value) in values.into_iter().enumerate() {
            described.push(self.describe(at, value, &places)?);
        }
        let weights = self.weights.weights.to_reals::<W>();
        for (at, weight) in weights.into_iter().enumerate() {
            let key = (self.weights.trees[at], self.weights.ids[at]);
            let Some(&place) = places.get(&key) else {
                refuse!(
                    "tree {} has weights for node {}, which is not there",
                    key.0,
                    key.1
                );
            };
            // writers of old models gave branches weights too, which never counted
            if let Described::Leaf { weights } = &mut described[place] {
                weights.push(Weight {
                    target: self.weights.targets[at],
                    weight,
                });
            }
        }
        Ensemble::new(described, &self.roots(), Vec::new())
    }

    /// Where the node of a tree and a number is.
    fn places(&self) -> Result<HashMap<(i64, i64), usize>, Fault> {
        let mut places = HashMap::with_capacity(self.trees.len());
        for (place, key) in self
            .trees
            .iter()
            .copied()
            .zip(self.ids.iter().copied())
            .enumerate()
        {
            if places.insert(key, place).is_some() {
                refuse!("tree {} has node {} twice", key.0, key.1);
            }
        }
        Ok(places)
    }

    /// The first node of each tree.
    fn roots(&self) -> Vec<usize> {
        let mut seen = std::collections::HashSet::new();
        (0..self.trees.len())
            .filter(|&at| seen.insert(self.trees[at]))
            .collect()
    }

    fn describe<W>(
        &self,
        at: usize,
        value: W,
        places: &HashMap<(i64, i64), usize>,
    ) -> Result<Described<W>, Fault> {
        let mode = match self.modes[at].as_str() {
            "LEAF" => {
                return Ok(Described::Leaf {
                    weights: Vec::new(),
                });
            }
            "BRANCH_LEQ" => mode::LESS_OR_EQUAL,
            "BRANCH_LT" => mode::LESS,
            "BRANCH_GTE" => mode::GREATER_OR_EQUAL,
            "BRANCH_GT" => mode::GREATER,
            "BRANCH_EQ" => mode::EQUAL,
            "BRANCH_NEQ" => mode::NOT_EQUAL,
            other => refuse!("there is no node mode `{other}`"),
        };
        let child = |id: i64| match places.get(&(self.trees[at], id)) {
            Some(&place) => Ok(place),
            None => refuse!(
                "tree {} leads to node {id}, which is not there",
                self.trees[at]
            ),
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

fn feature_number(feature: i64) -> Result<usize, Fault> {
    match usize::try_from(feature) {
        Ok(feature) if feature < 1 << Test::FEATURE_BITS => Ok(feature),
        _ => refuse!("there is no feature {feature}"),
    }
}

fn count_of(name: &str, count: i64) -> Result<usize, Fault> {
    const TARGETS_MAX: usize = 1 << 20;
    match usize::try_from(count) {
        Ok(count) if (1..=TARGETS_MAX).contains(&count) => Ok(count),
        _ => refuse!("attribute `{name}` is {count}"),
    }
}

struct Regressor {
    forest: Forest,
    /// None, or one for each target.
    base_values: Vec<f64>,
    post_transform: PostTransform,
    /// The result has the input's size; else it is `f32`.
    keeps_size: bool,
}

pub(crate) fn regressor(attributes: &mut Attributes, _: i64) -> Built {
    let targets = count_of(
        "n_targets",
        required("n_targets", attributes.int("n_targets")?)?,
    )?;
    let listed = listed(attributes, "target", targets)?;
    let aggregate = match attributes.string("aggregate_function")?.as_deref() {
        None | Some("SUM") => Aggregate::Sum,
        Some("AVERAGE") => Aggregate::Average,
        Some("MIN") => Aggregate::Min,
        Some("MAX") => Aggregate::Max,
        Some(other) => refuse!("there is no aggregate_function `{other}`"),
    };
    if !listed.base_values.is_empty() && listed.base_values.len() != targets {
        refuse!(
            "there are {} base values for {targets} targets",
            listed.base_values.len()
        );
    }
    Ok(Box::new(Regressor {
        forest: Forest {
            trees: listed.trees,
            aggregate,
            targets,
        },
        base_values: listed.base_values,
        post_transform: PostTransform::read(attributes)?.for_targets(targets)?,
        keeps_size: false,
    }))
}

impl Kernel for Regressor {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, Fault> {
        let input = context.tensor(0)?;
        let (rows, _) = rows_and_columns(input.shape())?;
        let shape = vec![rows, self.forest.targets];
        let count = context.allocate(&shape)?;
        let data: TensorData = if self.keeps_size && matches!(input.data(), TensorData::Double(_)) {
            let mut results = Results::<f64>::new(self, count);
            self.forest.for_each_row(context, &mut results)?;
            results.all.into()
        } else {
            let mut results = Results::<f32>::new(self, count);
            self.forest.for_each_row(context, &mut results)?;
            results.all.into()
        };
        Ok(Tensor::made(shape, data).into())
    }
}

struct Results<'a, Out> {
    regressor: &'a Regressor,
    all: Vec<Out>,
    row: Vec<f32>,
}

impl<'a, Out> Results<'a, Out> {
    fn new(regressor: &'a Regressor, count: usize) -> Self {
        Self {
            regressor,
            all: Vec::with_capacity(count),
            row: Vec::new(),
        }
    }
}

impl<Out: Real> RowVisitor for &mut Results<'_, Out> {
    fn visit<X: Real>(&mut self, scores: &mut [Score<X>]) {
        for (score, &base) in scores.iter_mut().zip(&self.regressor.base_values) {
            score.total = score.total + X::from_f64(base);
        }
        if self.regressor.post_transform == PostTransform::None {
            self.all.extend(
                scores
                    .iter()
                    .map(|score| Out::from_f64(score.total.to_f64())),
            );
            return;
        }
        self.row.clear();
        self.row
            .extend(scores.iter().map(|score| score.total.to_f64() as f32));
        match self.row.as_mut_slice() {
            [score] => *score = self.regressor.post_transform.apply_single(*score),
            scores => self.regressor.post_transform.apply(scores),
        }
        self.all
            .extend(self.row.iter().map(|&score| Out::from_f64(score.into())));
    }
}

struct Classifier {
    forest: Forest,
    labels: Labels,
    decision: Decision,
    base_values: Vec<f64>,
    post_transform: PostTransform,
}

/// How scores become a class.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Decision {
    /// The greatest of those that any leaf had a weight for.
    Greatest,
    /// Of two classes the second one, if the only score there is lies above the threshold.
    ///
    /// Both classes' scores follow from it if the weights are for the first class.
    Threshold { threshold: f32, both_follow: bool },
}

pub(crate) fn classifier(attributes: &mut Attributes, _: i64) -> Built {
    let strings = attributes
        .strings("classlabels_strings")?
        .unwrap_or_default();
    let integers = attributes.ints("classlabels_int64s")?.unwrap_or_default();
    let labels = Labels::new(strings, integers)?;
    let listed = listed(attributes, "class", labels.len())?;
    let post_transform = PostTransform::read(attributes)?;
    let decision = listed.decision(&labels);
    let bases_wanted = match decision {
        Decision::Greatest => labels.len(),
        Decision::Threshold {
            both_follow: true, ..
        } => 1,
        Decision::Threshold {
            both_follow: false, ..
        } => 0,
    };
    if !listed.base_values.is_empty() && listed.base_values.len() != bases_wanted {
        refuse!(
            "{} base values where {bases_wanted} would be clear are not supported",
            listed.base_values.len()
        );
    }
    if post_transform == PostTransform::Probit && decision != Decision::Greatest {
        refuse!("post_transform `PROBIT` of a single score is not supported");
    }
    Ok(Box::new(Classifier {
        forest: Forest {
            trees: listed.trees,
            aggregate: Aggregate::Sum,
            targets: labels.len(),
        },
        labels,
        decision,
        base_values: listed.base_values,
        post_transform,
    }))
}

impl Listed {
    fn decision(&self, labels: &Labels) -> Decision {
        match (labels.len(), self.weighted_targets.as_slice()) {
            (2, &[only]) => Decision::Threshold {
                // scores that are never negative are taken for probabilities
                threshold: if self.any_weight_is_negative {
                    0.0
                } else {
                    0.5
                },
                both_follow: only == 0,
            },
            _ => Decision::Greatest,
        }
    }
}

impl Kernel for Classifier {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, Fault> {
        let (rows, _) = rows_and_columns(context.tensor(0)?.shape())?;
        let shape = vec![rows, self.labels.len()];
        let mut results = Classified {
            classifier: self,
            classes: Vec::with_capacity(context.allocate(&[rows])?),
            scores: Vec::with_capacity(context.allocate(&shape)?),
        };
        self.forest.for_each_row(context, &mut results)?;
        Ok(Outputs::Two(
            Tensor::made(vec![rows], self.labels.of(&results.classes)),
            Tensor::made(shape, results.scores),
        ))
    }
}

struct Classified<'a> {
    classifier: &'a Classifier,
    classes: Vec<usize>,
    scores: Vec<f32>,
}

impl RowVisitor for &mut Classified<'_> {
    fn visit<X: Real>(&mut self, scores: &mut [Score<X>]) {
        for (score, &base) in scores.iter_mut().zip(&self.classifier.base_values) {
            score.total = score.total + X::from_f64(base);
            score.seen = true;
        }
        let begin = self.scores.len();
        self.scores
            .extend(scores.iter().map(|score| score.total.to_f64() as f32));
        match self.classifier.decision {
            Decision::Greatest => {
                self.classes.push(greatest_seen(scores));
                self.classifier
                    .post_transform
                    .apply(&mut self.scores[begin..]);
            }
            Decision::Threshold {
                threshold,
                both_follow: false,
            } => {
                self.classes
                    .push(usize::from(is_above(&scores[1], threshold)));
                self.classifier
                    .post_transform
                    .apply(&mut self.scores[begin..]);
            }
            Decision::Threshold {
                threshold,
                both_follow: true,
            } => {
                let score = self.scores[begin];
                self.classes
                    .push(usize::from(is_above(&scores[0], threshold)));
                self.scores.truncate(begin);
                self.scores.extend(self.classifier.both(score, threshold));
            }
        }
    }
}

impl Classifier {
    /// The scores of both classes from the only one there is, which is that of the second class.
    fn both(&self, score: f32, threshold: f32) -> [f32; 2] {
        if threshold > 0.0 {
            // probabilities need no transformation
            return [1.0 - score, score];
        }
        match self.post_transform {
            PostTransform::Logistic => [(-score).logistic(), score.logistic()],
            _ => [-score, score],
        }
    }
}

fn is_above<X: Real>(score: &Score<X>, threshold: f32) -> bool {
    score.total.to_f64() > f64::from(threshold)
}

/// The first of the greatest scores that any leaf had a weight for.
fn greatest_seen<X: Real>(scores: &[Score<X>]) -> usize {
    let mut best: Option<(usize, X)> = None;
    for (class, score) in scores.iter().enumerate().filter(|(_, score)| score.seen) {
        if best.is_none_or(|(_, greatest)| score.total > greatest) {
            best = Some((class, score.total));
        }
    }
    best.map_or(0, |(class, _)| class)
}

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
        forest: Forest {
            trees: table.trees()?,
            aggregate,
            targets,
        },
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
    fn read(attributes: &mut Attributes, targets: usize) -> Result<Self, Fault> {
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
            missing: attributes
                .ints("nodes_missing_value_tracks_true")?
                .unwrap_or_default(),
            modes,
            splits,
            leaf_weights,
            members,
        };
        table.check()?;
        Ok(table)
    }

    fn check(&self) -> Result<(), Fault> {
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
            refuse!(
                "there are {} missing value tracks for {nodes} nodes",
                self.missing.len()
            );
        }
        if self.leaf_weights.len() != self.leaf_targets.len() {
            refuse!(
                "{} leaves have {} weights",
                self.leaf_targets.len(),
                self.leaf_weights.len()
            );
        }
        if self.modes.iter().any(|&mode| mode > mode::MEMBER) {
            refuse!("there is a node mode that is not 0 to {}", mode::MEMBER);
        }
        Ok(())
    }

    fn trees(&self) -> Result<Trees, Fault> {
        let members_are_double = self.members.as_ref().is_some_and(Numbers::is_double);
        Ok(
            if self.splits.is_double() || self.leaf_weights.is_double() || members_are_double {
                Trees::Double(self.ensemble()?)
            } else {
                Trees::Single(self.ensemble()?)
            },
        )
    }

    fn ensemble<W: Real>(&self) -> Result<Ensemble<W>, Fault> {
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
            described.push(Described::Leaf {
                weights: vec![Weight { target, weight }],
            });
        }
        let roots = self.roots.iter().map(|&root| self.child(root, 0));
        let roots: Vec<usize> = roots.collect::<Result<_, _>>()?;
        Ensemble::new(described, &roots, sets)
    }

    /// Where a branch or a leaf is, once the leaves are put behind the branches.
    fn child(&self, number: i64, is_leaf: i64) -> Result<usize, Fault> {
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
    fn sets<W: Real>(&self) -> Result<Vec<Vec<W>>, Fault> {
        // set numbers are kept in the nodes' values and must be exact there
        const SETS_MAX: usize = 1 << 24;
        let tests = self
            .modes
            .iter()
            .filter(|&&mode| mode == mode::MEMBER)
            .count();
        let members = self
            .members
            .as_ref()
            .map(Numbers::to_reals::<W>)
            .unwrap_or_default();
        let mut sets: Vec<Vec<W>> = members
            .split(|member| member.is_nan())
            .map(<[W]>::to_vec)
            .collect();
        if sets.len() < tests || tests > SETS_MAX {
            refuse!("{tests} membership tests have {} sets", sets.len());
        }
        for set in &mut sets {
            set.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        }
        Ok(sets)
    }
}
