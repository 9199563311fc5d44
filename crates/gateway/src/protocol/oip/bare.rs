//! `NaN`, `Infinity` and `-Infinity` as numbers: no JSON, but what Python's encoders write, and the clients made with them.

use std::borrow::Cow;

/// What each token means to [`super::elements`]. NaN is the missing number, never the text of that name.
const TOKENS: [(&[u8], &[u8]); 3] =
    [(b"NaN", b"null"), (b"Infinity", b"\"Infinity\""), (b"-Infinity", b"\"-Infinity\"")];

/// The body with each such token as the JSON that means it; borrowed if there is none.
pub fn replaced(body: &[u8]) -> Cow<'_, [u8]> {
    let mut replaced = Vec::new();
    let (mut copied, mut at) = (0, 0);
    while at < body.len() {
        let rest = &body[at..];
        if rest[0] == b'"' {
            at += text_length(rest);
        } else if let Some((token, meant)) = TOKENS.into_iter().find(|(token, _)| rest.starts_with(token)) {
            replaced.extend_from_slice(&body[copied..at]);
            replaced.extend_from_slice(meant);
            at += token.len();
            copied = at;
        } else {
            at += 1;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(body);
    }
    replaced.extend_from_slice(&body[copied..]);
    Cow::Owned(replaced)
}

/// Bytes of the text that begins here, with its quotation marks; up to the end if it doesn't end.
fn text_length(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_are_replaced_and_texts_stay() {
        for (body, expected) in [
            (r#"[NaN, -Infinity,Infinity]"#, r#"[null, "-Infinity","Infinity"]"#),
            (r#"["NaN", "a\"NaN", "\\", NaN]"#, r#"["NaN", "a\"NaN", "\\", null]"#),
            (r#"{"Infinity": 1}"#, r#"{"Infinity": 1}"#),
            (r#""NaN"#, r#""NaN"#),
            ("\"\\", "\"\\"),
            ("", ""),
        ] {
            assert_eq!(replaced(body.as_bytes()), expected.as_bytes(), "{body}");
        }
    }

    proptest! {
        #[test]
        fn what_is_json_stays_as_it_is(texts in prop::collection::vec(any::<String>(), 0..5)) {
            let body = serde_json::to_vec(&texts).unwrap();
            prop_assert!(matches!(replaced(&body), Cow::Borrowed(_)));
        }
    }
}
