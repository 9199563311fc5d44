//! Which remote it is: the first push leaves an id there, as the name of an object (`id/<32 hex>`, content `{"v":1}`),
//! and remembers it here, in `remote.json` beside the copies of the indexes. So a disk that is not mounted, a bucket
//! that was emptied or another prefix is not taken for a new remote.
//!
//! Two who push first at once leave two ids, and each of them means the remote.

use std::{collections::BTreeSet, fmt, fs, io, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    Catalog, Remote,
    catalog::{cache_error, write_beside},
    error::{RemoteError, Result},
};

const VERSION: u32 = 1;
const MARK: &[u8] = b"{\"v\":1}\n";
const MEMORY_FILE: &str = "remote.json";
/// Most ids of one remote.
const IDS_MAX: usize = 1000;

/// What is remembered here of a remote.
#[derive(Debug, Serialize, Deserialize)]
struct Memory {
    v: u32,
    id: String,
}

/// How a place stands to the remote that is remembered under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was pushed to it from here, and nothing is there.
    First,
    /// Others have pushed to it, or a program that left no id; by the id, if there is one.
    Met(Option<String>),
    /// It is the one that was pushed to before.
    Known,
    /// What was pushed to before is not there.
    Gone(Absence),
}

/// What is in the place of a remote that was pushed to before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    NotThere,
    Empty,
    Another,
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotThere => "is not there any more",
            Self::Empty => "is empty now",
            Self::Another => "is another one now",
        })
    }
}

/// What is known here and seen there.
struct Sight<'a> {
    known: Option<&'a str>,
    /// Whether anything of it was known to be there.
    had_content: bool,
    found: &'a BTreeSet<String>,
    is_empty: bool,
}

fn standing(sight: &Sight<'_>) -> Standing {
    let Sight { known, had_content, found, is_empty } = *sight;
    let is_lost = had_content && is_empty;
    match known {
        Some(known) if found.contains(known) && !is_lost => Standing::Known,
        Some(known) if !found.is_empty() && !found.contains(known) => Standing::Gone(Absence::Another),
        Some(_) if is_empty => Standing::Gone(Absence::Empty),
        Some(_) => Standing::Gone(Absence::Another),
        None if is_lost => Standing::Gone(Absence::Empty),
        None if found.is_empty() && is_empty => Standing::First,
        None => Standing::Met(found.first().cloned()),
    }
}

/// Whether a remote was pushed to or pulled from here, by the folder where its indexes are kept.
pub fn was_met(cache: &Path) -> Result<bool> {
    Ok(remembered(cache)?.is_some() || has_indexes(cache)?)
}

/// The id that is remembered of a remote; of a server, that of its home.
pub fn remembered(cache: &Path) -> Result<Option<String>> {
    let path = cache.join(MEMORY_FILE);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|source| cache_error(&path, source))?,
    };
    let memory: Memory = serde_json::from_slice(&bytes).map_err(|error| cache_error(&path, error.into()))?;
    match memory.v {
        VERSION => Ok(Some(memory.id)),
        version => {
            Err(RemoteError::UnknownVersion { object: path.display().to_string(), what: format!("format {version}") })
        }
    }
}

/// Remembers the id of a remote.
pub fn remember(cache: &Path, id: &str) -> Result<()> {
    fs::create_dir_all(cache).map_err(|source| cache_error(cache, source))?;
    let memory = Memory { v: VERSION, id: id.to_owned() };
    let bytes = serde_json::to_vec(&memory).map_err(|error| RemoteError::Worker(error.to_string()))?;
    write_beside(cache, MEMORY_FILE, &bytes)
}

