//! What can be a password.

use unicode_normalization::UnicodeNormalization as _;

use crate::{Problem, name::PrincipalName};

/// In characters. NIST SP 800-63B-4 asks for 15 where nothing else is asked for, and 8 beside a second factor.
pub const PASSWORD_CHARS_MIN: usize = 15;
/// In bytes: what is hashed has a bound.
const PASSWORD_BYTES_MAX: usize = 1000;
/// Fewer different letters are soon guessed.
const LETTERS_MIN: usize = 5;

/// A password as it is hashed, whatever keyboard it was typed on: Unicode normal form KC.
pub fn typed(text: &str) -> String {
    text.nfkc().collect()
}

/// Refuses what is soon guessed: a short one, few letters, or one made of the name.
pub fn check_password(text: &str, of: &PrincipalName) -> Result<(), Problem> {
    let letters: std::collections::BTreeSet<char> = text.chars().collect();
    let folded = text.to_lowercase();
    let name = of.as_str().to_lowercase();
    let person = name.split('@').next().unwrap_or(&name).to_owned();
    let without_name = folded.replace(&name, "").replace(&person, "");
    let reason = if text.len() > PASSWORD_BYTES_MAX {
        format!("it is longer than {PASSWORD_BYTES_MAX} bytes")
    } else if text.chars().count() < PASSWORD_CHARS_MIN {
        format!("it has fewer than {PASSWORD_CHARS_MIN} characters")
    } else if letters.len() < LETTERS_MIN {
        format!("it has fewer than {LETTERS_MIN} different characters")
    } else if text.chars().any(char::is_control) {
        "it has a control character".to_owned()
    } else if person.chars().count() > 2 && without_name.chars().count() < PASSWORD_CHARS_MIN - person.chars().count() {
        "it is hardly more than the name".to_owned()
    } else {
        return Ok(());
    };
    Err(Problem::invalid(format!("that can't be a password: {reason}")).hint("several words are easy to keep in mind"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_soon_guessed_is_refused() {
        let of: PrincipalName = "rita@bank.example".parse().unwrap();
        for (text, expected) in [
            ("", Some("fewer than 15 characters")),
            ("correct horse", Some("fewer than 15 characters")),
            ("aaaaaaaaaaaaaaaaaaaa", Some("different characters")),
            ("Rita@Bank.example", Some("hardly more than the name")),
            ("rita rita rita rita", Some("hardly more than the name")),
            ("correct horse\u{7} battery", Some("control character")),
            ("correct horse battery", None),
            ("r\u{fc}benkraut und spinat", None),
        ] {
            let found = check_password(text, &of).err().map(|problem| problem.message);
            assert_eq!(found.is_some(), expected.is_some(), "{text}: {found:?}");
            assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()), "{text}");
        }
        assert!(check_password(&"ab cd ".repeat(400), &of).is_err());
        assert_eq!(typed("\u{fb01}n"), "fin");
    }
}
