//! Where a page of a search ended, as a text. It belongs to one search: in another it would lead anywhere.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use stemma_core::{Digest, Problem};
use stemma_ledger::{Mark, MarkKey};

/// The form, version 1.
#[derive(Serialize, Deserialize)]
struct Written {
    v: u32,
    /// Of the search.
    of: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    id: i64,
}

pub fn write(mark: &Mark, fingerprint: &Digest) -> String {
    let (number, text) = match &mark.key {
        Some(MarkKey::Number(number)) => (Some(*number), None),
        Some(MarkKey::Text(text)) => (None, Some(text.clone())),
        None => (None, None),
    };
    let written = Written { v: 1, of: fingerprint.short(), number, text, id: mark.id };
    let json = serde_json::to_vec(&written).expect("numbers and texts are always JSON");
    BASE64URL_NOPAD.encode(&json)
}

pub fn read(text: &str, fingerprint: &Digest) -> Result<Mark, Problem> {
    let unknown = || Problem::invalid("the cursor is none that a search gave").hint("use `next` of the page before");
    let json = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| unknown())?;
    let written: Written = serde_json::from_slice(&json).map_err(|_| unknown())?;
    if written.v != 1 {
        return Err(unknown());
    }
    if written.of != fingerprint.short() {
        return Err(Problem::invalid("the cursor is of another search").hint("leave it out to begin anew"));
    }
    let key = written.number.map(MarkKey::Number).or(written.text.map(MarkKey::Text));
    Ok(Mark { key, id: written.id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_in_its_search_only() {
        let (ours, theirs) = (Digest::of(b"ours"), Digest::of(b"theirs"));
        for key in [None, Some(MarkKey::Number(-7)), Some(MarkKey::Text("é'".to_owned()))] {
            let mark = Mark { key, id: 12 };
            let text = write(&mark, &ours);
            assert_eq!(read(&text, &ours).unwrap(), mark);
            assert_eq!(read(&text, &theirs).unwrap_err().message, "the cursor is of another search");
        }
        for text in ["", "x", "e30", "bm90IGpzb24"] {
            assert_eq!(read(text, &ours).unwrap_err().message, "the cursor is none that a search gave");
        }
    }
}
