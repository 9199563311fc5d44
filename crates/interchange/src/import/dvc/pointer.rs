//! `.dvc` files, `dvc.yaml` and `dvc.lock`: which paths DVC tracks, and the names of their objects.
//!
//! The files are anybody's: their length, nesting and aliases have bounds, and no path is believed before
//! [`place`] has looked at it.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use stemma_core::name::TreePath;

use stemma_workspace::path::check_reserved;

use crate::import::object::ObjectId;

/// Longest pointer file. DVC's own parser takes minutes for files of this length.
pub const POINTER_BYTES_MAX: u64 = 16 << 20;

const DEPTH_MAX: usize = 64;
const EVENTS_MAX: usize = 4_000_000;
const ALIASES_MAX: usize = 10_000;
const REPLAYED_MAX: usize = 100_000;

/// Something that DVC tracks: a file or a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Out {
    /// As it is written.
    pub path: String,
    /// The directory that the path is seen from, itself seen from the pointer's.
    pub wdir: Option<String>,
    pub content: OutContent,
    /// As the pointer says; it may be wrong.
    pub size: u64,
    /// Where else the content may be, or why it may be nowhere.
    pub holder: Holder,
}

/// What a pointer says of the content.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OutContent {
    File(ObjectId),
    /// The object lists the files of the folder.
    Folder(ObjectId),
    /// The files stand in the pointer itself.
    Listed(Vec<ListedFile>),
    /// There is none.
    Nothing(String),
    /// There is some that could not be checked.
    Unusable(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ListedFile {
    pub path: String,
    pub id: Result<ObjectId, String>,
    pub executable: bool,
}

/// Where an object may lie besides the cache and the remotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    Stores,
    /// The pointer says that Git keeps the file.
    Git,
    /// Another repository's remote.
    OtherRepository,
    /// A bucket that keeps versions under the files' own names.
    VersionedBucket,
}

#[derive(Deserialize)]
struct PointerFile {
    outs: Option<Vec<RawOut>>,
    deps: Option<Vec<RawDep>>,
    wdir: Option<String>,
}

