//! How a chunk's bytes are kept: as they are, compressed, as planes of numbers, or as what differs from another chunk.
//!
//! Payloads (numbers little-endian):
//!
//! | codec            | payload                                                                             |
//! | ---------------- | ----------------------------------------------------------------------------------- |
//! | 0 raw            | the plain bytes                                                                     |
//! | 1 zstd           | a zstd frame                                                                        |
//! | 2 planes         | planes, see below                                                                   |
//! | 3 planes delta   | [`Dependency`], planes                                                              |
//! | 4 zstd delta     | [`Dependency`], a zstd frame that has the plain bytes of the base as its prefix     |
//!
//! Planes are: width of an element (u8), [`Transform`] (u8), and for each plane its length (u32, highest bit set if it
//! is a zstd frame), then the planes; then plain bytes that are no whole element.

use std::{borrow::Cow, cell::RefCell, io};

use stemma_core::Digest;
use zstd::zstd_safe::{CCtx, CParameter, DCtx};

use crate::{
    codec::guess,
    codec::planes::{self, Transform},
    pack::{CHUNK_MAX, CODEC_PLANES, CODEC_PLANES_DELTA, CODEC_RAW, CODEC_ZSTD, CODEC_ZSTD_DELTA, le_u32},
};

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
/// After this many chunks in a row that gained nothing, most attempts are skipped.
const PATIENCE: u32 = 4;
/// One attempt in this many is still made, to notice when the content changes.
const RETRY_EVERY: u32 = 8;
/// So much of an array shows how it is best kept.
const SAMPLE: usize = 64 << 10;
/// So much of a plane shows whether it can be compressed.
const PLANE_SAMPLE: usize = 16 << 10;
/// What depends on another chunk must be smaller by this part than what does not.
const DEPENDENCE_GAIN: usize = 10;
const COMPRESSED: u32 = 1 << 31;

/// Most chunks that one chunk depends on, one through the other.
pub(crate) const DEPTH_MAX: u8 = 2;

/// What is known of a chunk before its bytes are looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Hint {
    /// Set if the bytes are an array of numbers.
    pub array: Option<Array>,
    /// A stored chunk that this one is likely to be like.
    pub base: Option<Digest>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Array {
    /// Bytes of an element: 1, 2, 4 or 8.
    pub width: usize,
    pub is_float: bool,
}

/// A stored chunk that another one may depend on.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    pub digest: Digest,
    pub depth: u8,
    pub plain: Vec<u8>,
}

impl AsRef<[u8]> for Base {
    fn as_ref(&self) -> &[u8] {
        &self.plain
    }
}

/// How a chunk is going to be stored, if not as it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Encoded {
    pub codec: u8,
    pub payload: Vec<u8>,
}

/// What the payload of a delta begins with: depth (u8, 1 for a base that depends on nothing), digest of the base (32).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub depth: u8,
    pub base: Digest,
}

pub(crate) const DEPENDENCY_LEN: usize = 33;

impl Dependency {
    /// Reads it off the beginning of a payload; `None` for a codec without one, or a payload that is cut short.
    pub fn of(codec: u8, payload: &[u8]) -> Option<Self> {
        if !is_delta(codec) {
            return None;
        }
        let (depth, rest) = payload.split_first()?;
        Some(Self { depth: *depth, base: Digest::from_slice(rest.get(..32)?)? })
    }

    fn encode(self, payload: &mut Vec<u8>) {
        payload.push(self.depth);
        payload.extend_from_slice(self.base.as_bytes());
    }
}

/// Whether a payload can be read only together with another chunk.
pub(crate) fn is_delta(codec: u8) -> bool {
    matches!(codec, CODEC_PLANES_DELTA | CODEC_ZSTD_DELTA)
}

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

