//! What can't hold rows of a table, by a stated rule; whatever is in doubt may.

use std::{collections::HashMap, io};

use stemma_format::{Format, ReadAt, outline};
use stemma_table::{Cell, Key, Sameness, Source};

use super::wanted::Wanted;

/// Longest text that is searched word by word.
const TEXT_LEN_MAX: u64 = 16 << 20;
const IMAGES: [&[u8]; 4] = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF"];
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
    let format = outline(source)?.map(|outline| outline.format);
    let model = match format {
        Some(Format::Onnx) => "an ONNX model",
        Some(Format::Safetensors) => "a safetensors model",
        Some(Format::Gguf) => "a GGUF model",
        _ => return Ok(None),
    };
    Ok(Some(format!("it is {model}")))
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
