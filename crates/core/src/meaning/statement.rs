//! One thing that somebody says, and what a text must be to be said.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use super::{aspect::Aspect, tag_key::TagKey};
use crate::{ErrorKind, Problem, name::check_shown, redact::redact_text, visible::is_hidden};

/// What somebody says of a thing, or no longer says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Statement {
    pub aspect: Aspect,
    /// The key of a tag; empty of everything else.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// Absent: it is not said any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Statement {
    /// What is said, in the form in which it is kept: without secrets, white space around it, and foreign line ends. An
    /// empty text takes back what was said.
    pub fn new(aspect: Aspect, text: &str) -> Result<Self, Problem> {
        let text = kept(aspect, aspect.title(), text)?;
        Ok(Self { aspect, key: String::new(), text: (!text.is_empty()).then_some(text) })
    }

    /// A tag, whose value may be empty.
    pub fn tag(key: &TagKey, value: &str) -> Result<Self, Problem> {
        let value = kept(Aspect::Tag, &format!("value of tag `{key}`"), value)?;
        Ok(Self { aspect: Aspect::Tag, key: key.to_string(), text: Some(value) })
    }

    pub fn untag(key: &TagKey) -> Self {
        Self { aspect: Aspect::Tag, key: key.to_string(), text: None }
    }

    /// `owner`, `tag team`.
    pub fn title(&self) -> String {
        match self.key.as_str() {
            "" => self.aspect.title().to_owned(),
            key => format!("{} {key}", self.aspect.title()),
        }
    }
}

fn kept(aspect: Aspect, what: &str, text: &str) -> Result<String, Problem> {
    check(aspect, what, text)?;
    let text = match aspect.is_prose() {
        true => text.replace("\r\n", "\n").trim_end().to_owned(),
        false => text.trim().nfc().collect(),
    };
    Ok(redact_text(&text).text)
}

/// Refuses what is too long, and letters that can't be kept or that nobody sees. In prose some of these belong to
/// scripts; there they stay, and are shown by their numbers.
fn check(aspect: Aspect, what: &str, text: &str) -> Result<(), Problem> {
    let most = aspect.bytes_max();
    if text.len() > most {
        let message = format!("the {what} has {} bytes, at most {most} are taken", text.len());
        return Err(Problem::new(ErrorKind::TooLarge, message));
    }
    let wrong = |letter: char, reason: &str| {
        Err(Problem::invalid(format!("the {what} can't be kept: {reason} ({})", letter.escape_unicode())))
    };
    let is_layout = |letter: char| aspect.is_prose() && matches!(letter, '\n' | '\t');
    let text = text.replace("\r\n", "\n");
    if let Some(letter) = text.chars().find(|letter| letter.is_control() && !is_layout(*letter)) {
        return wrong(letter, "it has a control character");
    }
    if !aspect.is_prose()
        && let Err(reason) = check_shown(&text)
    {
        return wrong(text.chars().find(|letter| is_hidden(*letter)).unwrap_or_default(), reason);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(aspect: Aspect, text: &str) -> Option<String> {
        Statement::new(aspect, text).unwrap().text
    }

    #[test]
    fn what_is_said_is_kept_without_what_does_not_belong_to_it() {
        assert_eq!(text(Aspect::Description, "One.\r\n\r\nTwo.\n\n"), Some("One.\n\nTwo.".into()));
        assert_eq!(text(Aspect::Owner, "  risk "), Some("risk".into()));
        assert_eq!(text(Aspect::Owner, " "), None);
        // one spelling of what looks the same
        assert_eq!(text(Aspect::Owner, "Gro\u{308}ße"), Some("Größe".into()));
        assert_eq!(text(Aspect::Description, "<script>alert(1)</script>"), Some("<script>alert(1)</script>".into()));
        assert_eq!(text(Aspect::Description, "left \u{202e}right"), Some("left \u{202e}right".into()));
        let secret = text(Aspect::Description, "see https://ada:hunter2@db/x").unwrap();
        assert!(!secret.contains("hunter2"), "{secret}");
        // what is kept is kept as it is: declaring it again changes nothing
        assert_eq!(text(Aspect::Description, &secret), Some(secret));
        let tag = Statement::tag(&TagKey::new("pii").unwrap(), "").unwrap();
        assert_eq!((tag.title(), tag.text), ("tag pii".into(), Some(String::new())));
    }

    #[test]
    fn what_is_too_long_or_can_not_be_kept_is_refused() {
        let refused = |aspect, text: &str| Statement::new(aspect, text).unwrap_err();
        let problem = refused(Aspect::Description, &"x".repeat(10 << 20));
        assert_eq!(problem.kind, ErrorKind::TooLarge);
        assert_eq!(problem.message, "the description has 10485760 bytes, at most 16384 are taken");
        for (aspect, text, word) in [
            (Aspect::Owner, "risk\u{202e}ksir", "\\u{202e}"),
            (Aspect::Owner, "ri\u{200b}sk", "nobody sees"),
            (Aspect::Owner, "ri\nsk", "control character"),
            (Aspect::Licence, "MIT\u{0}", "control character"),
            (Aspect::Description, "a\u{0}b", "\\u{0}"),
            (Aspect::Card, "\u{1b}]0;title\u{7}", "\\u{1b}"),
        ] {
            let problem = refused(aspect, text);
            assert!(problem.message.contains(word), "{problem}");
        }
        assert!(Statement::new(Aspect::Owner, &"x".repeat(257)).is_err());
        assert!(Statement::tag(&TagKey::new("k").unwrap(), &"x".repeat(1025)).is_err());
    }

    #[test]
    fn the_stored_form_is_frozen() {
        for (statement, text) in [
            (Statement::new(Aspect::IntendedUse, "a").unwrap(), r#"{"aspect":"intended_use","text":"a"}"#),
            (Statement::new(Aspect::Owner, "").unwrap(), r#"{"aspect":"owner"}"#),
            (Statement::tag(&TagKey::new("k").unwrap(), "v").unwrap(), r#"{"aspect":"tag","key":"k","text":"v"}"#),
        ] {
            assert_eq!(serde_json::to_string(&statement).unwrap(), text);
            assert_eq!(serde_json::from_str::<Statement>(text).unwrap(), statement);
        }
    }
}
