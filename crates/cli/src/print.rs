//! Printing: results to stdout, everything else to stderr, readable without colour.

use std::{
    borrow::Cow,
    io::{IsTerminal as _, Write as _},
};

use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use stemma_api::types::{AsOf, Dated};
use stemma_core::visible::{is_to_be_marked, visible};

const BAR: &str = "{msg} {bar:30} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}";

const ROWS: &str = "{msg} {bar:30} {human_pos}/{human_len} rows {per_sec}";

const SPINNER: &str = "{spinner} {wide_msg}";

/// How this invocation prints.
pub struct Output {
    json: bool,
    colour: bool,
}

impl Output {
    pub fn new(json: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { json, colour: wanted && std::io::stdout().is_terminal() && std::io::stderr().is_terminal() }
    }

    /// For what nobody should see.
    pub const fn quiet() -> Self {
        Self { json: true, colour: false }
    }

    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a result: the value as JSON with `--json`, else the text.
    pub fn result(&self, value: &impl Serialize, text: impl FnOnce() -> String) {
        let text = if self.json { json(serde_json::to_string_pretty(value)) } else { self.shown(text().trim_end()) };
        // a reader that went away (`| head`) is no failure
        let _ = writeln!(std::io::stdout(), "{text}");
    }

    /// Prints an answer about the past, and about when it is; without a moment it is any result.
    pub fn dated(&self, as_of: Option<AsOf>, value: &impl Serialize, text: impl FnOnce() -> String) {
        let Some(as_of) = as_of else { return self.result(value, text) };
        let head = as_of_text(&as_of);
        self.result(&Dated { answer: value, as_of: Some(as_of) }, || format!("{head}{}", text()));
    }

    /// Prints a value as one line of JSON, for results that come after somebody else's output.
    pub fn line(&self, value: &impl Serialize) {
        let _ = writeln!(std::io::stdout(), "{}", json(serde_json::to_string(value)));
    }

    /// Says something beside the result.
    pub fn note(&self, text: impl AsRef<str>) {
        if !self.json {
            // a closed stderr is no failure either
            let _ = writeln!(std::io::stderr(), "{}", self.shown(text.as_ref()));
        }
    }

    /// Says that something failed, as JSON on stderr.
    pub fn failure(&self, problem: &impl Serialize) {
        let _ = writeln!(std::io::stderr(), "{}", json(serde_json::to_string(problem)));
    }

    /// A text as it may reach the terminal: other people's letters are marked, our own styles stay.
    fn shown(&self, text: &str) -> String {
        if !self.colour {
            return harmless(text).into_owned();
        }
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('\x1b') {
            let style = STYLES.iter().find(|style| rest[at..].starts_with(**style)).map_or("", |style| *style);
            // an escape that is none of ours is marked with what stands behind it
            let end = at + style.len().max(1);
            shown.push_str(&harmless(&rest[..end - style.len()]));
            shown.push_str(style);
            rest = &rest[end..];
        }
        shown.push_str(&harmless(rest));
        shown
    }

    /// Says something that nobody may miss, beside the result; with `--json` as a line of JSON.
    pub fn warn(&self, problem: &stemma_core::Problem) {
        if self.json {
            let text = serde_json::json!({ "warning": problem }).to_string();
            let _ = writeln!(std::io::stderr(), "{text}");
            return;
        }
        self.note(format!("{}: {}", self.red("warning"), problem.message));
        if let Some(hint) = &problem.hint {
            self.note(format!("{}: {hint}", self.dim("hint")));
        }
    }

