//! `.dvc/config`: where the cache is and which remotes there are.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use stemma_workspace::file;

const CONFIG_BYTES_MAX: u64 = 1 << 20;
/// How many remotes may refer to each other in a row.
const REFERENCES_MAX: usize = 8;

/// The folders in which objects are looked for, the cache first.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stores {
    pub folders: Vec<PathBuf>,
    /// Remotes that are no folders.
    pub elsewhere: Vec<String>,
}

/// Section and option names in lower case.
type Sections = BTreeMap<(String, String), String>;

/// Reads the project's and the person's settings of a repository. What a person or a machine sets for all
/// repositories is not looked at.
pub fn read(root: &Path, remote: Option<&str>) -> Result<Stores, String> {
    let folder = root.join(".dvc");
    let mut sections = Sections::new();
    for name in ["config", "config.local"] {
        let path = folder.join(name);
        let text = file::read(&path, CONFIG_BYTES_MAX).map_err(|error| format!("`{}`: {error}", path.display()))?;
        parse(&text.unwrap_or_default(), &mut sections);
    }
    stores(&folder, &sections, remote)
}

fn stores(folder: &Path, sections: &Sections, remote: Option<&str>) -> Result<Stores, String> {
    let get = |section: &str, option: &str| sections.get(&(section.to_owned(), option.to_owned()));
    let cache = get("cache", "dir").map_or_else(|| folder.join("cache"), |dir| folder.join(dir));
    let mut stores = Stores { folders: vec![cache], elsewhere: Vec::new() };
    let mut add = |name: &str, url: &str, base: &Path| match resolve(url, sections) {
        Some(url) if !url.contains("://") => stores.folders.push(base.join(url)),
        url => stores.elsewhere.push(format!("{name} ({})", without_password(&url.unwrap_or_else(|| url_of(name))))),
    };
    if let Some(given) = remote {
        match get(&section_of(given), "url") {
            Some(url) => add(given, url, folder),
            None if given.contains("://") && !given.starts_with("file://") => {
                return Err(format!("`{}` is not a folder", without_password(given)));
            }
            None => add(given, given, Path::new("")),
        }
        return Ok(stores);
    }
    for ((section, option), url) in sections {
        let name = section.strip_prefix("remote \"").and_then(|rest| rest.strip_suffix('"'));
        if let (Some(name), "url") = (name, option.as_str()) {
            add(name, url, folder);
        }
    }
    Ok(stores)
}

fn section_of(remote: &str) -> String {
    format!("remote \"{}\"", remote.to_lowercase())
}

fn url_of(name: &str) -> String {
    format!("remote://{name}")
}

/// Follows `remote://NAME/path` and `file://`; `None` if it leads nowhere.
fn resolve(url: &str, sections: &Sections) -> Option<String> {
    let mut url = url.to_owned();
    for _ in 0..REFERENCES_MAX {
        let Some(reference) = url.strip_prefix("remote://") else {
            return Some(url.strip_prefix("file://").map(str::to_owned).unwrap_or(url));
        };
        let (name, path) = reference.split_once('/').unwrap_or((reference, ""));
        let base = sections.get(&(section_of(name), "url".to_owned()))?;
        url = if path.is_empty() { base.clone() } else { format!("{}/{path}", base.trim_end_matches('/')) };
    }
    None
}

fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(start), Some(at)) if at > start => format!("{}{}", &url[..start + 3], &url[at + 1..]),
        _ => url.to_owned(),
    }
}

fn parse(text: &str, sections: &mut Sections) {
    let mut section = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.split_once(']')) {
            section = unquoted(name.0.trim()).to_lowercase();
        } else if line.starts_with(['#', ';']) {
            continue;
        } else if let Some((option, value)) = line.split_once('=') {
            sections.insert((section.clone(), option.trim().to_lowercase()), value_of(value.trim()));
        }
    }
}

/// A value without its quotes, or without the comment behind it.
fn value_of(text: &str) -> String {
    if text.starts_with(['"', '\'']) {
        return unquoted(text).to_owned();
    }
    text.split(" #").next().unwrap_or(text).trim_end().to_owned()
}

fn unquoted(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some((inner, _)) = text.strip_prefix(quote).and_then(|rest| rest.rsplit_once(quote)) {
            return inner;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "\
        [core]\n    remote = Near\n    analytics = false\n\
        ['remote \"Near\"']\n    url = ../store # a comment\n\
        ['remote \"s3\"']\n    URL = s3://user:secret@bucket/prefix\n\
        ['remote \"below\"']\n    url = remote://near/deep\n\
        ['remote \"loop\"']\n    url = remote://loop\n\
        [cache]\n    dir = '/shared/cache'\n";

    fn stores_of(text: &str, remote: Option<&str>) -> Result<Stores, String> {
        let mut sections = Sections::new();
        parse(text, &mut sections);
        stores(Path::new("/repo/.dvc"), &sections, remote)
    }

    #[test]
    fn the_cache_comes_first_and_folders_are_seen_from_the_file() {
        let found = stores_of(CONFIG, None).unwrap();
        let folders = ["/shared/cache", "/repo/.dvc/../store/deep", "/repo/.dvc/../store"];
        assert_eq!(found.folders, folders.map(PathBuf::from));
        assert_eq!(found.elsewhere, ["loop (remote://loop)", "s3 (s3://bucket/prefix)"]);
        assert_eq!(stores_of("", None).unwrap().folders, [PathBuf::from("/repo/.dvc/cache")]);
    }

    #[test]
    fn one_remote_can_be_chosen_by_name_or_as_a_folder() {
        let found = stores_of(CONFIG, Some("near")).unwrap();
        assert_eq!(found.folders[1..], [PathBuf::from("/repo/.dvc/../store")]);
        let found = stores_of(CONFIG, Some("file:///mnt/store")).unwrap();
        assert_eq!(found.folders[1..], [PathBuf::from("/mnt/store")]);
        assert_eq!(stores_of(CONFIG, Some("gs://a:b@c/d")).unwrap_err(), "`gs://c/d` is not a folder");
    }
}
