//! Chance that is the same at each run of the test.

use proptest::{
    prelude::*,
    sample::select,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

/// Draws from strategies, the same at each run of the test.
pub struct Dice(TestRunner);

impl Dice {
    pub fn new(seed: u8) -> Self {
        Self(TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32])))
    }

    pub fn draw<T: std::fmt::Debug>(&mut self, strategy: impl Strategy<Value = T>) -> T {
        strategy.new_tree(&mut self.0).unwrap().current()
    }

    pub fn one_of<T: Clone + std::fmt::Debug + 'static>(&mut self, all: &[T]) -> T {
        self.draw(select(all.to_vec()))
    }

    pub fn chance(&mut self, percent: u32) -> bool {
        self.draw(0..100u32) < percent
    }

    pub fn number(&mut self) -> f64 {
        // values that occur again, and some that don't
        self.draw(prop_oneof![select(vec![0.0, 0.5, 0.8, 0.81, -1.5, 1e-9]), 0.0..1.0f64])
    }
}