    /// A bar on stderr that counts bytes; draws nothing where nobody looks.
    pub fn progress(&self, total: u64, doing: &'static str) -> ProgressBar {
        if self.json {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(total).with_style(style).with_message(doing)
    }

    /// A bar on stderr that counts rows.
    pub fn row_progress(&self, total: u64, doing: &'static str) -> ProgressBar {
        if self.json {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template(ROWS).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(total).with_style(style).with_message(doing)
    }

    /// A line on stderr that turns while something of unknown length goes on.
    pub fn spinner(&self) -> ProgressBar {
        if self.json {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template(SPINNER).unwrap_or_else(|_| ProgressStyle::default_spinner());
        let spinner = ProgressBar::new_spinner().with_style(style);
        spinner.enable_steady_tick(std::time::Duration::from_millis(120));
        spinner
    }

    pub fn bold(&self, text: impl AsRef<str>) -> String {
        self.styled("1", text.as_ref())
    }

    pub fn dim(&self, text: impl AsRef<str>) -> String {
        self.styled("2", text.as_ref())
    }

    pub fn green(&self, text: impl AsRef<str>) -> String {
        self.styled("32", text.as_ref())
    }

    pub fn red(&self, text: impl AsRef<str>) -> String {
        self.styled("31", text.as_ref())
    }

    fn styled(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub fn verdict(&self, passed: bool) -> String {
        if passed { self.green("passed") } else { self.red("failed") }
    }
}

/// About when an answer is, and what it does not tell.
fn as_of_text(as_of: &AsOf) -> String {
    let AsOf { seq, time: at, left_out } = as_of;
    let left_out: String = left_out.iter().map(|what| format!("not told: {what}\n")).collect();
    format!("as of event {seq}, {} UTC\n{left_out}\n", time(*at))
}

/// The escapes that [`Output`] itself writes.
const STYLES: [&str; 5] = ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m"];

/// Marks what would steer a terminal or hide in it: texts come from other people too.
pub fn harmless(text: &str) -> Cow<'_, str> {
    visible(text)
}

/// JSON for a terminal as well as for a program: the same values, hidden letters written as escapes.
fn json(text: serde_json::Result<String>) -> String {
    let text = text.unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
    if !text.contains(is_to_be_marked) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match is_to_be_marked(letter) {
            // they only stand in strings
            true => {
                letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| escaped.push_str(&format!("\\u{unit:04x}")))
            }
            false => escaped.push(letter),
        }
    }
    escaped
}

/// A plain table without lines, under a header.
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_none() {
        return "nothing yet".to_owned();
    }
    let header = header.iter().map(|name| name.to_uppercase()).collect();
    columns(std::iter::once(header).chain(rows))
}

/// Rows with their cells below each other.
pub fn columns(rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty().add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// The first of many names.
pub fn names(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let mut shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    if names.len() > SHOWN {
        shown.push(format!("{} more", names.len() - SHOWN));
    }
    shown.join(", ")
}

/// The time to the second in UTC.
pub fn time(time: stemma_core::Timestamp) -> String {
    let text = time.to_string();
    text.get(..19).unwrap_or(&text).replace('T', " ")
}

/// Decimal units.
pub fn bytes(size: u64) -> String {
    indicatif::DecimalBytes(size).to_string()
}

/// A number of bytes as people type it: `4096`, `1GiB`, `250 MB`.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 12] = [
        ("", 1),
        ("b", 1),
        ("k", 1000),
        ("kb", 1000),
        ("kib", 1 << 10),
        ("m", 1_000_000),
        ("mb", 1_000_000),
        ("mib", 1 << 20),
        ("g", 1_000_000_000),
        ("gb", 1_000_000_000),
        ("gib", 1 << 30),
        ("tib", 1 << 40),
    ];
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_lowercase();
    let unit = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, bytes)| *bytes);
    let bytes = number.parse::<u64>().ok().zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
    bytes.ok_or_else(|| "expected a number of bytes, as in `4096` or `1GiB`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_marked_and_our_styles_stay() {
        let (coloured, plain) = (Output { json: false, colour: true }, Output { json: false, colour: false });
        let hostile = "a\x1b]0;title\x07b\rc\u{9b}2J\u{202e}d\u{200b}";
        let marked = "a\\u{1b}]0;title\\u{7}b\\u{d}c\\u{9b}2J\\u{202e}d\\u{200b}";
        assert_eq!(coloured.shown(hostile), marked);
        assert_eq!(plain.shown(hostile), marked);
        let styled = format!("{} {}\n", coloured.bold("name"), coloured.red("x\x1b[3m"));
        assert_eq!(coloured.shown(&styled), "\x1b[1mname\x1b[0m \x1b[31mx\\u{1b}[3m\x1b[0m\n");
        // who prints without colour has no styles, so these are somebody's
        assert_eq!(plain.shown("\x1b[31mx"), "\\u{1b}[31mx");
    }

    #[test]
    fn json_keeps_its_values_and_shows_no_hidden_letter() {
        let value = serde_json::json!({ "reason": "a\u{202e}b\u{9b}c\u{e0041}\x1b" });
        let text = json(serde_json::to_string(&value));
        assert!(text.is_ascii(), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, bytes) in [("0", 0), ("4096", 4096), ("1GiB", 1 << 30), ("250 MB", 250_000_000), ("2k", 2000)] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "GiB", "-1", "1.5GiB", "1 XB", "99999999999TiB"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_table_is_readable_and_has_no_trailing_space() {
        let rows = vec![vec!["a".to_owned(), "1".to_owned()], vec!["long".to_owned(), String::new()]];
        assert_eq!(table(&["name", "n"], rows), "NAME  N\na     1\nlong");
        assert_eq!(table(&["name"], Vec::new()), "nothing yet");
    }
}
