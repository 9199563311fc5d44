//! Whether bytes of no known format look like an array of numbers.
//!
//! In an array the place of a byte within its element tells something of its value: the exponents of floats and the high
//! bytes of integers are much alike. The measure is how much: how far the entropy of the bytes at one place modulo the
//! width is below that of as many bytes in a row. (As many, since the entropy of a sample grows with its length.)

use std::sync::LazyLock;

use super::planes::Array;

const SAMPLE: usize = 4 << 10;
/// Fewer bytes prove nothing.
const SAMPLE_MIN: usize = 512;
/// Nor do fewer at one place.
const PLANE_MIN: usize = 128;
const WIDTHS: [usize; 3] = [2, 4, 8];
const WIDTH_MAX: usize = 8;
/// Bits of a byte that its place must tell.
const TOLD_MIN: f64 = 0.25;
/// A greater width must tell so much more: elements of two bytes look like half as many of four.
const TOLD_MORE: f64 = 0.1;

/// How often each byte occurs.
type Counts = [u16; 256];

/// The likely element of an array that begins with the first byte.
pub(crate) fn array(plain: &[u8]) -> Option<Array> {
    let sample = &plain[..plain.len().min(SAMPLE) / WIDTH_MAX * WIDTH_MAX];
    if sample.len() < SAMPLE_MIN || is_ascii_text(&sample[..SAMPLE_MIN]) {
        return None;
    }
    let (places, rows) = count(sample);
    let mut best: Option<(f64, Array)> = None;
    for width in WIDTHS.into_iter().filter(|width| sample.len() / width >= PLANE_MIN) {
        let at_place: Vec<f64> = (0..width).map(|place| bits(places.iter().skip(place).step_by(width))).collect();
        let in_a_row: f64 = rows.chunks_exact(WIDTH_MAX / width).map(bits).sum();
        let told = (in_a_row - at_place.iter().sum::<f64>()) / width as f64;
        if told >= best.as_ref().map_or(TOLD_MIN, |(most, _)| most + TOLD_MORE) {
            let is_float = at_place[..width - 1].iter().all(|bits| *bits > at_place[width - 1]);
            best = Some((told, Array { width, is_float }));
        }
    }
    best.map(|(_, array)| array)
}

/// Counts the bytes at each place of the widest element, and those of as many parts of the sample.
fn count(sample: &[u8]) -> ([Counts; WIDTH_MAX], [Counts; WIDTH_MAX]) {
    let (mut places, mut rows) = ([[0; 256]; WIDTH_MAX], [[0; 256]; WIDTH_MAX]);
    for (row, part) in rows.iter_mut().zip(sample.chunks_exact(sample.len() / WIDTH_MAX)) {
        part.iter().for_each(|byte| row[usize::from(*byte)] += 1);
    }
    for element in sample.chunks_exact(WIDTH_MAX) {
        for (place, byte) in places.iter_mut().zip(element) {
            place[usize::from(*byte)] += 1;
        }
    }
    (places, rows)
}

fn is_ascii_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\t'..=b'\r' | b' '..=b'~'))
}

/// The entropy of a byte that was counted in any of these.
fn bits<'a>(counts: impl IntoIterator<Item = &'a Counts>) -> f64 {
    let mut sum = [0u16; 256];
    for counts in counts {
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    let all = sum.iter().map(|count| f64::from(*count)).sum::<f64>();
    let weighed: f64 = sum.iter().map(|count| LOGARITHMS[usize::from(*count)]).sum();
    all.log2() - weighed / all
}

/// `n log2 n`, which is what takes the time.
static LOGARITHMS: LazyLock<Vec<f64>> =
    LazyLock::new(|| (0..=SAMPLE).map(|n| n as f64 * (n.max(1) as f64).log2()).collect());

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
