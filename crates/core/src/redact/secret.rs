//! What a secret was recognised as, and the mark that stands in its place.

use serde::{Deserialize, Serialize};

/// What a secret was recognised as; stands in its place as `«redacted:kind»`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretKind {
    AwsKey,
    GithubToken,
    GitlabToken,
    SlackToken,
    GoogleKey,
    HuggingFaceToken,
    SkKey,
    PypiToken,
    StemmaToken,
    Jwt,
    PrivateKey,
    UrlPassword,
    Password,
    ApiKey,
    Token,
    Secret,
    Credential,
    Authorization,
    Signature,
    Cookie,
}

impl SecretKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::AwsKey => "aws-key",
            Self::GithubToken => "github-token",
            Self::GitlabToken => "gitlab-token",
            Self::SlackToken => "slack-token",
            Self::GoogleKey => "google-key",
            Self::HuggingFaceToken => "hugging-face-token",
            Self::SkKey => "sk-key",
            Self::PypiToken => "pypi-token",
            Self::StemmaToken => "stemma-token",
            Self::Jwt => "jwt",
            Self::PrivateKey => "private-key",
            Self::UrlPassword => "url-password",
            Self::Password => "password",
            Self::ApiKey => "api-key",
            Self::Token => "token",
            Self::Secret => "secret",
            Self::Credential => "credential",
            Self::Authorization => "authorization",
            Self::Signature => "signature",
            Self::Cookie => "cookie",
        }
    }

    pub(super) fn mark(self) -> String {
        format!("{MARK_START}{}»", self.name())
    }
}

pub(super) const MARK_START: &str = "«redacted:";

/// Whether something was taken out of a text.
pub fn is_redacted(text: &str) -> bool {
    text.contains(MARK_START)
}
