//! What can be a name: the rules for one path component, and for what people call a thing.

use unicode_normalization::UnicodeNormalization as _;

use crate::visible::is_hidden;

/// Longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// A text that can't be a name, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {kind} name: {reason}")]
pub struct NameError {
    pub kind: &'static str,
    pub text: String,
    pub reason: &'static str,
}

/// Checks one path component; returns what is wrong with it.
pub fn check_component(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > NAME_BYTES_MAX {
        return Err("it is longer than 255 bytes");
    }
    if text == "." || text == ".." {
        return Err("`.` and `..` are not names");
    }
    if text.starts_with('~') {
        return Err("it starts with `~`");
    }
    if text.chars().any(char::is_control) {
        return Err("it has a control character");
    }
    if let Some(bad) = text.chars().find(|c| r"/\:%#?;".contains(*c)) {
        return Err(match bad {
            '/' | '\\' => "it has a path separator",
            ':' => "it has a `:`",
            '%' => "it has a `%`",
            _ => "it has one of `#`, `?`, `;`",
        });
    }
    if !text.is_ascii() && !text.nfc().eq(text.chars()) {
        return Err("it is not in Unicode normal form C");
    }
    Ok(())
}

/// Checks that a new name shows all of itself; returns what is wrong with it. Not part of the names' types: what was named
/// before this was asked must still be found.
pub fn check_shown(text: &str) -> Result<(), &'static str> {
    match text.chars().any(is_hidden) {
        true => Err("it has a letter that nobody sees"),
        false => Ok(()),
    }
}

/// The tool that keeps its own state in a folder of this name, in any spelling that some file system or Git takes for the
/// same: HFS+ leaves out what is not seen and folds case, NTFS leaves out dots and spaces at the end, takes a `:` for the
/// start of a stream, and gives short names as in `GIT~1`.
pub fn tool_of_component(component: &str) -> Option<&'static str> {
    let seen = component.chars().filter(|letter| !is_hidden(*letter));
    let folded: String = seen.flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
    let file = folded.split(':').next().unwrap_or(&folded).trim_end_matches([' ', '.']);
    let stem = file.split_once('~').filter(|(_, number)| is_number(number)).map(|(stem, _)| stem);
    // after the fourth of a kind the short name is two letters and four digits of a hash
    let is_hashed = |stem: &str, start: &str| {
        let hash = stem.strip_prefix(start);
        hash.is_some_and(|hash| hash.len() == 4 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    match (file, stem) {
        (".git", _) | (_, Some("git")) => Some("Git"),
        (".stemma", _) | (_, Some("stemma")) => Some("Stemma"),
        (_, Some(stem)) if is_hashed(stem, "gi") => Some("Git"),
        (_, Some(stem)) if is_hashed(stem, "st") => Some("Stemma"),
        _ => None,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Checks a name that people give to a thing: a path component without `@`, spaces at the ends, or a leading `.` or `-`.
pub fn check_name(text: &str) -> Result<(), &'static str> {
    check_component(text)?;
    if text.contains('@') {
        return Err("`@` separates a name from its version");
    }
    if text.starts_with(['.', '-']) {
        return Err("it starts with `.` or `-`");
    }
    if text.trim() != text {
        return Err("it starts or ends with white space");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_tools_are_known_in_every_spelling() {
        for name in [
            ".git",
            ".GIT",
            ".Git",
            ".git.",
            ".git..",
            ".git ",
            ".git. .",
            ".g\u{200c}it",
            "\u{feff}.git",
            ".git\u{200d}",
            ".gi\u{202e}t",
            ".g\u{131}t",
            ".git::$INDEX_ALLOCATION",
            ".git:x",
            "git~1",
            "GIT~1",
            "git~12",
            "git~1.",
            "gi7eba~1",
            ".stemma",
            ".STEMMA.",
            ".\u{17f}temma",
            ".stem\u{200b}ma",
            ".stemma::$DATA",
            "stemma~1",
            "STEMMA~2 ",
            "st0a1b~1",
        ] {
            let tool = if name.to_lowercase().contains("st") || name.contains('\u{17f}') { "Stemma" } else { "Git" };
            assert_eq!(tool_of_component(name), Some(tool), "{name:?}");
        }
        for name in [
            "git",
            ".gitignore",
            ".gitattributes",
            ".github",
            "a.git",
            "git~",
            "git~x",
            "git~1.txt",
            "git1",
            "legit~1",
            "stemma",
            "stemma.toml",
            ".stemmata",
            "start~1",
            "given~1",
            "gift12~1",
            "~1",
            "",
        ] {
            assert_eq!(tool_of_component(name), None, "{name:?}");
        }
    }
}
