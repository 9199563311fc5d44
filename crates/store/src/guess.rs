//! Whether bytes of no known format look like an array of numbers.
//!
//! In an array the place of a byte within its element tells something of its value: the exponents of floats and the high
//! bytes of integers are much alike. The measure is how much: how far the entropy of the bytes at one place modulo the
//! width is below that of as many bytes in a row. (As many, since the entropy of a sample grows with its length.)

use crate::codec::Array;

const SAMPLE: usize = 8 << 10;
const SAMPLE_MIN: usize = 512;
/// Fewer bytes at one place prove nothing.
const PLANE_MIN: usize = 128;
const WIDTHS: [usize; 3] = [2, 4, 8];
const WIDTH_MAX: usize = 8;
/// Bits of a byte that its place must tell.
const TOLD_MIN: f64 = 0.25;
/// A greater width must tell so much more: elements of two bytes look like half as many of four.
const TOLD_MORE: f64 = 0.1;

/// The likely element of an array that begins with the first byte.
pub(crate) fn array(plain: &[u8]) -> Option<Array> {
    let sample = &plain[..plain.len().min(SAMPLE) / WIDTH_MAX * WIDTH_MAX];
    if sample.len() < SAMPLE_MIN || is_ascii_text(&sample[..SAMPLE_MIN]) {
        return None;
    }
    let mut best: Option<(f64, Array)> = None;
    for width in WIDTHS.into_iter().filter(|width| sample.len() / width >= PLANE_MIN) {
        let at_place: Vec<f64> = (0..width).map(|place| bits(sample.iter().skip(place).step_by(width))).collect();
        let in_a_row = sample.chunks_exact(sample.len() / width).map(bits);
        let told = (in_a_row.sum::<f64>() - at_place.iter().sum::<f64>()) / width as f64;
        if told >= best.as_ref().map_or(TOLD_MIN, |(most, _)| most + TOLD_MORE) {
            let is_float = at_place[..width - 1].iter().all(|bits| *bits > at_place[width - 1]);
            best = Some((told, Array { width, is_float }));
        }
    }
    best.map(|(_, array)| array)
}

fn is_ascii_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\t'..=b'\r' | b' '..=b'~'))
}

/// The entropy of a byte of these.
fn bits<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> f64 {
    let mut counts = [0u32; 256];
    bytes.into_iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let all = f64::from(counts.iter().sum::<u32>());
    let shares = counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / all);
    shares.map(|share| -share * share.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(seed: u32, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
        bytes
    }

    /// Sums of uniform values, so nearly from a normal distribution.
    fn normal(seed: u32, count: usize) -> impl Iterator<Item = f64> {
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
        let uniform: Vec<f64> =
            noise(seed, count * 96).chunks_exact(8).map(|bytes| word(bytes) as f64 / 2f64.powi(64) - 0.5).collect();
        (0..count).map(move |at| uniform[at * 12..][..12].iter().sum())
    }

    #[test]
    fn arrays_of_numbers_are_known_by_their_bytes() {
        for count in [300, 5000] {
            let singles: Vec<u8> = normal(1, count).flat_map(|value| (value as f32).to_le_bytes()).collect();
            assert_eq!(array(&singles), Some(Array { width: 4, is_float: true }), "{count}");
            let doubles: Vec<u8> = normal(2, count).flat_map(|value| (value / 3.0).to_le_bytes()).collect();
            assert_eq!(array(&doubles), Some(Array { width: 8, is_float: true }), "{count}");
            let tokens: Vec<u8> = normal(3, 2 * count).flat_map(|v| ((v.abs() * 900.0) as u16).to_le_bytes()).collect();
            assert_eq!(array(&tokens).map(|array| array.width), Some(2), "{count}");
        }
    }

    #[test]
    fn text_noise_and_scraps_are_none() {
        for seed in 0..200 {
            for len in [SAMPLE_MIN, 1 << 10, 3 << 10, 64 << 10] {
                assert_eq!(array(&noise(seed, len)), None, "{seed} {len}");
            }
        }
        let lines: Vec<u8> = noise(1, 4000).iter().flat_map(|byte| format!("{byte},é\n").into_bytes()).collect();
        assert_eq!(array(&lines), None);
        assert_eq!(array(&[0, 0, 0, 1].repeat(20)), None);
    }
}
