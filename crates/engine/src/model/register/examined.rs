//! What content is before it is a version: its kind, its contract, and the model where it can be asked in this process.

use std::{collections::HashMap, io, sync::Arc};

use stemma_core::{
    Digest, Problem,
    look::{Look, ModelFormat},
    pointer::POINTER_BYTES_MAX,
    signature::{Contract, Signature},
};
use stemma_format::ReadAt;
use stemma_look::{LookedFolder, look_at_file, look_at_folder};
use stemma_onnx::{MODEL_BYTES_MAX, Model, OnnxError, signature_of};
use stemma_store::{Store, TreeEntry};

use crate::{
    Known,
    known::{Content, content::refuse_pointer},
    problem::{internal, store_problem},
};

/// Endings that mean one format only.
const NAMED: [(&str, ModelFormat); 5] = [
    ("gguf", ModelFormat::Gguf),
    ("keras", ModelFormat::Keras),
    ("onnx", ModelFormat::Onnx),
    ("safetensors", ModelFormat::Safetensors),
    ("ubj", ModelFormat::XgboostUbjson),
];
/// Paths of a folder that is a model.
const PATHS_MAX: usize = 1_000_000;

/// Content that was looked at.
pub struct Examined {
    pub look: Look,
    /// The error says in a clause that its contract is unknown.
    pub signature: Result<Signature, String>,
    pub contract: Contract,
    /// The error says in a clause why it can't be asked in this process.
    pub model: Result<Arc<Model>, String>,
}

/// Looks at content that is called `name`. `declared` is the contract that somebody stated for it.
pub(crate) async fn examine(
    known: &Known,
    content: &Content,
    name: &str,
    declared: Option<&Signature>,
) -> Result<Examined, Problem> {
    let (look, stated) = look_at(known, content, name).await?;
    check_name(name, &look)?;
    let (model, stated) = match look.format {
        ModelFormat::Onnx => {
            let (model, stated) = onnx(known, content, name).await?;
            (model, Some(stated))
        }
        format => (Err(format!("{} is not evaluated here", format.described())), stated),
    };
    let (signature, contract) = agree(stated, declared, name)?;
    Ok(Examined { look, signature, contract, model })
}

/// What a look finds, and the contract that a folder states itself.
async fn look_at(known: &Known, content: &Content, name: &str) -> Result<(Look, Option<Stated>), Problem> {
    let (store, content, name) = (known.store().clone(), *content, name.to_owned());
    let look = move || {
        let what = format!("`{name}`");
        if content.is_folder {
            let found = look_at_folder(&StoredFolder::open(store, content.digest, &what)?);
            return found.map(|found| (found.look, found.signature)).map_err(|fault| fault.refused(&what));
        }
        let blob = store.open_blob(&content.digest).map_err(store_problem)?;
        if blob.len() <= POINTER_BYTES_MAX {
            refuse_pointer(&what, &store.read(&content.digest, POINTER_BYTES_MAX).map_err(store_problem)?)?;
        }
        look_at_file(&blob).map(|look| (look, None)).map_err(|fault| fault.refused(&what))
    };
    tokio::task::spawn_blocking(look).await.map_err(internal)?
}

/// Refuses what is named as one thing and is nothing that is known: mostly it is damaged.
fn check_name(name: &str, look: &Look) -> Result<(), Problem> {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    let named = ending.and_then(|ending| NAMED.iter().find(|(known, _)| *known == ending));
    match named {
        Some((_, named)) if look.format == ModelFormat::Opaque => {
            let why = look.unseen.first().map(|unseen| format!(" (not looked at: {unseen})")).unwrap_or_default();
            let message =
                format!("`{name}` is named as {}, but is {}{why}", named.described(), look.format.described());
            Err(Problem::invalid(message).hint("is it written to its end? else give it another name"))
        }
        _ => Ok(()),
    }
}

/// A contract as content states it, or why that says nothing.
type Stated = Result<Signature, String>;

