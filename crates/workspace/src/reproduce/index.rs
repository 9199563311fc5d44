//! The package index as the caller's own pip knows it: nothing else of the caller's variables and settings gets to pip.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

/// Where packages come from, and how to get there.
const VARIABLES: [&str; 24] = [
    "ALL_PROXY",
    "CURL_CA_BUNDLE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "PIP_CERT",
    "PIP_CLIENT_CERT",
    "PIP_CONFIG_FILE",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_INDEX_URL",
    "PIP_NO_INDEX",
    "PIP_PROXY",
    "PIP_RETRIES",
    "PIP_TIMEOUT",
    "PIP_TRUSTED_HOST",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];
/// Settings of this machine's pip.
const SETTINGS: [&str; 2] = ["/etc/pip.conf", "/etc/xdg/pip/pip.conf"];
/// Those of a person, as seen from their home.
const OWN_SETTINGS: [&str; 2] = [".config/pip/pip.conf", ".pip/pip.conf"];

/// What pip gets to know, and to read for it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    pub variables: BTreeMap<OsString, OsString>,
    pub places: Vec<PathBuf>,
}

/// Reads the caller's variables.
pub(super) fn of_caller() -> Index {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let own = home.iter().flat_map(|home| OWN_SETTINGS.map(|path| home.join(path))).find(|path| path.is_file());
    let index = index(|name| std::env::var_os(name), own);
    let is_there = |place: &PathBuf| place.is_absolute() && place.exists();
    let places = index.places.into_iter().chain(SETTINGS.map(PathBuf::from)).filter(is_there).collect();
    Index { places, ..index }
}

fn index(variable: impl Fn(&str) -> Option<OsString>, own_settings: Option<PathBuf>) -> Index {
    let set = |name: &&str| Some((OsString::from(name), variable(name).filter(|value| !value.is_empty())?));
    let mut variables: BTreeMap<OsString, OsString> = VARIABLES.iter().filter_map(set).collect();
    // its home is another
    if let Some(own) = own_settings {
        variables.entry("PIP_CONFIG_FILE".into()).or_insert(own.into());
    }
    let places = variables.values().flat_map(|value| local_places(value)).collect();
    Index { variables, places }
}

/// Paths and addresses of files among the words of a value.
fn local_places(value: &OsStr) -> Vec<PathBuf> {
    let words = value.to_str().into_iter().flat_map(str::split_whitespace);
    let paths = words.map(|word| word.strip_prefix("file://").unwrap_or(word)).map(Path::new);
    paths.filter(|path| path.is_absolute()).map(Path::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_leads_to_packages_is_passed_on() {
        let all = [
            ("PIP_INDEX_URL", "https://user:pass@index.example/simple"),
            ("PIP_FIND_LINKS", "/srv/wheels file:///srv/more https://example.org/wheels"),
            ("PIP_TARGET", "/home/ada"),
            ("PIP_NO_INDEX", ""),
            ("STEMMA_TOKEN", "stm_secret"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ];
        let variable = |name: &str| all.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        let found = index(variable, Some("/home/ada/.pip/pip.conf".into()));
        let names: Vec<&OsStr> = found.variables.keys().map(OsString::as_os_str).collect();
        assert_eq!(names, ["PIP_CONFIG_FILE", "PIP_FIND_LINKS", "PIP_INDEX_URL"]);
        let places = ["/home/ada/.pip/pip.conf", "/srv/wheels", "/srv/more"].map(PathBuf::from);
        assert_eq!(found.places, places);
    }
}
