//! A folder that registries and their tools take for an OCI image layout, with a model in it as ModelPack lays it out.
//!
//! One layer a file, raw: a layer's digest is the file's SHA-256. All is written beside the place where it goes, and put
//! there at the end, whole.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::{Value, json};
use sha2::Digest as _;
use stemma_core::{ErrorKind, Problem, Sha256, name::TreePath};
use tempfile::TempDir;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const ARTIFACT: &str = "application/vnd.cncf.model.manifest.v1+json";
const CONFIG: &str = "application/vnd.cncf.model.config.v1+json";
/// Readers of manifests take no longer ones.
const LAYERS_MAX: usize = 4000;
const COPY_BYTES: usize = 1 << 20;

/// What the artifact says of itself.
#[derive(Debug, Clone, Default)]
pub struct About {
    pub name: String,
    pub version: String,
    /// RFC 3339.
    pub created: Option<String>,
    pub authors: Vec<String>,
    pub format: Option<String>,
    /// Our ids of it, by the last part of the key.
    pub ids: BTreeMap<&'static str, String>,
    /// The layers are data and no model's weights.
    pub is_dataset: bool,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exported {
    pub path: PathBuf,
    /// The manifest's digest: the name that a registry gives the artifact.
    pub manifest: String,
    pub layers: usize,
    pub size: u64,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("`{}` is there already", .0.display())]
    Exists(PathBuf),
    #[error("`{}`: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("`{path}` is damaged: its SHA-256 is {found}, and should be {expected}")]
    Damaged { path: TreePath, expected: Sha256, found: Sha256 },
    #[error("more than {LAYERS_MAX} files: no registry takes a manifest of so many layers")]
    TooMany,
    #[error("there is no file in it")]
    Empty,
}

impl ExportError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

impl From<ExportError> for Problem {
    fn from(error: ExportError) -> Self {
        let message = error.to_string();
        match error {
            ExportError::Exists(_) => {
                Self::new(ErrorKind::Conflict, message).hint("name a folder that is not there yet with `-o DIR`")
            }
            ExportError::Io { .. } => Self::new(ErrorKind::Config, message),
            ExportError::Damaged { .. } => Self::new(ErrorKind::Corrupt, message).hint("see `stemma verify`"),
            ExportError::TooMany => Self::invalid(message).hint("pack the folder's files into fewer ones first"),
            ExportError::Empty => Self::invalid(message),
        }
    }
}

#[derive(Debug, Clone)]
struct Descriptor {
    media_type: &'static str,
    digest: Sha256,
    size: u64,
    annotations: BTreeMap<&'static str, String>,
}

/// A layout on its way.
pub struct OciLayout {
    target: PathBuf,
    staging: TempDir,
    about: About,
    layers: Vec<Descriptor>,
}

impl OciLayout {
    /// Begins beside the folder that it shall be; nothing may be there.
    pub fn begin(target: &Path, about: About) -> Result<Self, ExportError> {
        if target.symlink_metadata().is_ok() {
            return Err(ExportError::Exists(target.to_owned()));
        }
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        fs::create_dir_all(folder).map_err(|error| ExportError::io(folder, error))?;
        let staging = tempfile::Builder::new().prefix(".stemma-oci-").tempdir_in(folder);
        let staging = staging.map_err(|error| ExportError::io(folder, error))?;
        let blobs = staging.path().join("blobs/sha256");
        fs::create_dir_all(&blobs).map_err(|error| ExportError::io(&blobs, error))?;
        Ok(Self { target: target.to_owned(), staging, about, layers: Vec::new() })
    }

    /// A folder on the same disk for what is on its way; what lies there at the end must be removed before.
    pub fn staging(&self) -> &Path {
        self.staging.path()
    }

