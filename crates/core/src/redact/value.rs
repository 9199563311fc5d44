//! What tells a secret from a placeholder, an expression or a count.

use super::{
    name::{key_kind, words},
    secret::{MARK_START, SecretKind},
};

/// A value that hides nothing under this name. The shell's `PWD` is a folder, a database's a password.
pub(super) fn is_harmless(key: &str, value: &str) -> bool {
    let names_a_folder = matches!(words(key).as_slice(), [word] if word == "pwd" || word == "oldpwd");
    is_plain(value) || names_a_folder && value.trim_start_matches(['"', '\'']).starts_with(['/', '~', '.', '\\'])
}

/// Values that hide nothing: empty, a constant, a placeholder, a reference to somewhere else.
pub(super) fn is_plain(value: &str) -> bool {
    const CONSTANTS: [&str; 29] = [
        "basic",
        "bearer",
        "token",
        "none",
        "null",
        "nil",
        "true",
        "false",
        "yes",
        "no",
        "on",
        "off",
        "str",
        "string",
        "int",
        "bytes",
        "bool",
        "optional",
        "required",
        "secretstr",
        "...",
        "changeme",
        "prompt",
        "-",
        "env",
        "ok",
        "passed",
        "fail",
        "failed",
    ];
    let trimmed = value.trim();
    let lower = trimmed.to_ascii_lowercase();
    trimmed.is_empty()
        || trimmed.starts_with(MARK_START)
        || CONSTANTS.contains(&lower.as_str())
        || trimmed.starts_with(['$', '<', '%', '{', '@'])
        || trimmed.contains("${")
        || trimmed.chars().all(|letter| "*x.X".contains(letter))
        || lower.starts_with("os.environ")
        || lower.starts_with("env:")
        || lower.starts_with("file:")
}

/// Code rather than a value: a call, an index, an attribute, a type, or a variable that is itself named a secret.
pub(super) fn is_expression(value: &str) -> bool {
    let is_name = |text: &str| {
        !text.is_empty()
            && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
            && !text.starts_with(|letter: char| letter.is_ascii_digit())
    };
    value.contains(['(', '['])
        || (value.contains('.')
            && value.split('.').all(|part| is_name(part) && !part.chars().any(|c| c.is_ascii_digit())))
        || (is_name(value) && key_kind(value).is_some())
        || value.starts_with(['=', '!', '|', '&'])
}

/// A number too short to hide anything; before `token`, how many there are.
pub(super) fn is_count(kind: SecretKind, value: &str) -> bool {
    let digits_max = if kind == SecretKind::Token { 9 } else { 3 };
    value.len() <= digits_max && value.chars().all(|letter| letter.is_ascii_digit() || letter == '.')
}

/// Does a value look as if dice had made it, rather than a person who names things?
pub(super) fn looks_made_up(value: &str) -> bool {
    const LENGTH_MIN: usize = 8;
    const LENGTH_WITHOUT_DIGITS_MIN: usize = 16;
    const BITS_PER_LETTER_MIN: f64 = 2.5;
    let holds = |test: fn(&char) -> bool| value.chars().any(|letter| test(&letter));
    let is_mixed = holds(char::is_ascii_digit) && holds(char::is_ascii_alphabetic)
        || holds(char::is_ascii_lowercase)
            && holds(char::is_ascii_uppercase)
            && value.len() >= LENGTH_WITHOUT_DIGITS_MIN;
    let is_location = value.starts_with(['/', '.', '~']) || value.contains("://");
    is_mixed
        && !is_location
        && value.len() >= LENGTH_MIN
        && !value.contains(char::is_whitespace)
        && entropy_bits(value) >= BITS_PER_LETTER_MIN
}

fn entropy_bits(text: &str) -> f64 {
    let mut counts = [0u32; 256];
    for byte in text.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let length = text.len() as f64;
    counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / length).map(|p| -p * p.log2()).sum()
}
