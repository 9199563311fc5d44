//! Arrays of numbers made compressible: bytes of equal weight next to each other.
//!
//! The mantissas of trained weights are noise, their exponents are not. Laid out plane by plane, the noise is kept as it
//! is and costs no time, and the rest shrinks to a third. Against the same array of an earlier version, the element-wise
//! difference (wrapping, of the bits as integers) of weights that moved a little has high planes of almost only zeros.

/// Of the length of a plane: it is a zstd frame.
pub(super) const COMPRESSED: u32 = 1 << 31;

/// Numbers of one type, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Array {
    /// Bytes of an element: 1, 2, 4 or 8.
    pub width: usize,
    pub is_float: bool,
}

/// How an array is laid out before its planes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transform {
    /// Elements as they are.
    Plain = 0,
    /// Rotated left by one bit, so that the highest plane of a float is its exponent and nothing else.
    SignLast = 1,
    /// Zigzag of the difference to the base, so that small moves in either direction are small numbers.
    Difference = 2,
}

impl Transform {
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Plain, Self::SignLast, Self::Difference].into_iter().find(|transform| *transform as u8 == byte)
    }
}

/// Whether there are planes for elements of so many bytes.
pub(crate) fn is_width(width: usize) -> bool {
    matches!(width, 1 | 2 | 4 | 8)
}

/// Elements that are put together at a time.
const BLOCK: usize = 1024;

macro_rules! integer {
    ($name:ident, $int:ty, $width:literal) => {
        mod $name {
            use super::{BLOCK, Transform};

            const SIGN_AT: u32 = <$int>::BITS - 1;

            fn read(bytes: &[u8]) -> $int {
                <$int>::from_le_bytes(bytes.try_into().expect("chunks_exact gives whole elements"))
            }

            /// Lowest plane first. `base` is as long as `plain`, which holds whole elements.
            pub fn split(plain: &[u8], base: &[u8], transform: Transform) -> Vec<u8> {
                let count = plain.len() / $width;
                let mut planes = vec![0; count * $width];
                let mut parts = planes.chunks_exact_mut(count.max(1));
                let mut parts: [&mut [u8]; $width] = std::array::from_fn(|_| parts.next().unwrap_or_default());
                let mut put = |index: usize, value: $int| {
                    let bytes = value.to_le_bytes();
                    for (part, byte) in parts.iter_mut().zip(bytes) {
                        part[index] = byte;
                    }
                };
                let elements = plain.chunks_exact($width).map(read).enumerate();
                match transform {
                    Transform::Plain => elements.for_each(|(index, value)| put(index, value)),
                    Transform::SignLast => elements.for_each(|(index, value)| put(index, value.rotate_left(1))),
                    Transform::Difference => {
                        let bases = base.chunks_exact($width).map(read);
                        for ((index, value), base) in elements.zip(bases) {
                            let moved = value.wrapping_sub(base);
                            let sign = (moved >> SIGN_AT).wrapping_neg();
                            put(index, (moved << 1) ^ sign);
                        }
                    }
                }
                planes
            }

            /// Appends the elements to `plain`.
            pub fn join(planes: &[&[u8]], base: &[u8], transform: Transform, plain: &mut Vec<u8>) {
                let parts: [&[u8]; $width] = planes.try_into().expect("there is a plane for each byte of an element");
                match transform {
                    Transform::Plain => append(plain, parts, |value, _| value),
                    Transform::SignLast => append(plain, parts, |value, _| value.rotate_right(1)),
                    Transform::Difference => append(plain, parts, |zigzag, index| {
                        let moved = (zigzag >> 1) ^ (zigzag & 1).wrapping_neg();
                        read(&base[index * $width..][..$width]).wrapping_add(moved)
                    }),
                }
            }

            /// By way of a block that stays in the processor's cache, so that no memory is cleared only to be written to.
            fn append(plain: &mut Vec<u8>, parts: [&[u8]; $width], element: impl Fn($int, usize) -> $int) {
                let mut block = [[0; $width]; BLOCK];
                let count = parts[0].len();
                for start in (0..count).step_by(BLOCK) {
                    let len = BLOCK.min(count - start);
                    let parts = parts.map(|part| &part[start..start + len]);
                    for (index, place) in block[..len].iter_mut().enumerate() {
                        let bytes: [u8; $width] = std::array::from_fn(|plane| parts[plane][index]);
                        *place = element(<$int>::from_le_bytes(bytes), start + index).to_le_bytes();
                    }
                    plain.extend_from_slice(block[..len].as_flattened());
                }
            }
        }
    };
}

integer!(one, u8, 1);
integer!(two, u16, 2);
integer!(four, u32, 4);
integer!(eight, u64, 8);

/// Lays an array out plane by plane, the lowest first.
///
/// `plain` holds whole elements of a width that [`is_width`]; `base` is as long for a difference, else unused.
pub(crate) fn split(plain: &[u8], base: &[u8], width: usize, transform: Transform) -> Vec<u8> {
    match width {
        1 => one::split(plain, base, transform),
        2 => two::split(plain, base, transform),
        4 => four::split(plain, base, transform),
        8 => eight::split(plain, base, transform),
        _ => unreachable!("callers check the width"),
    }
}

/// Undoes [`split`]: appends the array to `plain`. There are as many planes as an element has bytes, all of one length;
/// for a difference `base` has all elements.
pub(crate) fn join(planes: &[&[u8]], base: &[u8], width: usize, transform: Transform, plain: &mut Vec<u8>) {
    match width {
        1 => one::join(planes, base, transform, plain),
        2 => two::join(planes, base, transform, plain),
        4 => four::join(planes, base, transform, plain),
        8 => eight::join(planes, base, transform, plain),
        _ => unreachable!("callers check the width"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_exponent_of_a_float_is_its_highest_plane() {
        let plain: Vec<u8> = [1.5f32, -1.5].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(split(&plain, &[], 4, Transform::SignLast), [0, 1, 0, 0, 128, 128, 127, 127]);
    }

    #[test]
    fn a_small_move_in_either_direction_is_a_small_number() {
        let bytes = |values: [u16; 3]| values.map(u16::to_le_bytes).concat();
        let planes = split(&bytes([99, 101, 0]), &bytes([100, 100, 65535]), 2, Transform::Difference);
        assert_eq!(planes, [1, 2, 2, 0, 0, 0]);
    }

    proptest! {
        #[test]
        fn what_was_split_is_joined(
            elements in proptest::collection::vec(any::<(u64, u64)>(), 0..3000),
            width in prop::sample::select(vec![1usize, 2, 4, 8]),
            transform in prop::sample::select(vec![Transform::Plain, Transform::SignLast, Transform::Difference]),
        ) {
            let low = |value: u64| value.to_le_bytes()[..width].to_vec();
            let plain: Vec<u8> = elements.iter().flat_map(|pair| low(pair.0)).collect();
            let base: Vec<u8> = elements.iter().flat_map(|pair| low(pair.1)).collect();
            let planes = split(&plain, &base, width, transform);
            prop_assert_eq!(planes.len(), plain.len());
            let parts: Vec<&[u8]> = (0..width).map(|plane| &planes[plane * elements.len()..][..elements.len()]).collect();
            let mut joined = vec![7];
            join(&parts, &base, width, transform, &mut joined);
            prop_assert_eq!(&joined[1..], plain);
        }
    }
}
