//! Which chunks are worth an attempt to make them shorter.

use super::encode::Hint;
use crate::pack::CODEC_RAW;

/// After this many chunks in a row that gained nothing, most attempts are skipped.
const PATIENCE: u32 = 4;
/// One attempt in this many is still made, to notice when the content changes.
const RETRY_EVERY: u32 = 8;

/// Decides which chunks of one blob are worth an attempt: pictures and archives never are, and trying each
/// chunk would cost more than all the rest of storing them.
#[derive(Default)]
pub(crate) struct Sampler {
    fruitless: u32,
}

impl Sampler {
    pub fn should_try(&self, hint: &Hint) -> bool {
        *hint != Hint::default() || self.fruitless < PATIENCE || self.fruitless.is_multiple_of(RETRY_EVERY)
    }

    /// Records what became of a chunk that came without a hint.
    pub fn observe(&mut self, hint: &Hint, codec: u8) {
        if *hint == Hint::default() {
            self.fruitless = if codec == CODEC_RAW { self.fruitless.saturating_add(1) } else { 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::CODEC_ZSTD;

    #[test]
    fn attempts_become_rare_while_they_gain_nothing_and_come_back() {
        let mut sampler = Sampler::default();
        let attempts = (0..800).filter(|_| {
            let attempt = sampler.should_try(&Hint::default());
            sampler.observe(&Hint::default(), CODEC_RAW);
            attempt
        });
        assert_eq!(attempts.count(), 4 + 99);
        sampler.observe(&Hint::default(), CODEC_ZSTD);
        assert!(sampler.should_try(&Hint::default()));
    }
}
