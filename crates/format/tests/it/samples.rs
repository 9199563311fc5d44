//! Files that the formats' own programs wrote.

use std::{fs, path::PathBuf};

use stemma_format::{Format, Outline, Part, outline, outline_of_all};

pub const SAMPLES: [&str; 11] = [
    "arrays.npz",
    "big-endian.npy",
    "checkpoint.pt",
    "compressed.npz",
    "fortran.npy",
    "matrix.npy",
    "model.gguf",
    "model.onnx",
    "pages.parquet",
    "table.parquet",
    "zip64.zip",
];

pub fn sample(name: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

/// One line for each part: name, start, length, type.
fn listing(found: &Outline) -> Vec<String> {
    let line = |part: &Part| {
        let tensor = part.tensor.as_ref().map(|tensor| format!(" {}{:?}", tensor.dtype, tensor.shape));
        format!("{} {}+{}{}", part.name, part.start, part.len, tensor.unwrap_or_default())
    };
    found.parts.iter().map(line).collect()
}

fn check(name: &str, format: Format, expected: &[&str]) {
    let found = outline(&sample(name)).unwrap().unwrap_or_else(|| panic!("{name} has no outline"));
    assert_eq!(found.format, format, "{name}");
    assert_eq!(listing(&found), expected, "{name}");
}

#[test]
fn arrays_of_numpy_begin_behind_their_header() {
    check("matrix.npy", Format::Npy, &["array 128+60 f32[3, 5]"]);
    // as it lies in the file
    check("fortran.npy", Format::Npy, &["array 128+24 f32[3, 2]"]);
    check("big-endian.npy", Format::Npy, &["array 128+16"]);
    check("arrays.npz", Format::Zip, &["weight 188+32 f32[4, 2]", "bias 406+32 i64[4]"]);
    let found = outline(&sample("arrays.npz")).unwrap().unwrap();
    let bias = &found.parts[1];
    let bytes = &sample("arrays.npz")[bias.start as usize..bias.end() as usize];
    assert_eq!(bytes, [0i64, 1, 2, 3].map(i64::to_le_bytes).concat());
}

#[test]
fn compressed_members_are_parts_without_a_type() {
    check("compressed.npz", Format::Zip, &["weight.npy 60+79"]);
    check("zip64.zip", Format::Zip, &["long.bin 62+100", "text.txt 204+12"]);
}

/// Two tied tensors, two that share a storage, one that is turned, and one that is a parameter.
#[test]
fn tensors_of_torch_have_their_names() {
    let expected = [
        "data.pkl 49+702",
        "byteorder 801+6",
        "state_dict.layer.weight 854+24 f32[2, 3]",
        "state_dict.embed.weight 925+32 f32[4, 2]",
        "state_dict.norm.bias 1004+8 bf16[4]",
        "state_dict.q 1059+20 f32[5]",
        "state_dict.k 1079+20 f32[5]",
        "data/4 1146+48 i64[6]",
        "version 1242+2",
    ];
    check("checkpoint.pt", Format::Zip, &expected);
}

#[test]
fn tensors_of_gguf_lie_as_aligned_as_the_file_says() {
    let expected = [
        "token_embd.weight 448+96 f32[3, 8]",
        "blk.0.attn_q.weight 576+16 f16[2, 4]",
        // quantised
        "blk.0.ffn.weight 640+136",
    ];
    check("model.gguf", Format::Gguf, &expected);
}

#[test]
fn small_tensors_of_onnx_are_seen_if_asked_for() {
    check("model.onnx", Format::Onnx, &["big 82+65536 f32[128, 128]"]);
    let found = outline_of_all(&sample("model.onnx")).unwrap().unwrap();
    assert_eq!(listing(&found), ["small 45+16 f32[4]", "big 82+65536 f32[128, 128]"]);
}

#[test]
fn parquet_is_cut_at_column_chunks() {
    let expected = [
        "0/id 4+1784",
        "0/name 1788+138",
        "0/nested.x 1926+1468",
        "1/id 3394+1000",
        "1/name 4394+134",
        "1/nested.x 4528+935",
    ];
    check("table.parquet", Format::Parquet, &expected);
}

#[test]
fn parquet_is_cut_at_pages_if_they_are_indexed() {
    let found = outline(&sample("pages.parquet")).unwrap().unwrap();
    let listing = listing(&found);
    assert_eq!(listing.len(), 38);
    assert_eq!(listing[..3], ["0/id/dictionary 4+948", "0/id/0 952+150", "0/id/1 1102+102"]);
    assert_eq!(listing[36..], ["1/nested.x/4 5735+110", "1/nested.x/5 5845+52"]);
}