fn has_indexes(cache: &Path) -> Result<bool> {
    let entries = match fs::read_dir(cache) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        entries => entries.map_err(|source| cache_error(cache, source))?,
    };
    for entry in entries {
        let path = entry.map_err(|source| cache_error(cache, source))?.path();
        if path.extension().is_some_and(|extension| extension == "idx") {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Remote {
    /// Compares what is there with what is remembered here.
    pub async fn standing(&self, catalog: &Catalog) -> Result<Standing> {
        let known = remembered(&self.cache)?;
        let sight = Sight {
            known: known.as_deref(),
            had_content: has_indexes(&self.cache)?,
            found: &self.ids().await?,
            is_empty: catalog.is_empty(),
        };
        Ok(standing(&sight))
    }

    /// Takes what is there for the remote from now on, and leaves an id if there is none.
    pub async fn adopt(&self) -> Result<()> {
        let ids = self.ids().await?;
        let known = remembered(&self.cache)?.filter(|known| ids.contains(known));
        let id = match known.or_else(|| ids.first().cloned()) {
            Some(id) => id,
            None => self.mark().await?,
        };
        remember(&self.cache, &id)
    }

    async fn ids(&self) -> Result<BTreeSet<String>> {
        let marks = self.wire.list(&self.root.clone().join("id"), IDS_MAX).await?;
        let is_id = |name: &&str| name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        Ok(marks.iter().filter_map(|mark| mark.location.filename()).filter(is_id).map(str::to_owned).collect())
    }

    async fn mark(&self) -> Result<String> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|error| RemoteError::Worker(error.to_string()))?;
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        self.wire.put(&self.root.clone().join("id").join(id.as_str()), MARK.into()).await?;
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_is_known_by_its_id_and_by_what_it_held() {
        let check = |known: Option<&str>, had_content, found: &[&str], is_empty| {
            let found = found.iter().map(|id| (*id).to_owned()).collect();
            standing(&Sight { known, had_content, found: &found, is_empty })
        };
        let gone = Standing::Gone;
        assert_eq!(check(None, false, &[], true), Standing::First);
        assert_eq!(check(None, false, &["a"], true), Standing::Met(Some("a".to_owned())));
        assert_eq!(check(None, false, &[], false), Standing::Met(None));
        assert_eq!(check(None, true, &[], false), Standing::Met(None), "homes of before there were ids");
        assert_eq!(check(None, true, &[], true), gone(Absence::Empty));
        assert_eq!(check(None, true, &["a"], true), gone(Absence::Empty));
        assert_eq!(check(Some("a"), true, &["a"], false), Standing::Known);
        assert_eq!(check(Some("a"), true, &["b", "a"], false), Standing::Known);
        assert_eq!(check(Some("a"), false, &["a"], true), Standing::Known, "the first push was cut short");
        assert_eq!(check(Some("a"), true, &["a"], true), gone(Absence::Empty));
        assert_eq!(check(Some("a"), false, &[], true), gone(Absence::Empty));
        assert_eq!(check(Some("a"), true, &["b"], false), gone(Absence::Another));
        assert_eq!(check(Some("a"), true, &["b"], true), gone(Absence::Another));
        assert_eq!(check(Some("a"), true, &[], false), gone(Absence::Another));
    }

    #[test]
    fn the_format_of_what_is_remembered_is_frozen() {
        let cache = tempfile::tempdir().unwrap();
        assert_eq!((remembered(cache.path()).unwrap(), was_met(cache.path()).unwrap()), (None, false));
        remember(cache.path(), "0123456789abcdef0123456789abcdef").unwrap();
        let text = fs::read_to_string(cache.path().join(MEMORY_FILE)).unwrap();
        assert_eq!(text, r#"{"v":1,"id":"0123456789abcdef0123456789abcdef"}"#);
        assert_eq!(remembered(cache.path()).unwrap().as_deref(), Some("0123456789abcdef0123456789abcdef"));
        fs::write(cache.path().join(MEMORY_FILE), r#"{"v":2,"id":""}"#).unwrap();
        assert!(matches!(remembered(cache.path()), Err(RemoteError::UnknownVersion { .. })));
        fs::write(cache.path().join(MEMORY_FILE), "").unwrap();
        assert!(remembered(cache.path()).is_err(), "not looked is not unknown");
    }
}
