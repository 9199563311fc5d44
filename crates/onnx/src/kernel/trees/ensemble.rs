//! The array that all trees of an ensemble lie in, and the walk through it.

use super::super::real::Real;
use super::super::{KernelError, refuse};

/// How many trees are walked side by side.
const LANES: usize = 8;

/// The comparisons of a feature with a node's value, in the numbering of `TreeEnsemble`.
pub(super) mod mode {
    pub(in super::super) const LESS_OR_EQUAL: u8 = 0;
    pub(in super::super) const LESS: u8 = 1;
    pub(in super::super) const GREATER_OR_EQUAL: u8 = 2;
    pub(in super::super) const GREATER: u8 = 3;
    pub(in super::super) const EQUAL: u8 = 4;
    pub(in super::super) const NOT_EQUAL: u8 = 5;
    pub(in super::super) const MEMBER: u8 = 6;
    /// Not a comparison: each node has its own.
    pub(in super::super) const OWN: u8 = 7;
}

/// A feature number, a mode and whether a missing value goes the true way, in 32 bits.
#[derive(Clone, Copy)]
pub(super) struct Test(u32);

impl Test {
    pub(super) const FEATURE_BITS: u32 = 28;
    const MISSING_IS_TRUE: u32 = 1 << 31;

    pub(super) fn new(feature: usize, mode: u8, missing_is_true: bool) -> Self {
        let flag = if missing_is_true { Self::MISSING_IS_TRUE } else { 0 };
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
pub(super) struct Node<W> {
    test: Test,
    /// Compared with the feature; of a membership test the number of its set.
    value: W,
    on_true: u32,
    on_false: u32,
}

/// Trees whose values and weights are stored in `W`.
pub(super) struct Ensemble<W> {
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
    /// How many nodes and weights a row visits at most.
    steps: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weight<W> {
    pub(super) target: u32,
    pub(super) weight: W,
}

/// A node as a model describes it, with places in a list instead of node numbers.
pub(super) enum Described<W> {
    Branch { test: Test, value: W, on_true: usize, on_false: usize },
    Leaf { weights: Vec<Weight<W>> },
}

impl<W: Real> Ensemble<W> {
    /// Lays out the nodes that the roots lead to; a node may be led to more than once, but not by itself.
    pub(super) fn new(described: Vec<Described<W>>, roots: &[usize], sets: Vec<Vec<W>>) -> Result<Self, KernelError> {
        let Walk { order, steps } = Walk::new(&described, roots)?;
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
            steps,
        };
        for &at in &order {
            if let Described::Branch { test, value, on_true, on_false } = described[at] {
                ensemble.nodes.push(Node { test, value, on_true: places[on_true], on_false: places[on_false] });
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
        if self.weights.iter().any(|weight| Some(weight.target) != target) {
            return;
        }
        self.leaf_values = (0..self.leaf_starts.len() - 1)
            .map(|leaf| {
                let weights = self.weights_of(leaf).iter().map(|weight| weight.weight);
                weights.reduce(|sum, weight| sum + weight).unwrap_or(W::ZERO)
            })
            .collect();
    }

    pub(super) fn weights_of(&self, leaf: usize) -> &[Weight<W>] {
        &self.weights[self.leaf_starts[leaf] as usize..self.leaf_starts[leaf + 1] as usize]
    }

    /// How many features a row must have.
    pub(super) fn features(&self) -> usize {
        self.features
    }

    /// How many nodes and weights a row visits at most.
    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    pub(super) fn tree_count(&self) -> usize {
        self.roots.len()
    }

    /// The target of all weights, if they are all for one.
    pub(super) fn only_target(&self) -> Option<usize> {
        let first = self.weights.first()?;
        (!self.leaf_values.is_empty()).then_some(first.target as usize)
    }

    /// What a leaf gives to the only target there is.
    pub(super) fn value_of(&self, leaf: usize) -> W {
        self.leaf_values[leaf]
    }

    /// Calls `visit` with the leaf that a row reaches in each tree, in the order of the trees.
    pub(super) fn for_each_leaf<X: Real>(&self, row: &[X], visit: impl FnMut(usize))
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

    fn walk<X: Real, const MODE: u8, const MISSING: bool>(&self, row: &[X], mut visit: impl FnMut(usize))
    where
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
                    let next =
                        if self.is_true::<X, MODE, MISSING>(feature, node) { node.on_true } else { node.on_false };
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
    fn is_true<X: Real, const MODE: u8, const MISSING: bool>(&self, feature: X, node: &Node<W>) -> bool
    where
        W: Into<X>,
    {
        let value: X = node.value.into();
        let mode = if MODE == mode::OWN { node.test.mode() } else { MODE };
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
        set.get(place).is_some_and(|&member| member.into() == feature)
    }
}

/// What the roots of some trees lead to.
struct Walk {
    /// Each node once, a branch before what it leads to; the true way first.
    order: Vec<usize>,
    /// The longest ways from each root to a leaf and through its weights, together.
    steps: usize,
}

impl Walk {
    fn new<W>(described: &[Described<W>], roots: &[usize]) -> Result<Self, KernelError> {
        #[derive(Clone, Copy, PartialEq)]
        enum State {
            New,
            /// On the way from the root to where the walk is.
            Open,
            Done {
                height: usize,
            },
        }
        let mut states = vec![State::New; described.len()];
        let height_of = |states: &[State], at: usize| match states[at] {
            State::Done { height } => height,
            State::New | State::Open => 0,
        };
        let mut walk = Self { order: Vec::new(), steps: 0 };
        for &root in roots {
            let mut stack = vec![root];
            while let Some(&at) = stack.last() {
                match (states[at], &described[at]) {
                    (State::New, Described::Leaf { weights }) => {
                        states[at] = State::Done { height: 1 + weights.len() };
                        walk.order.push(at);
                    }
                    (State::New, Described::Branch { on_true, on_false, .. }) => {
                        states[at] = State::Open;
                        walk.order.push(at);
                        for next in [*on_false, *on_true] {
                            match states[next] {
                                State::Open => refuse!("a tree leads back to a node above"),
                                State::New => stack.push(next),
                                State::Done { .. } => {}
                            }
                        }
                    }
                    (State::Open, Described::Branch { on_true, on_false, .. }) => {
                        let below = height_of(&states, *on_true).max(height_of(&states, *on_false));
                        states[at] = State::Done { height: below + 1 };
                        stack.pop();
                    }
                    (State::Open | State::Done { .. }, _) => {
                        stack.pop();
                    }
                }
            }
            walk.steps = walk.steps.saturating_add(height_of(&states, root));
        }
        Ok(walk)
    }
}

/// Returns where each node goes: branches first, then leaves, both in the order given.
fn places<W>(described: &[Described<W>], order: &[usize]) -> Result<Vec<u32>, KernelError> {
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
