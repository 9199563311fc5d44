//! Random draws that are specified to the bit, so that an interval can be computed again anywhere.
//!
//! The key of ChaCha8 is the seed as 8 little-endian bytes followed by [`PURPOSE`]; the stream (the
//! last two words of the cipher's state) is the number of the resample; the block counter starts at
//! zero. Each draw takes 32-bit words from that stream until Lemire's method accepts one
//! (*Fast Random Integer Generation in an Interval*, ACM TOMACS 2019).

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// Keeps these draws apart from those of another method that is given the same seed; ends in the
/// version of this specification.
const PURPOSE: &[u8; 24] = b"stemma paired bootstrap1";

/// The draws of one resample.
pub(crate) struct Draw {
    words: ChaCha8Rng,
}

impl Draw {
    pub(crate) fn new(seed: u64, resample: u32) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..].copy_from_slice(PURPOSE);
        let mut words = ChaCha8Rng::from_seed(key);
        words.set_stream(u64::from(resample));
        Self { words }
    }

    /// Draws as many rows as there are, with replacement, and counts how often each was drawn.
    pub(crate) fn rows(&mut self, weights: &mut [u32]) {
        weights.fill(0);
        let rows = weights.len() as u32;
        for _ in 0..rows {
            weights[self.below(rows) as usize] += 1;
        }
    }

    /// Returns a number below `bound`, each with the same probability.
    fn below(&mut self, bound: u32) -> u32 {
        loop {
            if let Some(number) = below(bound, self.words.next_u32()) {
                return number;
            }
        }
    }
}

/// Maps a random word to a number below `bound`, or to nothing for the few words that would make
/// some numbers likelier than others.
fn below(bound: u32, word: u32) -> Option<u32> {
    let product = u64::from(word) * u64::from(bound);
    let remainder = product as u32;
    // the exact limit is below `bound`: the division is seldom needed
    if remainder < bound && remainder < bound.wrapping_neg() % bound {
        return None;
    }
    Some((product >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use super::{Draw, below};

    #[test]
    fn the_ends_of_the_words_map_to_the_ends_of_the_numbers() {
        assert_eq!(below(7, u32::MAX), Some(6));
        assert_eq!(below(1, 12345), Some(0));
        assert_eq!(below(1 << 31, 0), Some(0));
        // 2^32 is 4 more than a multiple of 7
        assert_eq!(below(7, 0), None);
        assert_eq!(below(7, 1), Some(0));
    }

    #[test]
    fn no_number_is_likelier_than_another() {
        // with this bound one word in four is refused, and each number is left with one word
        let bound = 3 << 30;
        let accepted = (0..1 << 16).filter_map(|word| below(bound, word));
        let numbers: Vec<u32> = accepted.collect();
        assert_eq!(numbers.len(), 3 << 14);
        assert!(numbers.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_resample_has_as_many_rows_as_the_data() {
        let mut weights = [9; 50];
        Draw::new(1, 0).rows(&mut weights);
        assert_eq!(weights.iter().sum::<u32>(), 50);
    }

    #[test]
    fn seed_and_resample_both_change_the_rows() {
        let rows = |seed, resample| {
            let mut weights = [0; 20];
            Draw::new(seed, resample).rows(&mut weights);
            weights
        };
        assert_eq!(rows(1, 0), rows(1, 0));
        assert_ne!(rows(1, 0), rows(1, 1));
        assert_ne!(rows(1, 0), rows(2, 0));
    }
}
