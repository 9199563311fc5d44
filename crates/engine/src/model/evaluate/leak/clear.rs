//! What can't hold rows of a table, by a stated rule; whatever is in doubt may.

use std::{collections::HashMap, io};

use stemma_format::{Format, ReadAt, outline};
use stemma_table::{Cell, Key, Sameness, Source};

use super::wanted::{Wanted, hash};

/// Longest text that is searched word by word.
const TEXT_LEN_MAX: u64 = 16 << 20;
const IMAGES: [&[u8]; 4] = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF"];
/// Models that are headers and arrays, and what is said of them.
const MODELS: [(Format, &str); 3] = [
    (Format::Onnx, "it is an ONNX model"),
    (Format::Safetensors, "it is a safetensors model"),
    (Format::Gguf, "it is a GGUF model"),
];
/// Bytes that tell images apart.
const START_LEN: usize = 16;

/// Models and images hold no rows, and neither does what has fewer bytes than a row has cells.
pub fn holds_no_table(source: &dyn ReadAt, wanted: &Wanted) -> io::Result<Option<String>> {
    if source.len() < wanted.table.columns.len() as u64 {
        return Ok(Some("it is shorter than a row".to_owned()));
    }
    let start = source.bytes_at(0, START_LEN)?;
    if IMAGES.iter().any(|magic| start.starts_with(magic)) && is_image(&start) {
        return Ok(Some("it is an image".to_owned()));
    }
    let Some(outline) = outline(source)? else { return Ok(None) };
    let model = MODELS.iter().find(|(format, _)| *format == outline.format);
    Ok(model.map(|(_, why)| (*why).to_owned()))
}

/// Whether a file was cleared as a model's: it holds no rows, and its arrays may be anything.
pub fn is_of_a_model(why: &str) -> bool {
    MODELS.iter().any(|(_, known)| *known == why)
}

/// Whether a text has as many values of the target as there are rows: it may say what is true without the rows.
pub fn may_say_target(source: &Source, wanted: &Wanted) -> io::Result<bool> {
    let bytes = source.bytes_at(0, TEXT_LEN_MAX as usize)?;
    let Ok(text) = std::str::from_utf8(&bytes) else { return Ok(false) };
    let says = |word: &&str| wanted.is_target(hash(&Cell::Text(word), Sameness::Rounded));
    Ok(words_of(text).filter(says).take(wanted.row_count()).count() == wanted.row_count())
}

/// RIFF holds sounds and films, too.
fn is_image(start: &[u8]) -> bool {
    !start.starts_with(b"RIFF") || start.get(8..12) == Some(b"WEBP")
}

/// Clears a text in which no row of the data has all its values, target aside, however they are arranged.
pub fn text_without_rows(source: &Source, wanted: &Wanted) -> Result<Option<String>, String> {
    if source.len() > TEXT_LEN_MAX {
        return Ok(None);
    }
    let bytes = source.bytes_at(0, TEXT_LEN_MAX as usize).map_err(|error| error.to_string())?;
    let Ok(text) = String::from_utf8(bytes) else { return Ok(None) };
    if text.contains('\0') {
        return Ok(None);
    }
    let mut words: HashMap<Key, usize> = HashMap::new();
    for word in words_of(&text) {
        *words.entry(key(word)).or_default() += 1;
    }
    let is_there = |row: usize| {
        let mut needed: HashMap<Key, usize> = HashMap::new();
        for column in (0..wanted.table.columns.len()).filter(|column| *column != wanted.target) {
            words_of(wanted.table.cell(row, column)).for_each(|word| *needed.entry(key(word)).or_default() += 1);
        }
        needed.iter().all(|(word, count)| words.get(word).is_some_and(|there| there >= count))
    };
    let is_clear = !(0..wanted.row_count()).any(is_there);
    Ok(is_clear.then(|| "it is a text without the values of any row".to_owned()))
}

fn key(word: &str) -> Key {
    Key::of([Cell::Text(word)], Sameness::Rounded)
}

/// Numbers with their signs and points, and words.
fn words_of(text: &str) -> impl Iterator<Item = &str> {
    let is_inside = |character: char| character.is_alphanumeric() || matches!(character, '.' | '-' | '+' | '_');
    text.split(move |character| !is_inside(character))
        .map(|word| word.trim_end_matches(['.', '-', '+']))
        .filter(|word| !word.is_empty())
}
