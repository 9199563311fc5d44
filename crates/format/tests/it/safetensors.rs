use proptest::prelude::*;
use stemma_format::{Dtype, Format, outline};

fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

const HEADER: &str = r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[3],"data_offsets":[8,14]},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"empty":{"dtype":"F32","shape":[0],"data_offsets":[14,14]}}"#;

#[test]
fn tensors_are_found_in_the_order_in_which_they_lie() {
    let bytes = file(HEADER, &[0; 14]);
    let found = outline(&bytes).unwrap().unwrap();
    assert_eq!(found.format, Format::Safetensors);
    let at = 8 + HEADER.len() as u64;
    let parts: Vec<_> = found.parts.iter().map(|part| (&*part.name, part.start - at, part.len)).collect();
    assert_eq!(parts, [("a", 0, 8), ("b", 8, 6)]);
    let tensor = found.parts[1].tensor.as_ref().unwrap();
    assert_eq!((tensor.dtype, tensor.shape.as_slice()), (Dtype::Bf16, [3].as_slice()));
}

#[test]
fn a_header_that_lies_gives_no_outline() {
    for (header, data) in [
        (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 7),
        (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, 8),
        (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]}}"#, 8),
        (
            r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[3,7]}}"#,
            8,
        ),
        (r#"{"a":1}"#, 8),
    ] {
        assert_eq!(outline(&file(header, &vec![0; data])).unwrap(), None, "{header}");
    }
    let mut long = file(HEADER, &[0; 14]);
    long[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(outline(&long).unwrap(), None);
}

#[test]
fn a_shape_that_does_not_fit_its_bytes_leaves_the_part_without_a_type() {
    let header = r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,8]}}"#;
    let found = outline(&file(header, &[0; 8])).unwrap().unwrap();
    assert_eq!((found.parts.len(), &found.parts[0].tensor), (1, &None));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), len in 0u64..300, brace: bool) {
        if bytes.len() > 9 {
            bytes[..8].copy_from_slice(&len.to_le_bytes());
            if brace { bytes[8] = b'{'; }
        }
        let _ = outline(&bytes);
    }

    #[test]
    fn a_changed_byte_makes_no_unsound_outline(at in 0usize..200, to: u8) {
        let mut bytes = file(HEADER, &[0; 14]);
        let at = at % bytes.len();
        bytes[at] = to;
        if let Some(found) = outline(&bytes).unwrap() {
            let mut end = 0;
            for part in &found.parts {
                prop_assert!(part.len > 0 && part.start >= end && part.end() <= bytes.len() as u64);
                end = part.end();
            }
        }
    }
}
