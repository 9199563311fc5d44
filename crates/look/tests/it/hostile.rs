//! Files that lie, that are cut, and that hide what they do.

use std::io::Write as _;

use flate2::{
    Compression,
    write::{DeflateEncoder, ZlibEncoder},
};
use proptest::prelude::*;
use stemma_core::look::{Look, ModelFormat, Nature};
use stemma_look::{Fault, look_at_file, look_at_folder};

use crate::samples::{Files, place, sample};

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

pub fn look(bytes: &[u8]) -> Look {
    look_at_file(&bytes.to_vec()).unwrap()
}

/// A pickle that ends well, with these opcodes.
pub fn pickle(opcodes: &[u8]) -> Vec<u8> {
    [b"\x80\x04", opcodes, b"."].concat()
}

/// A member of a zip archive.
pub struct Member<'m> {
    name: &'m str,
    bytes: Vec<u8>,
    plain_len: usize,
    extra: &'m [u8],
}

pub fn stored<'m>(name: &'m str, bytes: &[u8]) -> Member<'m> {
    Member { name, bytes: bytes.to_vec(), plain_len: bytes.len(), extra: &[] }
}

pub fn deflated<'m>(name: &'m str, bytes: &[u8]) -> Member<'m> {
    let mut packed = DeflateEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes).unwrap();
    Member { name, bytes: packed.finish().unwrap(), plain_len: bytes.len(), extra: &[] }
}

/// A zip archive up to its directory, the directory, and the record at its end.
fn zip_parts(members: &[Member<'_>]) -> [Vec<u8>; 3] {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for Member { name, bytes: data, plain_len, extra } in members {
        let local = (bytes.len() as u32).to_le_bytes();
        let method = if data.len() == *plain_len { [0, 0] } else { [8, 0] };
        let sizes = [data.len() as u32, *plain_len as u32].map(u32::to_le_bytes).concat();
        let name_len = (name.len() as u16).to_le_bytes();
        let head = [&[0; 2][..], &method, &[0; 8], &sizes, &name_len].concat();
        bytes.extend([b"PK\x03\x04\0\0".as_slice(), &head, &[0; 2], name.as_bytes(), data].concat());
        let extra_len = (extra.len() as u16).to_le_bytes();
        directory.extend([b"PK\x01\x02\0\0\0\0".as_slice(), &head, &extra_len, &[0; 10], &local].concat());
        directory.extend([name.as_bytes(), extra].concat());
    }
    let entries = (members.len() as u16).to_le_bytes();
    let sizes = [directory.len() as u32, bytes.len() as u32].map(u32::to_le_bytes).concat();
    let end = [b"PK\x05\x06\0\0\0\0".as_slice(), &entries, &entries, &sizes, &[0; 2]].concat();
    [bytes, directory, end]
}

pub fn zip(members: &[Member<'_>]) -> Vec<u8> {
    zip_parts(members).concat()
}

/// A Keras model with this configuration.
pub fn keras(config: &str) -> Vec<u8> {
    zip(&[stored("metadata.json", b"{}"), stored("config.json", config.as_bytes())])
}

/// A field of a protobuf message.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let (low, high) = (bytes.len() as u8 & 0x7f | 0x80, (bytes.len() >> 7) as u8);
    assert!(high < 0x80);
    [[number << 3 | 2, low, high].as_slice(), bytes].concat()
}

pub const HARM: &[u8] = b"cos\nsystem\n(S'true'\ntR.";