#[derive(Deserialize)]
struct RawDep {
    repo: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct RawOut {
    path: Option<String>,
    md5: Option<String>,
    etag: Option<String>,
    checksum: Option<String>,
    hash: Option<String>,
    size: Option<Value>,
    cache: Option<bool>,
    files: Option<Vec<RawFile>>,
    cloud: Option<serde::de::IgnoredAny>,
    version_id: Option<String>,
}

#[derive(Deserialize)]
struct RawFile {
    relpath: String,
    md5: Option<String>,
    isexec: Option<bool>,
    cloud: Option<serde::de::IgnoredAny>,
}

/// Reads a `.dvc` file.
pub fn parse_pointer(text: &[u8]) -> Result<Vec<Out>, String> {
    let file: PointerFile = parse(text)?;
    let imported = file.deps.unwrap_or_default().iter().any(|dep| dep.repo.is_some());
    let holder = if imported { Holder::OtherRepository } else { Holder::Stores };
    file.outs.unwrap_or_default().into_iter().map(|out| read_out(out, file.wdir.clone(), holder)).collect()
}

#[derive(Deserialize)]
struct LockFile {
    schema: Option<Value>,
    stages: Option<BTreeMap<String, LockStage>>,
}

#[derive(Deserialize)]
struct LockStage {
    outs: Option<Vec<RawOut>>,
}

/// Reads a `dvc.lock`; `pipeline` is the `dvc.yaml` beside it, which alone says what its paths are seen from.
pub fn parse_lock(text: &[u8], pipeline: Option<&[u8]>) -> Result<Vec<Out>, String> {
    let lock: LockFile = parse(text)?;
    let stages = match (lock.schema, lock.stages) {
        // before there was a schema the stages stood on top
        (None, _) => parse(text)?,
        (Some(schema), stages) if schema == "2.0" || schema == 2.0 => stages.unwrap_or_default(),
        (Some(schema), _) => return Err(format!("its schema is {schema}; 2.0 is known")),
    };
    let pipeline = pipeline.ok_or_else(|| "there is no `dvc.yaml` beside it".to_owned())?;
    let pipeline = Pipeline::parse(pipeline).map_err(|reason| format!("`dvc.yaml` beside it: {reason}"))?;
    let mut outs = Vec::new();
    for (name, stage) in stages {
        // a stage that is gone may stay in the lock for ever
        let Some(declared) = pipeline.stage(&name) else { continue };
        for out in stage.outs.unwrap_or_default() {
            let mut out = read_out(out, declared.wdir.clone(), Holder::Stores)?;
            if declared.is_in_git(&out.path) {
                out.holder = Holder::Git;
            }
            outs.push(out);
        }
    }
    Ok(outs)
}

fn read_out(raw: RawOut, wdir: Option<String>, holder: Holder) -> Result<Out, String> {
    let path = raw.path.clone().ok_or_else(|| "an entry has no path".to_owned())?;
    let size = raw.size.as_ref().and_then(Value::as_u64).unwrap_or(0);
    let versioned = raw.cloud.is_some() || raw.version_id.is_some();
    let versioned = versioned || raw.files.iter().flatten().any(|file| file.cloud.is_some());
    let holder = match holder {
        Holder::Stores if versioned => Holder::VersionedBucket,
        Holder::Stores if raw.cache == Some(false) => Holder::Git,
        holder => holder,
    };
    Ok(Out { path, wdir, content: read_content(raw), size, holder })
}

fn read_content(raw: RawOut) -> OutContent {
    let legacy = match raw.hash.as_deref() {
        None => true,
        Some("md5") => false,
        Some(other) => return OutContent::Unusable(format!("its hash is `{other}`, not an MD5")),
    };
    if let Some(files) = raw.files {
        // lists in pointers came with DVC 3
        let listed = |file: RawFile| ListedFile {
            path: file.relpath,
            id: object(file.md5.as_deref().unwrap_or_default(), false),
            executable: file.isexec.unwrap_or(false),
        };
        return OutContent::Listed(files.into_iter().map(listed).collect());
    }
    let Some(md5) = raw.md5 else {
        return if raw.etag.is_some() || raw.checksum.is_some() {
            OutContent::Unusable("it has a hash of its remote only, no MD5".to_owned())
        } else {
            OutContent::Nothing("it has no hash: DVC has not fetched or made it yet".to_owned())
        };
    };
    let (hex, folder) = match md5.strip_suffix(".dir") {
        Some(hex) => (hex, true),
        None => (md5.as_str(), false),
    };
    match object(hex, legacy) {
        Ok(id) if folder => OutContent::Folder(id),
        Ok(id) => OutContent::File(id),
        Err(reason) => OutContent::Unusable(reason),
    }
}

/// The name of an object as a pointer or a listing writes it.
pub fn object(hex: &str, legacy: bool) -> Result<ObjectId, String> {
    let md5 = ObjectId::md5_from_hex(hex).ok_or_else(|| format!("`{}` is not an MD5", abridged(hex)))?;
    Ok(if legacy { ObjectId::Md5Dos2Unix(md5) } else { ObjectId::Md5(md5) })
}

/// A text that somebody else wrote, short enough for a message.
pub fn abridged(text: &str) -> String {
    const CHARS_MAX: usize = 200;
    match text.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// What is needed of a `dvc.yaml`.
struct Pipeline {
    stages: HashMap<String, Declared>,
}

struct Declared {
    wdir: Option<String>,
    uncached: Vec<String>,
    cached: Vec<String>,
}

#[derive(Deserialize)]
struct PipelineFile {
    stages: Option<HashMap<String, RawStage>>,
}

#[derive(Deserialize)]
struct RawStage {
    wdir: Option<String>,
    outs: Option<Value>,
    metrics: Option<Value>,
    plots: Option<Value>,
    #[serde(rename = "do")]
    each: Option<Box<RawStage>>,
}

impl Pipeline {
    fn parse(text: &[u8]) -> Result<Self, String> {
        let file: PipelineFile = parse(text)?;
        let declared = |(name, stage): (String, RawStage)| {
            let stage = stage.each.map_or(stage_parts(stage.wdir, [stage.outs, stage.metrics, stage.plots]), |each| {
                stage_parts(each.wdir, [each.outs, each.metrics, each.plots])
            });
            (name, stage)
        };
        Ok(Self { stages: file.stages.unwrap_or_default().into_iter().map(declared).collect() })
    }

    /// The declaration of a stage, or of the template that it was made from.
    fn stage(&self, name: &str) -> Option<&Declared> {
        let template = || self.stages.get(name.split_once('@')?.0);
        self.stages.get(name).or_else(template)
    }
}

fn stage_parts(wdir: Option<String>, lists: [Option<Value>; 3]) -> Declared {
    let entries = lists.into_iter().flatten().filter_map(|list| match list {
        Value::Array(entries) => Some(entries),
        _ => None,
    });
    let (mut uncached, mut cached) = (Vec::new(), Vec::new());
    for entry in entries.flatten() {
        match entry {
            Value::String(path) => cached.push(path),
            Value::Object(flags) => {
                for (path, flags) in flags {
                    let kept = flags.get("cache") != Some(&Value::Bool(false));
                    if kept { cached.push(path) } else { uncached.push(path) }
                }
            }
            _ => {}
        }
    }
    Declared { wdir, uncached, cached }
}

impl Declared {
    /// Whether the stage says `cache: false` of a path, or of a template that it must come from.
    fn is_in_git(&self, path: &str) -> bool {
        let fits = |declared: &String| match declared.split_once("${") {
            None => declared == path,
            Some((start, rest)) => {
                let end = rest.rsplit_once('}').map_or("", |(_, end)| end);
                path.len() >= start.len() + end.len() && path.starts_with(start) && path.ends_with(end)
            }
        };
        self.uncached.iter().any(fits) && !self.cached.iter().any(fits)
    }
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    let text = std::str::from_utf8(text).map_err(|_| "it is not UTF-8".to_owned())?;
    let length = usize::try_from(POINTER_BYTES_MAX).unwrap_or(usize::MAX);
    if text.len() > length {
        return Err(format!("it is longer than {POINTER_BYTES_MAX} bytes"));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            max_events: EVENTS_MAX,
            max_nodes: EVENTS_MAX,
            max_aliases: ALIASES_MAX,
            max_total_scalar_bytes: length,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: REPLAYED_MAX },
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| abridged(&error.to_string()))
}

/// Where an out lies, seen from the project's root: resolved by name only, and never outside of it.
pub fn place(folder: &str, wdir: Option<&str>, path: &str) -> Result<TreePath, String> {
    let escapes = || format!("`{}` leads out of the project", abridged(path));
    let mut components: Vec<&str> = Vec::new();
    for part in [folder, wdir.unwrap_or_default(), path] {
        if part.contains("${") {
            return Err(format!("its folder is a template, `{}`", abridged(part)));
        }
        if part.contains("://") {
            return Err(format!("`{}` lies outside of the project", abridged(part)));
        }
        if part.starts_with('/') || part.as_bytes().get(1) == Some(&b':') {
            return Err(format!("`{}` is an absolute path", abridged(part)));
        }
        for component in part.split('/') {
            match component {
                "" | "." => {}
                ".." => components.pop().map(drop).ok_or_else(escapes)?,
                name => components.push(name),
            }
        }
    }
    let path = TreePath::new(components.join("/")).map_err(|error| error.to_string())?;
    check_reserved(path.as_str().as_ref()).map_err(|error| error.to_string())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "b1946ac92492d2347c6235b4d2611184";

    fn one(text: &str) -> Out {
        let mut outs = parse_pointer(text.as_bytes()).unwrap();
        assert_eq!(outs.len(), 1, "{text}");
        outs.remove(0)
    }

    fn md5(hex: &str) -> ObjectId {
        ObjectId::Md5(ObjectId::md5_from_hex(hex).unwrap())
    }

    #[test]
    fn every_kind_of_pointer_is_read() {
        let folder = one(&format!("outs:\n- md5: {HEX}.dir\n  size: 15\n  nfiles: 3\n  hash: md5\n  path: data\n"));
        assert_eq!((&folder.content, folder.size, folder.holder), (&OutContent::Folder(md5(HEX)), 15, Holder::Stores));
        let legacy = one(&format!("outs:\n- md5: {HEX}\n  path: data\nwdir: ..\n"));
        assert_eq!(legacy.content, OutContent::File(object(HEX, true).unwrap()));
        assert_eq!(legacy.wdir.as_deref(), Some(".."));
        let imported = one(&format!(
            "frozen: true\ndeps:\n- path: a\n  repo: {{url: u}}\nouts: [{{md5: {HEX}, hash: md5, path: p}}]"
        ));
        assert_eq!(imported.holder, Holder::OtherRepository);
        let partial = one("outs:\n- path: data\n  hash: md5\n");
        assert!(matches!(partial.content, OutContent::Nothing(_)));
        let etag = one("outs:\n- path: data\n  etag: '\"abc\"'\n  hash: md5\n");
        assert!(matches!(etag.content, OutContent::Unusable(_)));
        let blake = one("outs:\n- path: data\n  md5: aa\n  hash: blake3\n");
        assert!(matches!(blake.content, OutContent::Unusable(_)));
    }

    #[test]
    fn files_in_a_versioned_bucket_are_listed_in_the_pointer() {
        let out = one(&format!(
            "outs:\n- path: data\n  hash: md5\n  files:\n  - relpath: a.txt\n    md5: {HEX}\n    size: 6\n    cloud:\n      \
             r: {{etag: x, version_id: y}}\n"
        ));
        assert_eq!(out.holder, Holder::VersionedBucket);
        let file = ListedFile { path: "a.txt".to_owned(), id: Ok(md5(HEX)), executable: false };
        assert_eq!(out.content, OutContent::Listed(vec![file]));
    }

    #[test]
    fn hashes_that_look_like_numbers_keep_every_digit() {
        for hex in [
            "00000000000000000000000000000001",
            "12345678901234567890123456789012",
            "1234567890123456789012345678e012",
            "0x345678901234567890123456789012",
            "B1946AC92492D2347C6235B4D2611184",
        ] {
            let out = one(&format!("outs:\n- md5: {hex}\n  hash: md5\n  path: 007\n"));
            match (out.content, hex.starts_with("0x")) {
                (OutContent::File(id), false) => assert_eq!(id.hex(), hex.to_lowercase()),
                (OutContent::Unusable(_), true) => {}
                (other, _) => panic!("{hex}: {other:?}"),
            }
            assert_eq!(out.path, "007");
        }
    }

    #[test]
    fn what_is_no_pointer_is_refused_with_a_reason() {
        let duplicate = format!("outs:\n- md5: {HEX}\n  md5: {HEX}\n  path: a\n");
        for bad in [duplicate.as_str(), "outs: 3", "- a", "outs:\n- md5: aa\n", "outs: [a", "\u{0}", "a: &a [*a, *a"] {
            let reason = parse_pointer(bad.as_bytes()).unwrap_err();
            assert!(!reason.is_empty() && reason.len() < 1000, "{bad}");
        }
        assert!(parse_pointer(b"\xff\xfe").unwrap_err().contains("UTF-8"));
        assert!(parse_pointer(b"outs:\n").unwrap().is_empty());
    }

    #[test]
    fn neither_aliases_nor_depth_nor_length_take_it_down() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let below = vec![format!("*a{}", level - 1); 9].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        bomb.push_str("outs: *a11\n");
        assert!(parse_pointer(bomb.as_bytes()).is_err());
        let deep = format!("outs: {}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(parse_pointer(deep.as_bytes()).is_err());
        let meta = format!("meta: {}{}\nouts: []\n", "{a: ".repeat(5000), "}".repeat(5000));
        assert!(parse_pointer(meta.as_bytes()).is_err());
        let long = vec![b'#'; usize::try_from(POINTER_BYTES_MAX).unwrap() + 1];
        assert!(parse_pointer(&long).unwrap_err().contains("longer"));
    }

    #[test]
    fn a_lock_needs_its_pipeline_to_say_where_things_are() {
        let entry =
            |path: &str| format!("    outs:\n    - path: {path}\n      hash: md5\n      md5: {HEX}\n      size: 6\n");
        let lock = format!(
            "schema: '2.0'\nstages:\n  prep:\n    cmd: x\n{}  train@2:\n    cmd: y\n{}  gone:\n    cmd: z\n{}",
            entry("out"),
            entry("m2.json"),
            entry("old")
        );
        let pipeline = "stages:\n  prep:\n    wdir: sub\n    cmd: x\n    outs: [out]\n  train:\n    matrix: {d: [1, 2]}\n    \
             cmd: y\n    metrics:\n    - m${item.d}.json: {cache: false}\n";
        let outs = parse_lock(lock.as_bytes(), Some(pipeline.as_bytes())).unwrap();
        let told: Vec<_> = outs.iter().map(|out| (out.path.as_str(), out.wdir.as_deref(), out.holder)).collect();
        assert_eq!(told, [("out", Some("sub"), Holder::Stores), ("m2.json", None, Holder::Git)]);
        assert!(parse_lock(lock.as_bytes(), None).unwrap_err().contains("dvc.yaml"));
        assert!(parse_lock(lock.as_bytes(), Some(b"stages: 3")).unwrap_err().contains("dvc.yaml"));
        let newer = lock.replace("'2.0'", "'3.0'");
        assert!(parse_lock(newer.as_bytes(), Some(pipeline.as_bytes())).unwrap_err().contains("schema"));
        let older = "prep:\n  cmd: x\n  outs:\n  - path: out\n    md5: 00000000000000000000000000000001\n";
        assert_eq!(parse_lock(older.as_bytes(), Some(pipeline.as_bytes())).unwrap().len(), 1);
        let each = "stages:\n  train:\n    foreach: [1, 2]\n    do:\n      wdir: deep/${item}\n      cmd: y\n";
        let outs = parse_lock(lock.as_bytes(), Some(each.as_bytes())).unwrap();
        assert!(place("", outs[0].wdir.as_deref(), &outs[0].path).unwrap_err().contains("template"));
    }

    #[test]
    fn no_path_leads_out_of_the_project() {
        let good = [
            ("", None, "a", "a"),
            ("sub/deep", Some(".."), "../data", "data"),
            ("sub", Some("./x//y/"), "z", "sub/x/y/z"),
            ("a", None, "./b/../c/", "a/c"),
        ];
        for (folder, wdir, path, expected) in good {
            assert_eq!(place(folder, wdir, path).unwrap().as_str(), expected);
        }
        for (folder, wdir, path) in [
            ("", None, ".."),
            ("a", None, "../../b"),
            ("a", Some("../.."), "b"),
            ("", None, "/etc/passwd"),
            ("", Some("/etc"), "passwd"),
            ("", None, "C:/x"),
            ("", None, "s3://bucket/key"),
            ("", None, "remote://r/key"),
            ("", None, "a\\..\\b"),
            ("", None, "a\nb"),
            ("", None, ""),
            ("a", None, ".."),
            ("", None, ".git/config"),
            ("", None, "x/.STEMMA/y"),
            ("", None, "stemma.lock"),
        ] {
            assert!(place(folder, wdir, path).is_err(), "{folder} {wdir:?} {path}");
        }
    }
}
