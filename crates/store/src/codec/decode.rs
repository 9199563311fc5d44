//! From a payload back to the plain bytes.

use std::{borrow::Cow, io};

use super::{
    dependency::DEPENDENCY_LEN,
    frame::{damaged, decompress},
    planes::{self, COMPRESSED, Transform},
};
use crate::{
    little_endian::le_u32,
    pack::{CODEC_PLANES, CODEC_PLANES_DELTA, CODEC_RAW, CODEC_ZSTD, CODEC_ZSTD_DELTA},
};

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

    use super::{super::dependency::Dependency, *};

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

    proptest! {
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