thread_local! {
    // a context holds the tables that would otherwise be allocated and cleared for each chunk
    static COMPRESS: RefCell<CCtx<'static>> = RefCell::new(CCtx::create());
    static DECOMPRESS: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

/// Makes a zstd frame, with `prefix` as what came before if it is not empty.
fn compress(plain: &[u8], level: i32, prefix: &[u8]) -> Option<Vec<u8>> {
    let mut frame = Vec::with_capacity(zstd::zstd_safe::compress_bound(plain.len()));
    if prefix.is_empty() {
        return COMPRESS.with_borrow_mut(|context| {
            context.set_parameter(CParameter::CompressionLevel(level)).ok()?;
            context.compress2(&mut frame, plain).ok()?;
            frame.shrink_to_fit();
            Some(frame)
        });
    }
    // a context of its own, since it must not outlive the prefix
    let mut context = CCtx::try_create()?;
    context.set_parameter(CParameter::CompressionLevel(level)).ok()?;
    context.set_parameter(CParameter::WindowLog(window_log(plain.len() + prefix.len()))).ok()?;
    context.ref_prefix(prefix).ok()?;
    context.compress2(&mut frame, plain).ok()?;
    frame.shrink_to_fit();
    Some(frame)
}

/// The least window that reaches back over the whole prefix.
fn window_log(len: usize) -> u32 {
    (usize::BITS - len.leading_zeros()).clamp(10, WINDOW_LOG_MAX)
}

/// Two chunks of the greatest length.
const WINDOW_LOG_MAX: u32 = (2 * CHUNK_MAX).ilog2() + 1;

/// Returns the plain bytes of a frame if they are so many.
fn decompress(frame: &[u8], len: usize, prefix: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::with_capacity(len);
    let outcome = if prefix.is_empty() {
        DECOMPRESS.with_borrow_mut(|context| context.decompress(&mut plain, frame))
    } else {
        let mut context = DCtx::try_create().ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        context.ref_prefix(prefix).and_then(|_| context.decompress(&mut plain, frame))
    };
    outcome.map_err(|code| damaged(zstd::zstd_safe::get_error_name(code)))?;
    if plain.len() == len { Ok(plain) } else { Err(damaged("it has another length than recorded")) }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// Returns the plain bytes; never more than `plain_len`, which the caller has bounded. `base` is what a delta depends
/// on, and unused otherwise.
pub(crate) fn decode(codec: u8, stored: &[u8], plain_len: usize, base: &[u8]) -> io::Result<Vec<u8>> {
    let behind_dependency = || stored.get(DEPENDENCY_LEN..).ok_or_else(|| damaged("it is cut short"));
    let plain = match codec {
        CODEC_RAW => stored.to_vec(),
        CODEC_ZSTD => decompress(stored, plain_len, &[])?,
        CODEC_PLANES => decode_planes(stored, plain_len, &[])?,
        CODEC_PLANES_DELTA => decode_planes(behind_dependency()?, plain_len, base)?,
        CODEC_ZSTD_DELTA => decompress(behind_dependency()?, plain_len, base)?,
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    if plain.len() != plain_len {
        return Err(damaged("it has another length than recorded"));
    }
    Ok(plain)
}

fn decode_planes(stored: &[u8], plain_len: usize, base: &[u8]) -> io::Result<Vec<u8>> {
    let cut_short = || damaged("its planes are cut short");
    let (&[width, transform], mut rest) = stored.split_first_chunk().ok_or_else(cut_short)?;
    let width = usize::from(width);
    let transform = Transform::from_byte(transform).filter(|_| planes::is_width(width));
    let transform = transform.ok_or_else(|| damaged("its planes are of an unknown kind"))?;
    let plane_len = plain_len / width;
    if transform == Transform::Difference && base.len() != plain_len {
        return Err(damaged("its base has another length"));
    }
    let (lengths, behind) = rest.split_at_checked(width * 4).ok_or_else(cut_short)?;
    rest = behind;
    let mut laid_out = Vec::with_capacity(width);
    for length in lengths.chunks_exact(4).map(le_u32) {
        let (bytes, behind) = rest.split_at_checked((length & !COMPRESSED) as usize).ok_or_else(cut_short)?;
        rest = behind;
        laid_out.push(match length & COMPRESSED {
            0 => Cow::Borrowed(bytes),
            _ => Cow::Owned(decompress(bytes, plane_len, &[])?),
        });
    }
    if laid_out.iter().any(|plane| plane.len() != plane_len) {
        return Err(damaged("its planes have another length than recorded"));
    }
    let laid_out: Vec<&[u8]> = laid_out.iter().map(|plane| &**plane).collect();
    let mut plain = Vec::with_capacity(plain_len);
    planes::join(&laid_out, base, width, transform, &mut plain);
    plain.extend_from_slice(rest);
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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

    #[test]
    fn a_bomb_stops_at_the_recorded_length() {
        let bomb = zstd::bulk::compress(&vec![0; 10 << 20], 3).unwrap();
        assert!(decode(CODEC_ZSTD, &bomb, 1000, &[]).is_err());
    }

    #[test]
    fn an_unknown_codec_says_so() {
        let error = decode(9, &[1], 1, &[]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    }

    #[test]
    fn attempts_become_rare_while_they_gain_nothing_and_come_back() {
        let mut sampler = Sampler::default();
        let attempts = (0..800).filter(|_| {
            let attempt = sampler.should_try(&NO_HINT);
            sampler.observe(&NO_HINT, CODEC_RAW);
            attempt
        });
        assert_eq!(attempts.count(), 4 + 99);
        sampler.observe(&NO_HINT, CODEC_ZSTD);
        assert!(sampler.should_try(&NO_HINT));
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

        #[test]
        fn no_bytes_make_it_panic(
            codec in 0u8..6,
            mut stored in proptest::collection::vec(any::<u8>(), 0..200),
            plain_len in 0usize..300,
            width in 0u8..9,
        ) {
            let head = if codec == CODEC_PLANES_DELTA { DEPENDENCY_LEN } else { 0 };
            if stored.len() > head + 1 {
                stored[head] = width;
                stored[head + 1] %= 4;
            }
            let _ = Dependency::of(codec, &stored);
            let _ = decode(codec, &stored, plain_len, &vec![0; plain_len]);
        }
    }
}
