//! How the words of a condition are written, so that they read back as the same.

use std::fmt;

use super::token::{begins_name, goes_on_name};

/// Words that are no names in any condition unless they stand in backticks.
const KEYWORDS: [&str; 5] = ["and", "or", "not", "true", "false"];

/// Writes a name: in backticks where it would be read as something else.
pub fn word(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    if is_plain(text) { f.write_str(text) } else { write!(f, "`{}`", text.replace('`', "``")) }
}

/// A text in quotes.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A number: in its shortest form, and without so many digits that none of them could be read.
pub fn number(number: f64) -> String {
    let text = number.to_string();
    if text.len() > 24 { format!("{number:e}") } else { text }
}

fn is_plain(text: &str) -> bool {
    text.starts_with(begins_name) && text.chars().all(goes_on_name) && !is_keyword(text)
}

pub fn is_keyword(text: &str) -> bool {
    KEYWORDS.iter().any(|keyword| text.eq_ignore_ascii_case(keyword))
}
