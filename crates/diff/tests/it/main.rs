//! Comparisons with figures worked out elsewhere.

mod tables;
mod tensors;
