//! Files that a run may read and nobody should keep: credentials, whole or in a line of a configuration.

use std::{ffi::OsStr, path::Path};

const FOLDERS: [&str; 11] =
    [".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".gcloud", "gcloud", "gh", ".kaggle", ".password-store"];
const NAMES: [&str; 16] = [
    ".netrc",
    "_netrc",
    ".pgpass",
    ".pypirc",
    ".npmrc",
    ".git-credentials",
    ".htpasswd",
    ".boto",
    ".s3cfg",
    "kaggle.json",
    "credentials.toml",
    ".databrickscfg",
    "rclone.conf",
    // of a hub, in `~/.cache/huggingface`
    "token",
    "stored_tokens",
    "application_default_credentials.json",
];
const EXTENSIONS: [&str; 7] = ["pem", "p12", "pfx", "jks", "kdbx", "ppk", "keystore"];
/// Endings of `.env.…` files that are meant to be shared.
const SHARED: [&str; 4] = ["example", "sample", "template", "dist"];
const KEY_PREFIXES: [&str; 4] = ["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"];

/// Whether a file is known by its place or name to hold credentials.
pub(super) fn is_credential_file(path: &Path) -> bool {
    let in_folder = path.parent().is_some_and(|folder| folder.iter().any(|part| is_one_of(part, &FOLDERS)));
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let is_key = KEY_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    in_folder
        || NAMES.contains(&name.as_str())
        || is_one_of(path.extension().unwrap_or_default(), &EXTENSIONS)
        || is_key && !name.ends_with(".pub")
        || is_env_file(&name)
}

/// `.env`, `.env.production`, `production.env`
fn is_env_file(name: &str) -> bool {
    if name.ends_with(".env") {
        return true;
    }
    name.strip_prefix(".env.").is_some_and(|rest| !SHARED.contains(&rest))
}

fn is_one_of(part: &OsStr, names: &[&str]) -> bool {
    names.iter().any(|name| part.eq_ignore_ascii_case(name))
}

/// Text that people write and in which a secret may stand: code and configuration, not data.
pub(super) fn is_written_by_hand(path: &Path) -> bool {
    const EXTENSIONS: [&str; 25] = [
        "py",
        "pyi",
        "pyx",
        "pyw",
        "ipynb",
        "r",
        "rmd",
        "jl",
        "sh",
        "sql",
        "scala",
        "lua",
        "js",
        "ts",
        "pl",
        "yaml",
        "yml",
        "toml",
        "json",
        "ini",
        "cfg",
        "conf",
        "properties",
        "xml",
        "tf",
    ];
    match path.extension() {
        Some(extension) => is_one_of(extension, &EXTENSIONS),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credential_files_are_known_by_place_and_name() {
        for path in [
            "/p/.env",
            "/p/.env.production",
            "/p/prod.env",
            "/home/ada/.ssh/config",
            "/home/ada/.aws/credentials",
            "/home/ada/.netrc",
            "/p/keys/id_ed25519",
            "/p/server.PEM",
            "/home/ada/.kaggle/kaggle.json",
            "/home/ada/.cache/huggingface/token",
            "/home/ada/.config/gcloud/credentials.db",
        ] {
            assert!(is_credential_file(Path::new(path)), "{path}");
        }
        for path in [
            "/p/.env.example",
            "/p/environment.yml",
            "/p/data/train.csv",
            "/p/keys/id_ed25519.pub",
            "/p/aws/credentials",
            "/p/train.py",
        ] {
            assert!(!is_credential_file(Path::new(path)), "{path}");
        }
    }
}
