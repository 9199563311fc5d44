//! A folder: an MLflow model, a TensorFlow SavedModel, or files that are looked at one by one.

use std::io;

use stemma_core::{
    look::{Look, ModelFormat},
    pointer::{POINTER_BYTES_MAX, Pointer},
    signature::Signature,
};
use stemma_format::ReadAt;

use crate::{
    fault::Fault,
    file,
    findings::Findings,
    mlmodel::{self, MLMODEL, Mlmodel},
    savedmodel::{self, KERAS_METADATA, SAVED_MODEL},
    tape::Budget,
};

/// Files that are looked into; of others only the names are known.
const FILES_MAX: usize = 10_000;
/// What TensorFlow keeps beside the graph: arrays, tables and what says so.
const BESIDE_GRAPH: [&str; 4] = ["variables/", "assets/", "fingerprint.pb", "saved_model.pbtxt"];

/// A folder with all that is below it.
pub trait LookedFolder {
    /// Paths of all files, as seen from the folder, with `/`.
    fn files(&self) -> &[String];

    /// Paths of all links; they lead to places inside of the folder.
    fn links(&self) -> &[String] {
        &[]
    }

    /// One of [`Self::files`].
    fn open(&self, path: &str) -> io::Result<Box<dyn ReadAt>>;
}

/// What a folder is.
#[derive(Debug)]
pub struct FolderLook {
    pub look: Look,
    /// The contract that it states itself; if it states one that has no tensors for it, why.
    pub signature: Option<Result<Signature, String>>,
}

/// Looks at a model that is a folder.
pub fn look_at_folder(folder: &dyn LookedFolder) -> Result<FolderLook, Fault> {
    if folder.files().is_empty() {
        return Err(Fault::Empty);
    }
    let has = |name: &str| folder.files().iter().any(|path| path == name);
    if has(MLMODEL) {
        let mlmodel = Mlmodel::read(&*folder.open(MLMODEL)?)?;
        mlmodel.check_files(folder.files(), folder.links())?;
        let mut found = mlmodel.findings();
        look_at_files(folder, &mut found, mlmodel::is_description)?;
        return Ok(FolderLook { look: found.look(), signature: mlmodel.signature() });
    }
    let mut found = match has(SAVED_MODEL) {
        true => savedmodel::findings(&*folder.open(SAVED_MODEL)?)?,
        false => Findings::of(ModelFormat::Folder),
    };
    let is_saved_model = found.format == ModelFormat::Savedmodel;
    if is_saved_model && has(KERAS_METADATA) {
        savedmodel::look_at_keras(&*folder.open(KERAS_METADATA)?, &mut found)?;
    }
    let is_known = |path: &str| {
        let is_beside = |known: &&str| path == *known || (known.ends_with('/') && path.starts_with(known));
        is_saved_model && ([SAVED_MODEL, KERAS_METADATA].contains(&path) || BESIDE_GRAPH.iter().any(is_beside))
    };
    look_at_files(folder, &mut found, is_known)?;
    Ok(FolderLook { look: found.look(), signature: None })
}

fn look_at_files(
    folder: &dyn LookedFolder,
    found: &mut Findings,
    is_known: impl Fn(&str) -> bool,
) -> Result<(), Fault> {
    let budget = Budget::new();
    for path in folder.files().iter().take(FILES_MAX) {
        let source = folder.open(path)?;
        check_pointer(path, &*source)?;
        if is_known(path) || source.is_empty() {
            continue;
        }
        if path.ends_with(".py") {
            found.runs.push(format!("`{path}` is Python"));
            continue;
        }
        let inner = file::findings(&*source, &budget).map_err(|fault| at(path, fault))?;
        found.file(path, inner);
    }
    let more = folder.files().len().saturating_sub(FILES_MAX);
    if more > 0 {
        found.unseen.push(format!("{more} files behind the first {FILES_MAX}"));
    }
    Ok(())
}

fn at(path: &str, fault: Fault) -> Fault {
    match fault {
        Fault::Dangerous { place, import } if place == "it" => Fault::Dangerous { place: format!("`{path}`"), import },
        Fault::Dangerous { place, import } => Fault::Dangerous { place: format!("{place}, in `{path}`,"), import },
        other => other,
    }
}

fn check_pointer(path: &str, source: &dyn ReadAt) -> Result<(), Fault> {
    if source.len() > POINTER_BYTES_MAX {
        return Ok(());
    }
    match Pointer::read(&source.bytes_at(0, POINTER_BYTES_MAX as usize)?) {
        Some(pointer) => Err(Fault::Pointer { path: path.to_owned(), pointer }),
        None => Ok(()),
    }
}
