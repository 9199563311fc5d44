//! Files that lie, that are cut, and that hide what they do.

use std::io::Write as _;

use flate2::{Compression, write::ZlibEncoder};
use proptest::prelude::*;
use stemma_core::look::{Look, Nature};
use stemma_look::{Fault, look_at_file, look_at_folder};

use crate::samples::{Files, sample};

const SAMPLES: [&str; 14] = [
    "arrays.joblib",
    "dense.h5",
    "dense.keras",
    "encoder.joblib",
    "forest-0.p",
    "forest-5.p",
    "forest.joblib.z",
    "harm-5.p",
    "lambda.h5",
    "latest.h5",
    "legacy.pt",
    "script.pt",
    "xgboost.json",
    "xgboost.ubj",
];

fn look(bytes: &[u8]) -> Look {
    look_at_file(&bytes.to_vec()).unwrap()
}

/// A pickle that ends well, with these opcodes.
fn pickle(opcodes: &[u8]) -> Vec<u8> {
    [b"\x80\x04", opcodes, b"."].concat()
}

#[test]
fn no_way_to_import_stays_hidden() {
    let cases: [(&[u8], &str); 8] = [
        (b"ca.b\nc\n", "a.b.c"),
        (b"\x8c\x03a.b\x8c\x01c\x93", "a.b.c"),
        // through the memo
        (b"\x8c\x01c\x940\x8c\x03a.b\x94h\x00\x93", "a.b.c"),
        (b"(ia.b\nc\n", "a.b.c"),
        // names with escapes, or that a call made
        (b"Va\\u002eb\n\x8c\x01c\x93", "something whose name it makes up"),
        (b"\x8c\x01a)R\x8c\x01c\x93", "something whose name it makes up"),
        (b"\x82\x07", "what is registered under code 7"),
        (b"\x84\x07\x01\x00\x00", "what is registered under code 263"),
    ];
    for (opcodes, expected) in cases {
        let look = look(&pickle(opcodes));
        assert_eq!((look.nature, look.runs), (Nature::ExecutesCode, vec![format!("imports `{expected}`")]));
    }
}

