//! The secrets of the person who runs a command, as far as it is known where such things lie: tokens, keys, and what
//! other tools keep for clouds and services.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use stemma_core::{Problem, redact::redact_variable};
use stemma_workspace::{
    credentials,
    reproduce::{SECRET_BYTES_MIN, Secret},
};

use crate::settings;

/// Files below a person's home in which other tools keep secrets.
const FILES: [&str; 24] = [
    ".aws/credentials",
    ".azure/msal_token_cache.json",
    ".cache/huggingface/token",
    ".cargo/credentials.toml",
    ".config/gcloud/application_default_credentials.json",
    ".config/gh/hosts.yml",
    ".config/git/credentials",
    ".config/glab-cli/config.yml",
    ".config/pip/pip.conf",
    ".config/rclone/rclone.conf",
    ".databrickscfg",
    ".dbt/profiles.yml",
    ".docker/config.json",
    ".git-credentials",
    ".huggingface/token",
    ".kaggle/kaggle.json",
    ".kube/config",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".pip/pip.conf",
    ".pypirc",
    ".s3cfg",
    ".vault-token",
];
/// Folders of keys there.
const FOLDERS: [&str; 2] = [".ssh", ".gnupg/private-keys-v1.d"];
/// Variables that name such a file elsewhere.
const VARIABLES_OF_FILES: [&str; 4] =
    ["AWS_SHARED_CREDENTIALS_FILE", "GOOGLE_APPLICATION_CREDENTIALS", "KUBECONFIG", "NETRC"];
/// Public parts, and lists of others' public parts.
const PUBLIC: [&str; 5] = ["pub", "authorized_keys", "known_hosts", "known_hosts.old", "config"];
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Shorter words of such a file are names rather than secrets.
const WORD_BYTES_MIN: usize = 16;
const FILES_MAX: usize = 1000;

/// What was found, and what could not be looked at.
#[derive(Debug, Default)]
pub struct Secrets {
    pub found: Vec<Secret>,
    /// Files that are there and could not be read, each with the reason.
    pub unread: Vec<String>,
}

/// Collects the secrets of the caller.
pub fn of_caller() -> Result<Secrets, Problem> {
    let mut secrets = Secrets::default();
    if let Some(folder) = settings::config_dir() {
        for (home, token) in credentials::all(&folder)? {
            secrets.add(format!("the token for `{home}`"), token.as_bytes());
        }
    }
    for (name, value) in std::env::vars_os() {
        let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
        secrets.add_variable(&name, &value);
    }
    let home = settings::home();
    let files = FILES.iter().flat_map(|file| home.iter().map(move |home| home.join(file)));
    let named = VARIABLES_OF_FILES.iter().filter_map(std::env::var_os).map(PathBuf::from);
    let all: BTreeSet<PathBuf> = files.chain(named).collect();
    all.iter().for_each(|file| secrets.add_file(file));
    for folder in FOLDERS.iter().flat_map(|folder| home.iter().map(move |home| home.join(folder))) {
        secrets.add_folder(&folder);
    }
    Ok(secrets)
}

impl Secrets {
    fn add(&mut self, name: String, value: &[u8]) {
        if value.len() >= SECRET_BYTES_MIN {
            self.found.push(Secret { name, value: value.to_owned() });
        }
    }

    /// A variable whose name says that it holds a secret, and passwords in addresses in any other.
    fn add_variable(&mut self, name: &str, value: &str) {
        if name == settings::env::TOKEN || is_secret(name, value) {
            self.add(format!("variable `{name}`"), value.trim().as_bytes());
        }
        for password in passwords_in_addresses(value) {
            self.add(format!("the password in variable `{name}`"), password.as_bytes());
        }
    }

    fn add_folder(&mut self, folder: &Path) {
        match fs::read_dir(folder) {
            Ok(entries) => {
                let mut files: Vec<PathBuf> = entries.take(FILES_MAX).flatten().map(|entry| entry.path()).collect();
                let ends_public = |path: &PathBuf| PUBLIC.iter().any(|end| path.to_string_lossy().ends_with(end));
                files.retain(|path| path.is_file() && !ends_public(path));
                files.sort();
                files.iter().for_each(|file| self.add_file(file));
            }
            Err(error) => self.miss(folder, &error),
        }
    }

    fn add_file(&mut self, file: &Path) {
        match read(file) {
            Ok(text) => {
                let name = format!("a secret in `{}`", file.display());
                words(&text).into_iter().for_each(|word| self.add(name.clone(), word.as_bytes()));
            }
            Err(error) => self.miss(file, &error),
        }
    }

