//! Finding the shortest form of a chunk.

use stemma_core::Digest;

use super::{
    dependency::{Base, DEPTH_MAX, Dependency},
    frame::compress,
    guess,
    planes::{self, Array, COMPRESSED, Transform},
};
use crate::pack::{CODEC_PLANES, CODEC_PLANES_DELTA, CODEC_ZSTD, CODEC_ZSTD_DELTA};

const ZSTD_LEVEL: i32 = 3;
/// For planes and differences, where a higher one gains next to nothing, and for most tables.
const ZSTD_LEVEL_FAST: i32 = 1;
/// For chunks up to [`SHORT`], where the tables of lower levels find too little: a tenth less for 40 µs more.
const ZSTD_LEVEL_SHORT: i32 = 7;
const SHORT: usize = 32 << 10;
/// Chunks from this length on show by a part of them whether the higher level is worth twice the time.
const LEVEL_MATTERS: usize = 128 << 10;
const LEVEL_SAMPLE: usize = 16 << 10;
/// Shorter chunks can't win back a frame's overhead.
const COMPRESSIBLE_MIN: usize = 64;
/// So much of an array shows how it is best kept.
const SAMPLE: usize = 64 << 10;
/// So much of a plane shows whether it can be compressed.
const PLANE_SAMPLE: usize = 16 << 10;
/// What depends on another chunk must be smaller by this part than what does not.
const DEPENDENCE_GAIN: usize = 10;

/// What is known of a chunk before its bytes are looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Hint {
    /// Set if the bytes are an array of numbers.
    pub array: Option<Array>,
    /// A stored chunk that this one is likely to be like.
    pub base: Option<Digest>,
}

/// How a chunk is going to be stored, if not as it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Encoded {
    pub codec: u8,
    pub payload: Vec<u8>,
}

/// Finds the shortest form of a chunk; `None` if it is to be stored as it is, because no other saves 3 %.
pub(crate) fn encode(plain: &[u8], hint: &Hint, base: Option<&Base>) -> Option<Encoded> {
    if plain.len() < COMPRESSIBLE_MIN {
        return None;
    }
    let base = base.filter(|base| base.depth < DEPTH_MAX);
    let encoded = match hint.array.filter(|array| planes::is_width(array.width)) {
        Some(array) => encode_array(plain, array, base.filter(|base| base.plain.len() == plain.len())),
        None => encode_bytes(plain, base),
    }?;
    (encoded.payload.len() <= plain.len() - plain.len() * 3 / 100).then_some(encoded)
}

fn encode_bytes(plain: &[u8], base: Option<&Base>) -> Option<Encoded> {
    let delta = base.and_then(|base| {
        let mut payload = Vec::new();
        Dependency { depth: base.depth + 1, base: base.digest }.encode(&mut payload);
        // the lower level looks back too seldom to find its place again behind an insert
        payload.extend(compress(plain, ZSTD_LEVEL, &base.plain)?);
        Some(Encoded { codec: CODEC_ZSTD_DELTA, payload })
    });
    // a tenth of the plain bytes is less than what is left of anything but a list of one and the same line
    if delta.as_ref().is_some_and(|delta| delta.payload.len() <= plain.len() / 10) {
        return delta;
    }
    worth_depending(encode_alone(plain), delta, plain.len())
}

fn encode_alone(plain: &[u8]) -> Option<Encoded> {
    let Some(array) = guess::array(plain) else {
        return compressed(plain, level_for(plain));
    };
    let forms = [compressed(plain, ZSTD_LEVEL_FAST), encode_array(plain, array, None)];
    forms.into_iter().flatten().min_by_key(|form| form.payload.len())
}

fn compressed(plain: &[u8], level: i32) -> Option<Encoded> {
    compress(plain, level, &[]).map(|payload| Encoded { codec: CODEC_ZSTD, payload })
}

/// Of long chunks the higher level only where it saves a twentieth: of columns of numbers it often makes more bytes, not
/// fewer.
fn level_for(plain: &[u8]) -> i32 {
    if plain.len() <= SHORT {
        return ZSTD_LEVEL_SHORT;
    }
    if plain.len() < LEVEL_MATTERS {
        return ZSTD_LEVEL;
    }
    let start = (plain.len() - LEVEL_SAMPLE) / 2;
    let sample = &plain[start..start + LEVEL_SAMPLE];
    let len = |level| compress(sample, level, &[]).map_or(LEVEL_SAMPLE, |packed| packed.len());
    let (fast, high) = (len(ZSTD_LEVEL_FAST), len(ZSTD_LEVEL));
    if high < fast - fast / 20 { ZSTD_LEVEL } else { ZSTD_LEVEL_FAST }
}