pub fn refused(bytes: Vec<u8>) -> String {
    match look_at_file(&bytes) {
        Err(fault @ Fault::Dangerous { .. }) => fault.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_a_pickle_too_is_looked_at_as_one() {
    let told = "loading it would call `os.system`, which no model needs";
    // protobuf with a version and a graph, and a pickle that begins with bytes of no interest
    let len = HARM.len() as u8 | 0x80;
    let message = [b"\x80\x02C\x08\x01\x3a\x00\xfa\x01".as_slice(), &[len, 0x80, 0], HARM].concat();
    assert_eq!(refused(message), told);
    let harm = [b"0".as_slice(), HARM, &[b' '; 47]].concat();
    let message = [b"J\0\x08\x01\x3a\x30".as_slice(), &harm[1..49]].concat();
    assert_eq!(refused(message), told);
    // the same with the version first is ONNX, and no pickle
    let message = [b"\x08\x01\x3a\x00\xfa\x01".as_slice(), &[len, 0x80, 0], HARM].concat();
    assert_eq!(look(&message).format, ModelFormat::Onnx);

    // a header of safetensors, whose length is an opcode; it goes over bytes until it is in the array
    let header_len = 0x5043usize;
    let array = [[b' '; 7].as_slice(), HARM, &[0; 7]].concat();
    let begin = "{\"__metadata__\":{\"a\":\"";
    let end = format!("\"}},\"t\":{{\"dtype\":\"U8\",\"shape\":[{0}],\"data_offsets\":[0,{0}]}}}}", array.len());
    let mut text = vec![b'-'; header_len];
    text.iter_mut().enumerate().skip(52).for_each(|(at, byte)| *byte = [b'U', b'~'][at % 2]);
    text.truncate(header_len - begin.len() - end.len());
    let safetensors =
        [(header_len as u64).to_le_bytes().as_slice(), begin.as_bytes(), &text, end.as_bytes(), &array].concat();
    assert_eq!(refused(safetensors), told);

    // a checkpoint in a Keras model
    let both = [stored("metadata.json", b"{}"), stored("config.json", b"{}"), stored("x/data.pkl", HARM)];
    assert_eq!(refused(zip(&both)), "loading `x/data.pkl` in it would call `os.system`, which no model needs");
    // whatever follows it
    assert_eq!(refused([HARM, b"rest"].concat()), told);
}

#[test]
fn t12_an_archive_that_can_be_read_in_two_ways_is_not_data() {
    let values = pickle(b"K\x01");
    let members = || [stored("x/data.pkl", &values), stored("x/version", b"3")];
    assert_eq!(look(&zip(&members())).nature, Nature::Data);
    let [bytes, directory, end] = zip_parts(&members());
    // a directory somewhere else, which some readers look for right before the end
    let between = [&bytes[..], &directory, b"PK", &end].concat();
    // another end in the comment
    let mut commented = [&bytes[..], &directory, &end, b"PK\x05\x06..................!"].concat();
    let comment_len = commented.len() - end.len() - directory.len() - bytes.len();
    commented[bytes.len() + directory.len() + 20] = comment_len as u8;
    // a longer directory than the entries that it says
    let mut fewer = zip(&members());
    let at = fewer.len() - 14;
    fewer[at..at + 4].copy_from_slice(&[1, 0, 1, 0]);
    // the record for long archives, which says another place
    let record = [b"PK\x06\x06".as_slice(), &44u64.to_le_bytes(), &[0; 12], &[0; 32]].concat();
    let record_at = (bytes.len() + directory.len()) as u64;
    let locator = [b"PK\x06\x07".as_slice(), &[0; 4], &record_at.to_le_bytes(), &[1, 0, 0, 0]].concat();
    let long = [&bytes[..], &directory, &record, &locator, &end].concat();
    let named = |name, extra| zip(&[Member { extra, ..stored(name, &values) }, stored("x/version", b"3")]);
    let twice = zip(&[stored("x/data.pkl", &values), stored("x/data.pkl", &values)]);
    // the first local header says another thing than the directory: flags at 6, how it is packed at 8, its name at 30
    let local = |at: usize, byte: u8| {
        let mut bytes = zip(&members());
        bytes[at] = byte;
        bytes
    };
    for (what, bytes) in [
        ("between", between),
        ("comment", commented),
        ("fewer", fewer),
        ("long", long),
        ("nul", named("x/data.pkl\0.txt", &[])),
        ("name", named("x/data.pkl", b"\x75\x70\x05\x00\x01abcd")),
        ("twice", twice),
        ("local encryption", local(6, 1)),
        ("local packing", local(8, 8)),
        ("local name", local(30, b'y')),
        ("length of the local name", local(26, 9)),
    ] {
        let found = look(&bytes);
        assert_eq!((found.format, found.nature), (ModelFormat::Opaque, Nature::Unknown), "{what}: {found:?}");
    }
}

#[test]
fn names_of_torch_are_found_in_any_case() {
    let values = pickle(b"K\x01");
    for name in ["x/DATA.PKL", "x\\Data.pkl"] {
        let told = refused(zip(&[stored(name, HARM)]));
        assert_eq!(told, format!("loading `{name}` in it would call `os.system`, which no model needs"));
    }
    let found = look(&zip(&[stored("x/data.pkl", &values), stored("x/CODE/a.py", b"")]));
    assert_eq!((found.format, found.nature), (ModelFormat::Torchscript, Nature::ExecutesCode));
    let found = look(&zip(&[stored("x/data.pkl", &values), stored("x/Data.pkl", &values)]));
    assert_eq!(found.unseen, ["which of several members is taken for `x/Data.pkl`"]);
}

#[test]
fn a_number_of_messages_hides_no_attribute() {
    for name in ["lambda.h5", "dense.h5"] {
        let mut bytes = sample(name);
        let whole = look(&bytes);
        let header = u64::from_le_bytes(bytes[64..72].try_into().unwrap()) as usize;
        assert_eq!(bytes[header], 1);
        bytes[header + 2..header + 4].copy_from_slice(&[1, 0]);
        assert_eq!(look(&bytes), whole, "{name}");
    }
}

#[test]
fn a_keras_configuration_tells_what_it_reaches() {
    let object = |module: &str, class: &str, config: &str| {
        format!(r#"{{"layers": [{{"module": {module}, "class_name": "{class}", "config": {config}}}]}}"#)
    };
    for (module, class, config, told) in [
        ("\"keras.layers\"", "TorchModuleWrapper", "{}", "unpickles what is in it (`TorchModuleWrapper`)"),
        ("\"keras.layers\"", "TFSMLayer", "{}", "loads the model that it names (`TFSMLayer`)"),
        ("null", "TFOpLambda", "{}", "calls functions of TensorFlow that it names (`TFOpLambda`)"),
        ("\"keras.utils\"", "function", "\"get_file\"", "imports `keras.utils.get_file`"),
        ("\"keras.models\"", "function", "\"load_model\"", "imports `keras.models.load_model`"),
        ("\"keras.src.utils.file_utils\"", "function", "\"get_file\"", "imports `keras.src.utils.file_utils.get_file`"),
        ("\"keras\"", "function", "\"version\"", "imports `keras.version`"),
        ("\"keras.saving\"", "KerasFileEditor", "{}", "imports `keras.saving.KerasFileEditor`"),
        ("\"kerasx.layers\"", "Dense", "{}", "imports `kerasx.layers.Dense`"),
        ("null", "function", "\"f\"", "calls `f`"),
    ] {
        assert_eq!(look(&keras(&object(module, class, config))).runs, [told]);
    }
    for (module, class, config) in [
        ("\"keras.layers\"", "Dense", "{}"),
        ("\"keras\"", "Sequential", "{}"),
        ("\"keras.src.models.functional\"", "Functional", "{}"),
        ("\"keras.activations\"", "function", "\"relu\""),
        ("\"keras.src.activations.activations\"", "function", "\"relu\""),
        ("null", "Dense", "{}"),
    ] {
        assert_eq!(look(&keras(&object(module, class, config))).nature, Nature::Data, "{class}");
    }
    // the last of equal keys counts, and whoever holds a value that does not count is told all the same
    let twice = r#"{"class_name": "Dense", "class_name": "Lambda", "x": 1, "x": [{"class_name": "TFSMLayer"}]}"#;
    assert_eq!(look(&keras(twice)).runs.len(), 2);
}

#[test]
fn layers_of_keras_beside_a_graph_are_looked_at() {
    let layer = br#"{"class_name": "Lambda", "config": {}}"#;
    let told = ["runs Python code that is in it (`Lambda`)"];
    let files = || Files::of(&place("doubled"));
    let metadata = field(1, &[field(4, b"_tf_keras_layer"), field(5, layer)].concat());
    let found = look_at_folder(&files().with("keras_metadata.pb", &metadata)).unwrap().look;
    assert_eq!((found.format, found.runs.as_slice()), (ModelFormat::Savedmodel, told.map(str::to_owned).as_slice()));
    let dense = field(1, &[field(4, b"_tf_keras_layer"), field(5, br#"{"class_name": "Dense"}"#)].concat());
    let found = look_at_folder(&files().with("keras_metadata.pb", dense)).unwrap().look;
    assert_eq!(found.nature, Nature::Data, "{found:?}");
    let cut = look_at_folder(&files().with("keras_metadata.pb", &metadata[..20])).unwrap().look;
    assert_eq!(cut.unseen, ["layers of Keras in `keras_metadata.pb`, which can't be followed"]);

    // in the graph itself
    let object = |identifier: &[u8]| {
        let object = field(4, &[field(1, identifier), field(3, layer)].concat());
        field(2, &field(7, &field(1, &object)))
    };
    let with = |identifier: &[u8]| {
        let mut files = files();
        let at = files.paths.iter().position(|path| path == "saved_model.pb").unwrap();
        files.contents[at].extend(object(identifier));
        look_at_folder(&files).unwrap().look
    };
    assert_eq!(with(b"_tf_keras_layer").runs, told);
    assert_eq!(with(b"trackable_list_wrapper").nature, Nature::Data);
}

#[test]
fn what_a_look_costs_is_bounded_over_all_that_is_in_it() {
    // objects of JSON that are long only when they are inflated
    let config = |objects: usize| format!("[{}{{}}]", r#"{"":0},"#.repeat(objects));
    let archive = |config: &str| zip(&[stored("metadata.json", b"{}"), deflated("config.json", config.as_bytes())]);
    let bomb = archive(&config(9 << 20));
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    assert_eq!(look(&bomb).unseen, ["`config.json`, which is longer than 8 MiB"]);
    assert_eq!(look(&archive(&config(1 << 20))).nature, Nature::Data);

    // many files, each within the bounds of one
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    packed.write_all(b"\x80\x04\x8e\0\0\0\x06\0\0\0\0").unwrap();
    let zeros = vec![0; 1 << 20];
    (0..96).for_each(|_| packed.write_all(&zeros).unwrap());
    packed.write_all(b".").unwrap();
    let packed = packed.finish().unwrap();
    assert_eq!(look(&packed).nature, Nature::Data);
    let files = Files::default().with("a", &packed).with("b", &packed).with("c", &packed);
    let found = look_at_folder(&files).unwrap().look;
    assert_eq!(found.unseen.len(), 1, "{found:?}");
    assert!(found.unseen[0].contains("`c`: ") && found.unseen[0].contains("more than 256 MiB"), "{found:?}");
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
fn t11_a_bomb_is_not_inflated_for_ever() {
    let mut bomb = ZlibEncoder::new(Vec::new(), Compression::best());
    bomb.write_all(b"\x80\x04\x8e\0\0\0\x20\0\0\0\0").unwrap();
    let zeros = vec![0; 1 << 20];
    (0..300).for_each(|_| bomb.write_all(&zeros).unwrap());
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    let found = look(&bomb);
    assert_eq!(found.nature, Nature::Unknown);
    assert!(found.unseen[0].contains("more than 256 MiB come out of what is compressed"), "{found:?}");
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
fn t07_an_mlmodel_must_name_what_is_there() {
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
    let pyfunc = |line: &str| {
        let mlmodel = format!("flavors:\n  python_function:\n    loader_module: mlflow.pyfunc.model\n    {line}\n");
        look_at_folder(&Files::default().with("MLmodel", mlmodel).with("model.py", "x").with("a.pkl", "K\u{1}."))
    };
    for line in ["python_model: a.pkl", "model_code_path: /home/ada/work/model.py", "model_code_path: model.py"] {
        assert!(pyfunc(line).is_ok(), "{line}");
    }
    for (line, lacking) in [("python_model: b.pkl", "b.pkl"), ("model_code_path: /home/ada/work/other.py", "other.py")]
    {
        let expected = format!("its `MLmodel` names `{lacking}`, which is not in the folder");
        assert_eq!(pyfunc(line).unwrap_err().to_string(), expected);
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
    fn t32_changed_bytes_make_no_panic(
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