    /// Adds a file as a layer. What is read must have the SHA-256, if one is known.
    pub fn add(
        &mut self,
        path: &TreePath,
        executable: bool,
        expected: Option<Sha256>,
        source: &mut dyn Read,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), ExportError> {
        if self.layers.len() == LAYERS_MAX {
            return Err(ExportError::TooMany);
        }
        let (digest, size) = self.write_blob(source, progress)?;
        if let Some(expected) = expected.filter(|expected| *expected != digest) {
            return Err(ExportError::Damaged { path: path.clone(), expected, found: digest });
        }
        let metadata = json!({
            "name": path.file_name(), "mode": if executable { 0o755 } else { 0o644 }, "uid": 0, "gid": 0,
            "size": size, "mtime": "1970-01-01T00:00:00Z", "typeflag": b'0',
        });
        let annotations = BTreeMap::from([
            ("org.cncf.model.filepath", path.to_string()),
            ("org.cncf.model.file.metadata+json", metadata.to_string()),
        ]);
        let media_type = if self.about.is_dataset { DATASET } else { media_type(path) };
        self.layers.push(Descriptor { media_type, digest, size, annotations });
        Ok(())
    }

    /// Writes what ties the layers together, and puts the folder in its place.
    pub fn finish(mut self) -> Result<Exported, ExportError> {
        if self.layers.is_empty() {
            return Err(ExportError::Empty);
        }
        let config = self.write_json(CONFIG, &self.config())?;
        let layers: Vec<Value> = self.layers.iter().map(Descriptor::json).collect();
        let annotations = self.annotations();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": ARTIFACT, "config": config.json(),
            "layers": layers, "annotations": annotations,
        });
        let mut manifest = self.write_json(MANIFEST, &manifest)?;
        manifest.annotations.insert("org.opencontainers.image.ref.name", tag(&self.about.version));
        let mut entry = manifest.json();
        entry["artifactType"] = ARTIFACT.into();
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] });
        self.write_file("index.json", &index)?;
        self.write_file("oci-layout", &json!({ "imageLayoutVersion": "1.0.0" }))?;
        let size = self.layers.iter().map(|layer| layer.size).sum();
        let exported = Exported {
            path: self.target.clone(),
            manifest: manifest.digest.to_string(),
            layers: self.layers.len(),
            size,
        };
        self.put_in_place()?;
        Ok(exported)
    }

    fn config(&self) -> Value {
        let About { name, version, created, authors, format, ids, .. } = &self.about;
        let mut descriptor = json!({ "name": name, "version": version });
        if let Some(created) = created {
            descriptor["createdAt"] = created.as_str().into();
        }
        if !authors.is_empty() {
            descriptor["authors"] = json!(authors);
        }
        if let Some(digest) = ids.get("digest") {
            descriptor["revision"] = digest.as_str().into();
        }
        let config = format.as_ref().map_or(json!({}), |format| json!({ "format": format }));
        // a raw layer is what it unpacks to
        let contents: Vec<String> = self.layers.iter().map(|layer| layer.digest.to_string()).collect();
        json!({ "descriptor": descriptor, "config": config, "modelfs": { "type": "layers", "diffIds": contents } })
    }

    fn annotations(&self) -> BTreeMap<String, String> {
        let About { name, version, created, ids, .. } = &self.about;
        let mut annotations: BTreeMap<String, String> =
            ids.iter().map(|(key, id)| (format!("dev.stemma.{key}"), id.clone())).collect();
        annotations.insert("org.opencontainers.image.title".to_owned(), name.clone());
        annotations.insert("org.opencontainers.image.version".to_owned(), version.clone());
        annotations.extend(created.iter().map(|time| ("org.opencontainers.image.created".to_owned(), time.clone())));
        annotations
    }

    fn write_json(&mut self, media_type: &'static str, value: &Value) -> Result<Descriptor, ExportError> {
        let bytes = value.to_string().into_bytes();
        let (digest, size) = self.write_blob(&mut bytes.as_slice(), &mut |_| {})?;
        Ok(Descriptor { media_type, digest, size, annotations: BTreeMap::new() })
    }

    /// Copies a blob to where its SHA-256 says, which is known at its end.
    fn write_blob(&self, source: &mut dyn Read, progress: &mut dyn FnMut(u64)) -> Result<(Sha256, u64), ExportError> {
        let blobs = self.staging.path().join("blobs/sha256");
        let failed = |error| ExportError::io(&blobs, error);
        let mode = fs::Permissions::from_mode(0o644);
        let mut file = tempfile::Builder::new().permissions(mode).tempfile_in(&blobs).map_err(failed)?;
        let (mut hasher, mut size) = (sha2::Sha256::new(), 0);
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            let read = match source.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.map_err(failed)?,
            };
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
            file.write_all(&buffer[..read]).map_err(failed)?;
            size += read as u64;
            progress(read as u64);
        }
        file.as_file().sync_all().map_err(failed)?;
        let digest = Sha256::from_bytes(hasher.finalize().into());
        file.persist(blobs.join(digest.hex())).map_err(|error| failed(error.error))?;
        Ok((digest, size))
    }

    fn write_file(&self, name: &str, value: &Value) -> Result<(), ExportError> {
        let path = self.staging.path().join(name);
        let write = || {
            let mut file = File::create_new(&path)?;
            file.write_all(value.to_string().as_bytes())?;
            file.sync_all()
        };
        write().map_err(|error| ExportError::io(&path, error))
    }

    fn put_in_place(self) -> Result<(), ExportError> {
        let Self { target, staging, .. } = self;
        let put = || {
            fs::set_permissions(staging.path(), fs::Permissions::from_mode(0o755))?;
            for folder in ["blobs/sha256", "blobs", ""] {
                File::open(staging.path().join(folder))?.sync_all()?;
            }
            let here = rustix::fs::CWD;
            let flags = rustix::fs::RenameFlags::NOREPLACE;
            rustix::fs::renameat_with(here, staging.path(), here, &target, flags)?;
            File::open(target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?
                .sync_all()
        };
        match put() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(ExportError::Exists(target)),
            put => put.map_err(|error| ExportError::io(&target, error)),
        }
    }
}

