//! Settings, resolved once: flag, then environment, then file, then default.

use std::{path::PathBuf, time::Duration};

use stemma_core::Problem;
use stemma_engine::DatabaseUrl;

const LOCK_WAIT_SECONDS: u64 = 10;

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
    /// The file of the key that signs the home's heads, where it lies outside of the home.
    pub const SIGNING_KEY: &str = "STEMMA_SIGNING_KEY";
    /// Address of the PostgreSQL database that holds the home's ledger, with its password.
    pub const DATABASE: &str = "STEMMA_DATABASE";
    /// Seconds to wait for another command that holds the home; default 10.
    pub const LOCK_WAIT: &str = "STEMMA_LOCK_WAIT";
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

/// The file of the key that signs the home's heads, if the environment names one.
pub fn signing_key() -> Option<PathBuf> {
    non_empty(env::SIGNING_KEY).map(PathBuf::from)
}

/// The database that holds the home's ledger, if the environment names one.
pub fn database() -> Result<Option<DatabaseUrl>, Problem> {
    non_empty(env::DATABASE).map(|text| database_url(env::DATABASE, &text)).transpose()
}

/// Reads the address of a database. What was typed is not shown: a password may be in it.
pub fn database_url(named: &str, text: &str) -> Result<DatabaseUrl, Problem> {
    text.parse().map_err(|error| {
        Problem::invalid(format!("`{named}` can't be used: {error}")).hint(
            "write it as in `postgres://USER:PASSWORD@HOST:5432/DATABASE`, with `?schema=NAME` behind it if need be",
        )
    })
}

/// The token to act with, if the environment names one.
pub fn token() -> Option<String> {
    non_empty(env::TOKEN).map(|token| token.trim().to_owned())
}

/// The author's e-mail as Git reads it from the environment, before its settings.
pub fn author_email() -> Option<String> {
    non_empty("GIT_AUTHOR_EMAIL")
}

/// The user's e-mail as Git reads it from the environment, behind its settings.
pub fn email() -> Option<String> {
    non_empty("EMAIL")
}

/// The user's name on this machine.
pub fn user() -> Option<String> {
    non_empty("USER")
}

/// How long a command waits for a short-lived owner of its home.
pub fn lock_wait() -> Result<Duration, Problem> {
    let Some(text) = non_empty(env::LOCK_WAIT) else {
        return Ok(Duration::from_secs(LOCK_WAIT_SECONDS));
    };
    match text.parse() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => Err(Problem::invalid(format!("`{}` is `{text}`, expected whole seconds", env::LOCK_WAIT))),
    }
}

/// The user's home folder, if one is named.
pub fn home() -> Option<PathBuf> {
    non_empty("HOME").map(PathBuf::from)
}

/// The user's folder for sockets.
pub fn runtime_dir() -> Option<PathBuf> {
    non_empty("XDG_RUNTIME_DIR").map(PathBuf::from)
}

/// Variables that clients of object stores know; credentials come from nowhere else.
pub fn cloud_variables() -> Vec<(String, String)> {
    let is_known = |name: &str| ["AWS_", "GOOGLE_", "AZURE_"].iter().any(|start| name.starts_with(start));
    // `vars` would panic at a value that is not UTF-8
    let readable =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    readable.filter(|(name, value)| is_known(name) && !value.is_empty()).collect()
}

/// Bytes of memory that this machine has; 0 if it does not say.
pub fn memory() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok());
    total.map_or(0, |kib: u64| kib.saturating_mul(1024))
}

fn non_empty(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
