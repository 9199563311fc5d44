//! `[witness.NAME]`: who keeps the heads of the home's history outside of it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use stemma_core::history::{KeyPurpose, VerifierKey};

/// A witness that is declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Declared", into = "Declared")]
pub enum WitnessSettings {
    /// A file in a folder on other storage; the folder has to be there, as one that is not mounted is not.
    Folder(PathBuf),
    /// Another Stemma, and the key that it co-signs with.
    Server { url: String, key: Box<VerifierKey> },
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    folder: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<VerifierKey>,
}

impl TryFrom<Declared> for WitnessSettings {
    type Error = &'static str;

    fn try_from(declared: Declared) -> Result<Self, Self::Error> {
        match (declared.folder, declared.server, declared.key) {
            (Some(folder), None, None) if folder.is_absolute() => Ok(Self::Folder(folder)),
            (Some(_), None, None) => Err("the `folder` of a witness is named from `/` on"),
            (None, Some(url), Some(key)) if key.purpose() == KeyPurpose::Cosignature => {
                Ok(Self::Server { url, key: Box::new(key) })
            }
            (None, Some(_), Some(_)) => {
                Err("the `key` is not one that a witness signs with; `stemma serve --witness-of` prints it")
            }
            (None, Some(_), None) => {
                Err("a witness that is a `server` needs its `key`; `stemma serve --witness-of` prints it")
            }
            _ => Err("a witness is either a `folder`, or a `server` with its `key`"),
        }
    }
}

impl From<WitnessSettings> for Declared {
    fn from(settings: WitnessSettings) -> Self {
        match settings {
            WitnessSettings::Folder(folder) => Self { folder: Some(folder), server: None, key: None },
            WitnessSettings::Server { url, key } => Self { folder: None, server: Some(url), key: Some(*key) },
        }
    }
}

#[cfg(test)]
mod tests {
    use stemma_core::{
        history::{SigningKey, cosigner_name, origin},
        id::HomeId,
    };

    use super::*;

    #[test]
    fn a_witness_is_a_folder_or_a_server_with_a_key() {
        let home = HomeId::from_u128(7);
        let key = SigningKey::new(&cosigner_name(home), KeyPurpose::Cosignature, &[1; 32]).verifier().clone();
        let of_home = SigningKey::new(&origin(home), KeyPurpose::Head, &[1; 32]).verifier().clone();
        let read = |text: &str| toml::from_str::<WitnessSettings>(text).map_err(|error| error.message().to_owned());
        assert_eq!(read("folder = \"/mnt/vault\""), Ok(WitnessSettings::Folder("/mnt/vault".into())));
        let url = "http://witness.example:7878".to_owned();
        let declared = format!("server = \"{url}\"\nkey = \"{key}\"");
        assert_eq!(read(&declared), Ok(WitnessSettings::Server { url: url.clone(), key: Box::new(key) }));
        for (text, expected) in [
            ("folder = \"vault\"".to_owned(), "named from `/` on"),
            (format!("server = \"{url}\""), "needs its `key`"),
            (format!("server = \"{url}\"\nkey = \"{of_home}\""), "not one that a witness signs with"),
            (format!("folder = \"/x\"\nserver = \"{url}\""), "either a `folder`"),
            (String::new(), "either a `folder`"),
            ("folder = \"/x\"\npath = 1".to_owned(), "unknown field `path`"),
        ] {
            let message = read(&text).unwrap_err();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }
}