impl Descriptor {
    fn json(&self) -> Value {
        let mut value = json!({
            "mediaType": self.media_type, "digest": self.digest.to_string(), "size": self.size,
        });
        if !self.annotations.is_empty() {
            value["annotations"] = json!(self.annotations);
        }
        value
    }
}

const WEIGHT: &str = "application/vnd.cncf.model.weight.v1.raw";
const WEIGHT_CONFIG: &str = "application/vnd.cncf.model.weight.config.v1.raw";
const DOC: &str = "application/vnd.cncf.model.doc.v1.raw";
const CODE: &str = "application/vnd.cncf.model.code.v1.raw";
const DATASET: &str = "application/vnd.cncf.model.dataset.v1.raw";

/// What a file of a model is for, by its name alone.
fn media_type(path: &TreePath) -> &'static str {
    let name = path.file_name().to_lowercase();
    let (stem, extension) = name.rsplit_once('.').unwrap_or((&name, ""));
    match extension {
        _ if ["readme", "license", "notice", "changelog"].contains(&stem) => DOC,
        "md" | "rst" | "pdf" | "html" => DOC,
        "py" | "sh" | "ipynb" | "rs" | "c" | "cpp" | "h" | "js" | "r" => CODE,
        "json" | "yaml" | "yml" | "toml" | "txt" | "jinja" | "model" | "vocab" | "ini" => WEIGHT_CONFIG,
        _ => WEIGHT,
    }
}

