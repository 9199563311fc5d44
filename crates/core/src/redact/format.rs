//! Secrets that are known by their format, wherever they stand.

use std::{borrow::Cow, ops::Range, sync::LazyLock};

use regex::{Captures, Regex};

use super::secret::SecretKind;

/// Known formats; each has at most one group, and what it captures is taken out, else the whole match.
const FORMATS: [(SecretKind, &str); 26] = [
    (
        SecretKind::PrivateKey,
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)",
    ),
    (SecretKind::Jwt, r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    (SecretKind::AwsKey, r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b"),
    (SecretKind::GithubToken, r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,})"),
    (SecretKind::GitlabToken, r"\bglpat-[A-Za-z0-9_-]{20,}"),
    (SecretKind::SlackToken, r"\b(?:xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{20,})"),
    (SecretKind::SlackToken, r"https://hooks\.slack\.com/services/([A-Za-z0-9/]{20,})"),
    (SecretKind::GoogleKey, r"\bAIza[A-Za-z0-9_-]{35}"),
    (SecretKind::HuggingFaceToken, r"\bhf_[A-Za-z0-9]{30,}"),
    (SecretKind::SkKey, r"\bsk-(?:[a-z0-9]{2,10}-)*[A-Za-z0-9_]{20,}[A-Za-z0-9_-]*"),
    (SecretKind::SkKey, r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    (
        SecretKind::Token,
        r"\b(?:npm_[A-Za-z0-9]{36}|do[op]_v1_[a-f0-9]{64}|dapi[a-f0-9]{32}\b|wandb_v1_[A-Za-z0-9_]{20,})",
    ),
    (SecretKind::Token, r"\b(?:ya29\.[A-Za-z0-9_-]{20,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})"),
    (SecretKind::PypiToken, r"\bpypi-[A-Za-z0-9_-]{50,}"),
    (SecretKind::StemmaToken, r"\bstm_[A-Za-z0-9_-]{16,}"),
    (SecretKind::UrlPassword, r#"\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/@:"'<>]*:([^\s/"'<>«»]+)@"#),
    (SecretKind::Password, r#"\bsshpass[\t ]+-p[\t ]*["']?([^\s"'$«»|;&]+)"#),
    (SecretKind::Password, r#"\b(?:mysql|mysqldump|mariadb)\b[^\n|;&«»]*?[\t ]-p["']?([^\s"'$«»|;&]+)"#),
    (SecretKind::Password, r#"\bcurl\b[^\n|;&«»]*?[\t ](?:-u[\t ]*|--user[\t =])["']?[^\s"':$]+:([^\s"'$«»|;&]+)"#),
    (
        SecretKind::Password,
        r#"\bhttps?[\t ]+(?:[^\n|;&«»]*?[\t ])?(?:-a|--auth)[\t =]["']?[^\s"':$]+:([^\s"'$«»|;&]+)"#,
    ),
    (SecretKind::Password, r"(?i)\blogin[\t ]+\S+[\t ]+password[\t ]+([^\s«»]+)"),
    (SecretKind::Cookie, r#"(?i)\b(?:set-)?cookie["']?[\t ]*:[\t ]*["']?([^\s"'=;,«»]+=[^"'\n«»]+)"#),
    (SecretKind::Cookie, r#"\bcurl\b[^\n|;&«»]*?[\t ](?:-b[\t ]*|--cookie[\t =])["']?([^\s"'=«»]+=[^\s"'«»]+)"#),
    (
        SecretKind::Authorization,
        r#"(?i)\bauthorization["']?[\t ]*[:=][\t ]*["']?(?:digest|aws4-hmac-sha256|negotiate|ntlm|hawk|apikey)[\t ]+([^\n'«»]+)"#,
    ),
    (SecretKind::Signature, r#"(?i)\bSharedAccessSignature=([^\s;"'«»]+)"#),
    (SecretKind::Signature, r"(?i)[?&](?:x-amz-signature|x-goog-signature|signature|sig)=([A-Za-z0-9%+/_-]{16,}=*)"),
];

static FORMAT_PATTERNS: LazyLock<Vec<(SecretKind, Regex)>> = LazyLock::new(|| {
    let compile = |pattern| Regex::new(pattern).expect("the pattern is constant and tested");
    FORMATS.iter().map(|(kind, pattern)| (*kind, compile(pattern))).collect()
});

pub(super) fn formats(text: &str, found: &mut Vec<SecretKind>) -> String {
    let mut text = Cow::Borrowed(text);
    for (kind, pattern) in FORMAT_PATTERNS.iter() {
        let replaced = pattern.replace_all(&text, |captures: &Captures<'_>| {
            found.push(*kind);
            replace_in(&captures[0], inner_range(captures), &kind.mark())
        });
        if let Cow::Owned(changed) = replaced {
            text = Cow::Owned(changed);
        }
    }
    text.into_owned()
}

/// Where the first group lies within the whole match.
fn inner_range(captures: &Captures<'_>) -> Range<usize> {
    let start = captures.get(0).map_or(0, |whole| whole.start());
    captures.get(1).map_or(0..captures[0].len(), |group| group.start() - start..group.end() - start)
}

fn replace_in(text: &str, range: Range<usize>, replacement: &str) -> String {
    format!("{}{replacement}{}", &text[..range.start], &text[range.end..])
}