    fn miss(&mut self, path: &Path, error: &io::Error) {
        if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
            self.unread.push(format!("`{}`: {error}", path.display()));
        }
    }
}

/// Reads a short file as text; what is no text in it is no word.
fn read(file: &Path) -> io::Result<String> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(String::from_utf8_lossy(&fs::read(file)?).into_owned())
}

/// Whether a variable's name says that it holds a secret; an address of which is one is no secret itself.
fn is_secret(name: &str, value: &str) -> bool {
    !redact_variable(name, "a7Kq93xV02mZp5Lr").found.is_empty() && !value.starts_with('/') && !value.contains("://")
}

/// As in `https://user:password@host/path`.
fn passwords_in_addresses(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().filter_map(|word| {
        let (_, rest) = word.split_once("://")?;
        let (person, _) = rest.split(['/', '?', '#']).next()?.rsplit_once('@')?;
        person.split_once(':').map(|(_, password)| password)
    })
}

/// The words of a file that look like secrets: long, of letters and digits.
fn words(text: &str) -> BTreeSet<&str> {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || "+/_-.~".contains(c);
    let words = text.split(|c| !is_of_word(c)).filter(|word| word.len() >= WORD_BYTES_MIN);
    let is_mixed = |word: &&str| {
        word.bytes().any(|byte| byte.is_ascii_digit()) && word.bytes().any(|byte| byte.is_ascii_alphabetic())
    };
    words.filter(is_mixed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(secrets: &Secrets) -> Vec<(&str, &str)> {
        secrets.found.iter().map(|one| (one.name.as_str(), std::str::from_utf8(&one.value).unwrap())).collect()
    }

    #[test]
    fn variables_are_secrets_by_their_names() {
        let mut secrets = Secrets::default();
        for (name, value) in [
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI"),
            ("STEMMA_TOKEN", "stm_0123456789"),
            ("DB_PASSWORD", "short"),
            ("HOME", "/home/ada"),
            ("PATH", "/usr/bin:/bin:/long/enough"),
            ("SSH_AUTH_SOCK", "/tmp/ssh-agent"),
            ("SSL_KEY_FILE", "/etc/ssl/key.pem"),
            ("PIP_INDEX_URL", "https://ada:hunter2hunter2@index.example/simple"),
        ] {
            secrets.add_variable(name, value);
        }
        let expected = [
            ("variable `AWS_SECRET_ACCESS_KEY`", "wJalrXUtnFEMI"),
            ("variable `STEMMA_TOKEN`", "stm_0123456789"),
            ("the password in variable `PIP_INDEX_URL`", "hunter2hunter2"),
        ];
        assert_eq!(values(&secrets), expected);
    }

    #[test]
    fn files_of_other_tools_are_taken_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).unwrap();
            let mut secrets = Secrets::default();
            secrets.add_file(&folder.path().join(name));
            secrets.found.into_iter().map(|one| String::from_utf8(one.value).unwrap()).collect::<Vec<_>>()
        };
        let aws = file("aws", "[default]\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n");
        assert_eq!(aws, ["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"]);
        let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU=\n-----END OPENSSH PRIVATE KEY-----\n";
        assert_eq!(file("key", key), ["b3BlbnNzaC1rZXktdjEAAAAABG5vbmU"]);
        assert_eq!(
            file("netrc", "machine api.example.org login ada password 0a1b2c3d4e5f6071\n"),
            ["0a1b2c3d4e5f6071"]
        );
        assert_eq!(
            file("docker", r#"{"auths":{"registry":{"auth":"dXNlcjpwYXNzd29yZDEyMw=="}}}"#),
            ["dXNlcjpwYXNzd29yZDEyMw"]
        );
    }

    #[test]
    fn what_is_not_there_is_nothing_and_what_can_not_be_read_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let mut secrets = Secrets::default();
        secrets.add_file(&folder.path().join("missing"));
        secrets.add_folder(&folder.path().join("missing"));
        assert!(secrets.found.is_empty() && secrets.unread.is_empty());
        let large = folder.path().join("large");
        fs::write(&large, vec![b'x'; 2 << 20]).unwrap();
        secrets.add_file(&large);
        assert_eq!(secrets.unread.len(), 1);
    }

    #[test]
    fn keys_are_looked_for_among_what_is_public() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["id_ed25519", "id_ed25519.pub", "known_hosts", "config"] {
            fs::write(folder.path().join(name), format!("{name}-0123456789abcdef")).unwrap();
        }
        let mut secrets = Secrets::default();
        secrets.add_folder(folder.path());
        assert_eq!(secrets.found.len(), 1);
        assert!(secrets.found[0].name.contains("id_ed25519"), "{:?}", secrets.found);
    }
}