/// A version as a registry's tag: other signs are made `-`.
fn tag(version: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let tag: String = version.chars().map(|c| if allowed(c) { c } else { '-' }).take(128).collect();
    let tag = tag.trim_start_matches(['.', '-']);
    if tag.is_empty() { "latest".to_owned() } else { tag.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> About {
        About {
            name: "credit".to_owned(),
            version: "1.0.0+x".to_owned(),
            created: Some("2026-01-01T00:00:00Z".to_owned()),
            ids: BTreeMap::from([("digest", "b3:00".to_owned())]),
            ..About::default()
        }
    }

    /// Reads a blob that a descriptor names, and checks its digest and size as any other program would.
    fn blob(root: &Path, descriptor: &Value) -> Vec<u8> {
        let hex = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        let bytes = fs::read(root.join("blobs/sha256").join(hex)).unwrap();
        assert_eq!(Sha256::of(&bytes).hex(), hex);
        assert_eq!(descriptor["size"], bytes.len());
        bytes
    }

    #[test]
    fn every_digest_and_size_holds() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("deep/out");
        let mut layout = OciLayout::begin(&target, about()).unwrap();
        let files = [("model.onnx", "weights"), ("docs/README.md", "read me"), ("run.py", "weights")];
        for (path, text) in files {
            let expected = Some(Sha256::of(text.as_bytes()));
            layout.add(&path.parse().unwrap(), path == "run.py", expected, &mut text.as_bytes(), &mut |_| {}).unwrap();
        }
        let exported = layout.finish().unwrap();
        let index: Value = serde_json::from_slice(&fs::read(target.join("index.json")).unwrap()).unwrap();
        let entry = &index["manifests"][0];
        assert_eq!(entry["digest"], exported.manifest.as_str());
        assert_eq!(entry["annotations"]["org.opencontainers.image.ref.name"], "1.0.0-x");
        let manifest: Value = serde_json::from_slice(&blob(&target, entry)).unwrap();
        assert_eq!(manifest["artifactType"], ARTIFACT);
        assert_eq!(manifest["annotations"]["dev.stemma.digest"], "b3:00");
        let config: Value = serde_json::from_slice(&blob(&target, &manifest["config"])).unwrap();
        assert_eq!(manifest["config"]["mediaType"], CONFIG);
        assert_eq!(config["descriptor"]["revision"], "b3:00");
        for (index, (path, text)) in files.into_iter().enumerate() {
            let layer = &manifest["layers"][index];
            assert_eq!(blob(&target, layer), text.as_bytes());
            assert_eq!(layer["annotations"]["org.cncf.model.filepath"], path);
            assert_eq!(config["modelfs"]["diffIds"][index], layer["digest"]);
        }
        let kinds: Vec<&Value> = (0..3).map(|index| &manifest["layers"][index]["mediaType"]).collect();
        assert_eq!(kinds, [WEIGHT, DOC, CODE]);
        let blobs = fs::read_dir(target.join("blobs/sha256")).unwrap().count();
        assert_eq!(blobs, 4, "two layers of one content are one blob");
        assert!(matches!(OciLayout::begin(&target, about()), Err(ExportError::Exists(_))));
    }

    #[test]
    fn what_fails_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out");
        let mut layout = OciLayout::begin(&target, about()).unwrap();
        let wrong = Some(Sha256::of(b"other"));
        let error = layout.add(&"m.onnx".parse().unwrap(), false, wrong, &mut &b"weights"[..], &mut |_| {});
        assert!(matches!(error, Err(ExportError::Damaged { .. })));
        drop(layout);
        let empty = OciLayout::begin(&target, about()).unwrap();
        assert!(matches!(empty.finish(), Err(ExportError::Empty)));
        let mut late = OciLayout::begin(&target, about()).unwrap();
        late.add(&"m.onnx".parse().unwrap(), false, None, &mut &b"weights"[..], &mut |_| {}).unwrap();
        fs::create_dir(&target).unwrap();
        assert!(matches!(late.finish(), Err(ExportError::Exists(_))), "what came meanwhile stays");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn versions_become_tags() {
        for (version, expected) in [("1.1.0", "1.1.0"), ("a/b c", "a-b-c"), ("..", "latest"), ("", "latest")] {
            assert_eq!(tag(version), expected);
        }
    }
}