/// The model, or why it can't be run here; a graph that can't be run states its contract all the same.
async fn onnx(known: &Known, content: &Content, name: &str) -> Result<(Result<Arc<Model>, String>, Stated), Problem> {
    if content.size > MODEL_BYTES_MAX as u64 {
        let why = format!("an ONNX model of more than {} MiB is not evaluated here", MODEL_BYTES_MAX >> 20);
        return Ok((Err(why.clone()), Err(why)));
    }
    let error = match known.parse_model(content.digest).await? {
        Ok(model) => {
            let stated = model.signature().clone();
            return Ok((Ok(model), Ok(stated)));
        }
        Err(error @ OnnxError::ExternalData { .. }) => {
            return Err(Problem::invalid(format!("`{name}` is not the whole model: {error}"))
                .hint("save it without external data, or register the folder that has all of its files"));
        }
        Err(error) if error.is_damage() => {
            return Err(Problem::invalid(format!("`{name}` begins as an ONNX model, but {error}"))
                .hint("is it written to its end?"));
        }
        Err(error) => error,
    };
    let bytes = known.read_content(content.digest, MODEL_BYTES_MAX as u64).await?;
    let stated = tokio::task::spawn_blocking(move || signature_of(&bytes)).await.map_err(internal)?;
    Ok((Err(format!("it can't be evaluated here: {error}")), stated.map_err(|error| error.to_string())))
}

/// The contract, from the content if it states one. What is declared besides must be the same.
fn agree(
    stated: Option<Stated>,
    declared: Option<&Signature>,
    name: &str,
) -> Result<(Result<Signature, String>, Contract), Problem> {
    match (stated, declared) {
        (Some(Ok(stated)), Some(declared)) => {
            let changes = stated.changes_to(declared);
            if let Some(first) = changes.first() {
                let message = format!("the declared signature is not the one that `{name}` states: {}", first.what);
                return Err(
                    Problem::invalid(message).hint("leave it out: content that states its signature needs none")
                );
            }
            Ok((Ok(stated), Contract::Content))
        }
        (Some(Ok(stated)), None) => Ok((Ok(stated), Contract::Content)),
        (_, Some(declared)) => Ok((Ok(declared.clone()), Contract::Declared)),
        (Some(Err(why)), None) => Ok((Err(format!("its contract is unknown: {why}")), Contract::Unknown)),
        (None, None) => Ok((Err("its contract is unknown".to_owned()), Contract::Unknown)),
    }
}

/// A folder as it lies in the store.
struct StoredFolder {
    store: Store,
    files: Vec<String>,
    links: Vec<String>,
    digests: HashMap<String, Digest>,
}

impl StoredFolder {
    fn open(store: Store, tree: Digest, what: &str) -> Result<Self, Problem> {
        let entries = store.tree_entries(&tree).map_err(store_problem)?;
        let entries = entries.ok_or_else(|| internal(format!("the tree `{tree}` of {what} is not here")))?;
        let (mut files, mut links, mut digests) = (Vec::new(), Vec::new(), HashMap::new());
        for entry in entries {
            let (path, entry) = entry.map_err(store_problem)?;
            if files.len() + links.len() == PATHS_MAX {
                return Err(Problem::invalid(format!("{what} has more than {PATHS_MAX} paths"))
                    .hint("register the folder with the model alone"));
            }
            match entry {
                TreeEntry::File { digest, .. } => {
                    files.push(path.to_string());
                    digests.insert(path.to_string(), digest);
                }
                TreeEntry::Symlink { .. } => links.push(path.to_string()),
                TreeEntry::EmptyDirectory => {}
            }
        }
        Ok(Self { store, files, links, digests })
    }
}

impl LookedFolder for StoredFolder {
    fn files(&self) -> &[String] {
        &self.files
    }

    fn links(&self) -> &[String] {
        &self.links
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn ReadAt>> {
        let digest = self.digests.get(path).ok_or(io::ErrorKind::NotFound)?;
        let blob = self.store.open_blob(digest).map_err(io::Error::other)?;
        Ok(Box::new(blob))
    }
}
