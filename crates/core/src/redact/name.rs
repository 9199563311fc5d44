//! What a key's name says about its value.

use super::secret::SecretKind;

/// The last words of a key that say what it holds.
const SECRET_WORDS: [(SecretKind, &[&str]); 17] = [
    (SecretKind::Password, &["pass", "word"]),
    (SecretKind::ApiKey, &["api", "key"]),
    (SecretKind::ApiKey, &["apikey"]),
    (SecretKind::ApiKey, &["access", "key"]),
    (SecretKind::ApiKey, &["access", "key", "id"]),
    (SecretKind::ApiKey, &["accesskey"]),
    (SecretKind::ApiKey, &["account", "key"]),
    (SecretKind::Secret, &["secret"]),
    (SecretKind::Secret, &["secret", "key"]),
    (SecretKind::Secret, &["secrets"]),
    (SecretKind::PrivateKey, &["private", "key"]),
    (SecretKind::PrivateKey, &["encryption", "key"]),
    (SecretKind::Token, &["token"]),
    (SecretKind::Token, &["authtoken"]),
    (SecretKind::Credential, &["credential"]),
    (SecretKind::Credential, &["credentials"]),
    (SecretKind::Authorization, &["authorization"]),
];

/// Words before `token` that make it a piece of text rather than a secret.
const TEXT_TOKENS: [&str; 28] = [
    "pad", "eos", "bos", "unk", "cls", "sep", "mask", "sos", "start", "end", "stop", "special", "image", "audio",
    "video", "vocab", "next", "last", "first", "per", "prompt", "forced", "max", "min", "num", "n", "new", "each",
];

/// Words that mean a password also at the end of a longer one, as in `PGPASSWORD`.
const PASSWORD_WORDS: [&str; 5] = ["password", "passwd", "passphrase", "passcode", "pwd"];
/// What `pass` may follow in one word and mean a password: `dbpass`, and not `compass` or `bypass`.
const BEFORE_PASS: [&str; 36] = [
    "", "db", "sql", "pg", "mysql", "postgres", "mongo", "redis", "oracle", "jdbc", "odbc", "my", "user", "usr",
    "admin", "root", "login", "auth", "ssh", "ftp", "sftp", "smtp", "imap", "mail", "email", "http", "https", "proxy",
    "ldap", "vpn", "api", "app", "key", "store", "svc", "sudo",
];
/// Words before `pass` that make it a going-through: `forward_pass`, `first_pass`.
const GOING_THROUGH: [&str; 30] = [
    "forward", "backward", "first", "second", "third", "last", "next", "final", "single", "one", "two", "three",
    "multi", "double", "per", "n", "num", "max", "min", "by", "low", "high", "band", "all", "test", "tests", "did",
    "is", "must", "compiler",
];
/// Words behind the name that say which of several it is: `password_prod`.
const QUALIFIERS: [&str; 14] = [
    "prod",
    "production",
    "dev",
    "staging",
    "test",
    "local",
    "old",
    "new",
    "default",
    "value",
    "db",
    "admin",
    "root",
    "user",
];

/// What a key's name says about its value.
pub(super) fn key_kind(key: &str) -> Option<SecretKind> {
    let words = words(key);
    let mut words: Vec<&str> = words.iter().map(|word| word.trim_end_matches(|c: char| c.is_ascii_digit())).collect();
    while words.len() > 1 && words.last().is_some_and(|word| word.is_empty() || QUALIFIERS.contains(word)) {
        words.pop();
    }
    if is_password(&words) {
        return Some(SecretKind::Password);
    }
    let (kind, ending) = SECRET_WORDS.iter().find(|(_, ending)| words.ends_with(ending))?;
    let before = words.len().checked_sub(ending.len() + 1).map(|at| words[at]);
    let is_text = *kind == SecretKind::Token && before.is_some_and(|word| TEXT_TOKENS.contains(&word));
    (!is_text).then_some(*kind)
}

fn is_password(words: &[&str]) -> bool {
    let Some((last, before)) = words.split_last() else {
        return false;
    };
    let goes_through = before.last().is_some_and(|word| GOING_THROUGH.contains(word));
    PASSWORD_WORDS.iter().any(|word| last.ends_with(word))
        || last.strip_suffix("pass").is_some_and(|rest| BEFORE_PASS.contains(&rest)) && !goes_through
}

/// Splits `AWS_SECRET_ACCESS_KEY`, `x-api-key`, `db.password` and `clientSecret` into lower-case words.
pub(super) fn words(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before_was_lower = false;
    for letter in key.chars() {
        if !letter.is_ascii_alphanumeric() {
            words.push(String::new());
        } else {
            if letter.is_ascii_uppercase() && before_was_lower {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.push(letter.to_ascii_lowercase());
            }
        }
        before_was_lower = letter.is_ascii_lowercase() || letter.is_ascii_digit();
    }
    words.retain(|word| !word.is_empty());
    words
}