/// Chooses between the two forms; a missing one is as long as the plain bytes.
fn worth_depending(alone: Option<Encoded>, delta: Option<Encoded>, plain: usize) -> Option<Encoded> {
    let len = |form: &Option<Encoded>| form.as_ref().map_or(plain, |form| form.payload.len());
    let least = len(&alone) - len(&alone) / DEPENDENCE_GAIN;
    if len(&delta) < least { delta } else { alone }
}

fn encode_array(plain: &[u8], array: Array, base: Option<&Base>) -> Option<Encoded> {
    let Array { width, is_float } = array;
    let alone = match is_float && width > 1 {
        true => Transform::SignLast,
        false => Transform::Plain,
    };
    let base = base.filter(|base| {
        let sample = sample(plain.len(), width);
        let len = |base: &[u8], transform| encode_planes(&plain[sample.clone()], base, width, transform).len();
        let (with, without) = (len(&base.plain[sample.clone()], Transform::Difference), len(&[], alone));
        with < without - without / DEPENDENCE_GAIN
    });
    let Some(base) = base else {
        return Some(Encoded { codec: CODEC_PLANES, payload: encode_planes(plain, &[], width, alone) });
    };
    let mut payload = Vec::with_capacity(plain.len() / 2);
    Dependency { depth: base.depth + 1, base: base.digest }.encode(&mut payload);
    payload.extend(encode_planes(plain, &base.plain, width, Transform::Difference));
    Some(Encoded { codec: CODEC_PLANES_DELTA, payload })
}

/// A stretch of whole elements out of the middle.
fn sample(len: usize, width: usize) -> std::ops::Range<usize> {
    let take = len.min(SAMPLE) / width * width;
    let start = (len - take) / 2 / width * width;
    start..start + take
}

fn encode_planes(plain: &[u8], base: &[u8], width: usize, transform: Transform) -> Vec<u8> {
    let (elements, rest) = plain.split_at(plain.len() / width * width);
    let base = &base[..base.len().min(elements.len())];
    let laid_out = planes::split(elements, base, width, transform);
    let mut head = vec![width as u8, transform as u8];
    let mut body = Vec::with_capacity(plain.len() / 2);
    for plane in laid_out.chunks_exact((elements.len() / width).max(1)).take(width) {
        let packed = if is_compressible(plane) { compress(plane, ZSTD_LEVEL_FAST, &[]) } else { None };
        let packed = packed.filter(|packed| packed.len() < plane.len());
        let bytes = packed.as_deref().unwrap_or(plane);
        let flag = if packed.is_some() { COMPRESSED } else { 0 };
        head.extend_from_slice(&(bytes.len() as u32 | flag).to_le_bytes());
        body.extend_from_slice(bytes);
    }
    // an array without a single whole element has no planes to list
    head.resize(2 + width * 4, 0);
    head.append(&mut body);
    head.extend_from_slice(rest);
    head
}

