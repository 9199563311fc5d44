//! How a chunk's bytes are kept: as they are, or compressed when that is worth it.

use std::io;

use crate::record::{CODEC_RAW, CODEC_ZSTD};

const ZSTD_LEVEL: i32 = 3;
/// Shorter chunks can't win back a frame's overhead.
const COMPRESSIBLE_MIN: usize = 64;
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
    pub fn should_try(&self) -> bool {
        self.fruitless < PATIENCE || self.fruitless.is_multiple_of(RETRY_EVERY)
    }

    /// Records what became of a chunk: `codec` as returned by [`encode`], or raw without an attempt.
    pub fn observe(&mut self, codec: u8) {
        self.fruitless = if codec == CODEC_RAW { self.fruitless.saturating_add(1) } else { 0 };
    }
}

/// Compresses a chunk; `None` if it is to be stored as it is, because that saves less than 3 %.
pub(crate) fn compress(plain: &[u8]) -> Option<Vec<u8>> {
    if plain.len() < COMPRESSIBLE_MIN {
        return None;
    }
    let packed = zstd::bulk::compress(plain, ZSTD_LEVEL).ok()?;
    (packed.len() <= plain.len() - plain.len() * 3 / 100).then_some(packed)
}

/// Returns the plain bytes; never more than `plain_len`, which the caller has bounded.
pub(crate) fn decode(codec: u8, stored: Vec<u8>, plain_len: usize) -> io::Result<Vec<u8>> {
    let plain = match codec {
        CODEC_RAW => stored,
        CODEC_ZSTD => zstd::bulk::decompress(&stored, plain_len)?,
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    if plain.len() != plain_len {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it has another length than recorded"));
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_compressed_and_noise_is_not() {
        let text = b"age,amount,purpose\n".repeat(500);
        let packed = compress(&text).unwrap();
        assert!(packed.len() < text.len() / 10);
        assert_eq!(decode(CODEC_ZSTD, packed, text.len()).unwrap(), text);
        let mut noise = vec![0; 10_000];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        assert!(compress(&noise).is_none());
        assert!(compress(b"aaaa").is_none());
    }

    #[test]
    fn a_bomb_stops_at_the_recorded_length() {
        let bomb = zstd::bulk::compress(&vec![0; 10 << 20], 3).unwrap();
        assert!(decode(CODEC_ZSTD, bomb, 1000).is_err());
    }

    #[test]
    fn an_unknown_codec_says_so() {
        let error = decode(9, vec![1], 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    }

    #[test]
    fn attempts_become_rare_while_they_gain_nothing_and_come_back() {
        let mut sampler = Sampler::default();
        let attempts = (0..800).filter(|_| {
            let attempt = sampler.should_try();
            sampler.observe(CODEC_RAW);
            attempt
        });
        assert_eq!(attempts.count(), 4 + 99);
        sampler.observe(CODEC_ZSTD);
        assert!(sampler.should_try());
    }
}