#[test]
fn what_is_not_followed_to_its_end_is_not_data() {
    let values = pickle(b"K\x01");
    assert_eq!(look(&values).nature, Nature::Data);
    for bytes in [
        // cut; a length behind the end; an opcode that there is not; a memo that nobody filled; a mark that is missing
        values[..values.len() - 1].to_vec(),
        pickle(b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f"),
        pickle(b"\xff"),
        pickle(b"h\x07"),
        pickle(b"t"),
        // something else behind it
        [&values[..], b"rest"].concat(),
        pickle(&[b'('; 5 << 20]),
    ] {
        let found = look(&bytes);
        assert_eq!(found.nature, Nature::Unknown, "{found:?}");
        assert!(!found.unseen.is_empty());
    }
    // a second pickle counts
    assert_eq!(look(&[values, pickle(b"ca\nb\n")].concat()).runs, ["imports `a.b`"]);
}

#[test]
fn a_bomb_is_not_inflated_for_ever() {
    let mut bomb = ZlibEncoder::new(Vec::new(), Compression::best());
    bomb.write_all(b"\x80\x04\x8e\0\0\0\x20\0\0\0\0").unwrap();
    let zeros = vec![0; 1 << 20];
    (0..300).for_each(|_| bomb.write_all(&zeros).unwrap());
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    let found = look(&bomb);
    assert_eq!(found.nature, Nature::Unknown);
    assert!(found.unseen[0].contains("more than 256 MiB come out of it"), "{found:?}");
}

#[test]
fn an_array_that_lies_about_its_length_is_not_followed() {
    let mut bytes = sample("arrays.joblib");
    let at = bytes.windows(2).position(|window| window == b"K\x06").unwrap();
    bytes[at + 1] = 200;
    let found = look(&bytes);
    assert_eq!(found.nature, Nature::ExecutesCode);
    assert_eq!(found.unseen.len(), 1, "{found:?}");
}

#[test]
fn deep_nesting_ends() {
    for bytes in [
        [b"{\"learner\":".as_slice(), &[b'['; 100_000]].concat(),
        [b"{L\0\0\0\0\0\0\0\x01a".as_slice(), &[b'['; 100_000]].concat(),
        // a container of a number that takes no room
        b"{L\0\0\0\0\0\0\0\x01a[$Z#L\x7f\xff\xff\xff\xff\xff\xff\xff}".to_vec(),
        b"{L\0\0\0\0\0\0\0\x01a[$[#L\x7f\xff\xff\xff\xff\xff\xff\xff}".to_vec(),
    ] {
        assert_eq!(look(&bytes).nature, Nature::Unknown);
    }
}

#[test]
fn a_configuration_that_can_not_be_read_is_not_seen() {
    let (found, deep) = (sample("dense.keras"), b"\"class_name\"");
    let at = found.windows(deep.len()).position(|window| window == deep).unwrap();
    let mut bytes = found;
    bytes[at] = b'[';
    let found = look(&bytes);
    assert_eq!(found.nature, Nature::Unknown, "{found:?}");
}

#[test]
fn a_name_with_escapes_hides_no_layer() {
    let config = br#"{"class_\u006eame": "Lamb\u0064a", "config": {}, "module": "keras.layers"}"#;
    let mut hidden = sample("lambda.h5");
    let begins = b"{\"class_name\": \"Sequential\"";
    let start = hidden.windows(begins.len()).position(|window| window == begins).unwrap();
    let end = start + config.len();
    hidden[start..end].copy_from_slice(config);
    // the rest of the text is white
    let rest = hidden[end..].iter().position(|byte| *byte == 0).unwrap();
    hidden[end..end + rest].fill(b' ');
    assert_eq!(look(&hidden).runs, ["runs Python code that is in it (`Lambda`)"]);
}

#[test]
fn an_mlmodel_must_name_what_is_there() {
    let mlmodel =
        |path: &str| format!("flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n    data: {path}\n");
    let folder = |path: &str| Files::default().with("MLmodel", mlmodel(path)).with("inner/model.pkl", "K\u{1}.");
    for path in ["inner", "inner/", "./inner/model.pkl", "."] {
        assert_eq!(look_at_folder(&folder(path)).unwrap().look.nature, Nature::ExecutesCode, "{path}");
    }
    for (path, expected) in [
        ("model.pkl", "its `MLmodel` names `model.pkl`, which is not in the folder"),
        ("inne", "its `MLmodel` names `inne`, which is not in the folder"),
        ("../model.pkl", "its `MLmodel` names `../model.pkl`, which leads out of the folder"),
        ("/etc/passwd", "its `MLmodel` names `/etc/passwd`, which leads out of the folder"),
        ("s3://bucket/model", "its `MLmodel` names `s3://bucket/model`, which leads out of the folder"),
    ] {
        assert_eq!(look_at_folder(&folder(path)).unwrap_err().to_string(), expected);
    }
    for text in ["flavors: [", "", "flavors: {a: &x [*x, *x]}", "\u{7}"] {
        let fault = look_at_folder(&Files::default().with("MLmodel", text)).unwrap_err();
        assert!(matches!(fault, Fault::Mlmodel(_)), "{text}: {fault}");
    }
}

#[test]
fn what_is_no_content_is_refused() {
    assert!(matches!(look_at_file(&Vec::new()), Err(Fault::Empty)));
    assert!(matches!(look_at_folder(&Files::default()), Err(Fault::Empty)));
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 12\n", "0".repeat(64));
    let fault = look_at_folder(&Files::default().with("a.bin", pointer)).unwrap_err();
    assert!(fault.to_string().starts_with("`a.bin` in it is "), "{fault}");
}

#[test]
fn a_folder_is_data_if_all_of_it_is() {
    let folder = || Files::default().with("a/model.safetensors", sample("weights.safetensors"));
    let nature = |files: Files| look_at_folder(&files).unwrap().look.nature;
    assert_eq!(nature(folder().with("b.p", sample("weights-5.p"))), Nature::Data);
    assert_eq!(nature(folder().with("README.md", "read me")), Nature::Unknown);
    assert_eq!(nature(folder().with("modeling.py", "import os")), Nature::ExecutesCode);
}

proptest! {
    #[test]
    fn changed_bytes_make_no_panic(
        name in prop::sample::select(SAMPLES.as_slice()),
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = sample(name);
        for (at, to) in changes {
            let at = at % bytes.len();
            bytes[at] = to;
        }
        let _ = look_at_file(&bytes);
    }

    #[test]
    fn a_cut_file_makes_no_panic(name in prop::sample::select(SAMPLES.as_slice()), end: usize) {
        let bytes = sample(name);
        let _ = look_at_file(&bytes[..end % bytes.len()].to_vec());
    }

    #[test]
    fn no_mix_of_opcodes_makes_it_panic(opcodes in proptest::collection::vec(
        prop::sample::select(b"(.0123]}ast)\x85\x86\x87ldehq\x94\x81RbQNK\x01\x00\x8c\x01xcX\n\x93io".as_slice()), 0..120)
    ) {
        let _ = look_at_file(&pickle(&opcodes));
    }

    /// Whatever else a pickle does, an import that is reached is told.
    #[test]
    fn an_import_behind_any_values_is_told(values in proptest::collection::vec(0usize..6, 0..60)) {
        let value: [&[u8]; 6] = [b"N", b"K\x07", b"\x8c\x03abc\x94", b"]\x94", b"(K\x01t", b"}\x8c\x01aN" ];
        let mut opcodes = values.iter().flat_map(|at| value[*at].iter().copied()).collect::<Vec<u8>>();
        opcodes.extend_from_slice(b"cmodule\nname\n");
        prop_assert_eq!(look(&pickle(&opcodes)).runs, vec!["imports `module.name`".to_owned()]);
    }
}
