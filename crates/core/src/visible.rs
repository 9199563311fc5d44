//! Letters that nobody sees, or that steer whatever shows them: a text with them says something else than it seems to.

use std::borrow::Cow;

/// Control characters, directions of writing (bidirectional controls) and what is drawn as nothing
/// (`Default_Ignorable_Code_Point` of Unicode 17, with the separators of lines and paragraphs).
pub const fn is_hidden(letter: char) -> bool {
    letter.is_ascii_control()
        || matches!(letter,
            '\u{80}'..='\u{9f}'
            | '\u{ad}' | '\u{34f}' | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a letter of a text has to be marked. Lines and tabs are layout, and the last two selectors only choose between
/// a sign and its picture.
pub const fn is_to_be_marked(letter: char) -> bool {
    is_hidden(letter) && !matches!(letter, '\n' | '\t' | '\u{fe0e}' | '\u{fe0f}')
}

/// Writes each hidden letter as its number, as in `\u{202e}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_to_be_marked) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match is_to_be_marked(letter) {
            true => shown.extend(letter.escape_unicode()),
            false => shown.push(letter),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_is_written_out() {
        for (text, shown) in [
            ("plain, Ünïcode, 数据, नमस्ते\n\tא", "plain, Ünïcode, 数据, नमस्ते\n\tא"),
            ("❤\u{fe0f}", "❤\u{fe0f}"),
            ("model\u{202e}xnno.", "model\\u{202e}xnno."),
            ("a\u{2066}b\u{2069}", "a\\u{2066}b\\u{2069}"),
            ("a\u{200b}b\u{feff}c", "a\\u{200b}b\\u{feff}c"),
            ("\u{1b}]0;x\u{7}\r\u{9b}2J", "\\u{1b}]0;x\\u{7}\\u{d}\\u{9b}2J"),
            ("line\u{2028}line", "line\\u{2028}line"),
            ("tag\u{e0041}", "tag\\u{e0041}"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }
}