/// Looks at a part of a plane: most are noise, and trying to compress noise is what takes the time.
fn is_compressible(plane: &[u8]) -> bool {
    let start = plane.len().saturating_sub(PLANE_SAMPLE) / 2;
    let sample = &plane[start..plane.len().min(start + PLANE_SAMPLE)];
    let packed = compress(sample, ZSTD_LEVEL_FAST, &[]);
    packed.is_some_and(|packed| packed.len() <= sample.len() - sample.len() * 3 / 100)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::decode::decode, *};
    use crate::little_endian::le_u32;

    const NO_HINT: Hint = Hint { array: None, base: None };

    fn noise(seed: u8, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
        bytes
    }

    /// Values between 0.5 and 1 of either sign, so that only mantissa and sign are noise.
    fn weights(seed: u8, count: usize) -> Vec<f32> {
        let bits = |bytes: &[u8]| (le_u32(bytes) & 0x807f_ffff) | 0x3f00_0000;
        noise(seed, count * 4).chunks_exact(4).map(|bytes| f32::from_bits(bits(bytes))).collect()
    }

    fn bytes(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    fn base_of(plain: &[u8]) -> Base {
        Base { digest: Digest::of(plain), depth: 0, plain: plain.to_vec() }
    }

    fn back(encoded: &Encoded, plain: &[u8], base: &[u8]) -> Vec<u8> {
        decode(encoded.codec, &encoded.payload, plain.len(), base).unwrap()
    }

    #[test]
    fn text_is_compressed_and_noise_is_not() {
        let text = b"age,amount,purpose\n".repeat(500);
        let encoded = encode(&text, &NO_HINT, None).unwrap();
        assert_eq!(encoded.codec, CODEC_ZSTD);
        assert!(encoded.payload.len() < text.len() / 10);
        assert_eq!(back(&encoded, &text, &[]), text);
        assert_eq!(encode(&noise(1, 10_000), &NO_HINT, None), None);
        assert_eq!(encode(b"aaaa", &NO_HINT, None), None);
    }

    #[test]
    fn weights_lose_their_exponents() {
        let plain = bytes(&weights(1, 50_000));
        let hint = Hint { array: Some(Array { width: 4, is_float: true }), base: None };
        let encoded = encode(&plain, &hint, None).unwrap();
        assert_eq!(encoded.codec, CODEC_PLANES);
        let ratio = encoded.payload.len() as f64 / plain.len() as f64;
        assert!((0.74..0.77).contains(&ratio), "{ratio}: one plane of four is constant");
        assert_eq!(back(&encoded, &plain, &[]), plain);
    }

    #[test]
    fn numbers_without_a_format_are_kept_as_planes_too() {
        let plain = bytes(&weights(1, 1000));
        let encoded = encode(&plain, &NO_HINT, None).unwrap();
        assert_eq!(encoded.codec, CODEC_PLANES);
        assert!(encoded.payload.len() < plain.len() * 77 / 100, "{}", encoded.payload.len());
        assert_eq!(back(&encoded, &plain, &[]), plain);
    }

    #[test]
    fn weights_that_moved_a_little_are_kept_as_their_moves() {
        let before = weights(1, 50_000);
        let moves = weights(2, 50_000);
        let after: Vec<f32> = before.iter().zip(&moves).map(|(value, step)| value + value * step / 16384.0).collect();
        let (plain, base) = (bytes(&after), base_of(&bytes(&before)));
        let hint = Hint { array: Some(Array { width: 4, is_float: true }), base: Some(base.digest) };
        let encoded = encode(&plain, &hint, Some(&base)).unwrap();
        assert_eq!(encoded.codec, CODEC_PLANES_DELTA);
        assert_eq!(Dependency::of(encoded.codec, &encoded.payload), Some(Dependency { depth: 1, base: base.digest }));
        let ratio = encoded.payload.len() as f64 / plain.len() as f64;
        assert!(ratio < 0.40, "{ratio}");
        assert_eq!(back(&encoded, &plain, &base.plain), plain);
        assert!(decode(encoded.codec, &encoded.payload, plain.len(), &base.plain[4..]).is_err());
        // other weights have nothing to do with these
        let other = base_of(&bytes(&weights(3, 50_000)));
        assert_eq!(encode(&plain, &hint, Some(&other)).unwrap().codec, CODEC_PLANES);
    }

    #[test]
    fn an_edited_text_is_kept_as_its_edit() {
        let before: Vec<u8> = noise(1, 30_000).iter().flat_map(|byte| format!("{byte},").into_bytes()).collect();
        let mut after = before.clone();
        after.splice(40_000..40_010, *b"one more field");
        let base = base_of(&before);
        let hint = Hint { array: None, base: Some(base.digest) };
        let encoded = encode(&after, &hint, Some(&base)).unwrap();
        assert_eq!(encoded.codec, CODEC_ZSTD_DELTA);
        assert!(encoded.payload.len() < 200, "{}", encoded.payload.len());
        assert_eq!(back(&encoded, &after, &base.plain), after);
    }

    #[test]
    fn what_depends_on_two_others_is_no_base() {
        let before = b"line\n".repeat(1000);
        let base = Base { depth: DEPTH_MAX, ..base_of(&before) };
        let hint = Hint { array: None, base: Some(base.digest) };
        assert_eq!(encode(&before[5..], &hint, Some(&base)).unwrap().codec, CODEC_ZSTD);
    }

    proptest! {
        #[test]
        fn whatever_form_is_chosen_reads_back(
            plain in proptest::collection::vec(0u8..4, 0..600),
            other in proptest::collection::vec(0u8..4, 0..600),
            width in prop::sample::select(vec![0usize, 1, 2, 3, 4, 8]),
            is_float: bool,
        ) {
            let array = (width > 0).then_some(Array { width, is_float });
            let base = base_of(&other);
            if let Some(encoded) = encode(&plain, &Hint { array, base: Some(base.digest) }, Some(&base)) {
                prop_assert_eq!(back(&encoded, &plain, &other), plain);
            }
        }
    }
}
