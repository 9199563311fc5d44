//! Settings, resolved once: flag, then environment, then file, then default.

use std::path::PathBuf;

/// Every environment variable that Stemma reads.
pub mod env {
    /// Address of a server to use as home instead of the local `.stemma/`.
    pub const SERVER: &str = "STEMMA_SERVER";
    /// The token to act with.
    pub const TOKEN: &str = "STEMMA_TOKEN";
    /// The project to work in; default: the one in `stemma.toml`, else `default`.
    pub const PROJECT: &str = "STEMMA_PROJECT";
    /// Log filter, as in `info` or `stemma_gateway=debug`.
    pub const LOG: &str = "STEMMA_LOG";
    /// Where user-wide settings and credentials lie; default `$XDG_CONFIG_HOME/stemma` or `~/.config/stemma`.
    pub const CONFIG_DIR: &str = "STEMMA_CONFIG_DIR";
    /// The highest capture level that `stemma run` may use: 4, 1 or 0.
    pub const CAPTURE: &str = "STEMMA_CAPTURE";
}

/// The user's folder for settings and credentials, if one can be named.
pub fn config_dir() -> Option<PathBuf> {
    if let Some(dir) = non_empty(env::CONFIG_DIR) {
        return Some(dir.into());
    }
    if let Some(dir) = non_empty("XDG_CONFIG_HOME") {
        return Some(PathBuf::from(dir).join("stemma"));
    }
    non_empty("HOME").map(|home| PathBuf::from(home).join(".config/stemma"))
}

fn non_empty(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
