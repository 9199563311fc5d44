//! Printing: results to stdout, everything else to stderr, readable without colour.

use std::{
    borrow::Cow,
    io::{IsTerminal as _, Write as _},
};

use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

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
        let text = if self.json {
            serde_json::to_string_pretty(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
        } else {
            text()
        };
        // a reader that went away (`| head`) is no failure
        let _ = writeln!(std::io::stdout(), "{}", harmless(text.trim_end()));
    }

    /// Prints a value as one line of JSON, for results that come after somebody else's output.
    pub fn line(&self, value: &impl Serialize) {
        let text = serde_json::to_string(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
        let _ = writeln!(std::io::stdout(), "{text}");
    }

    /// Says something beside the result.
    pub fn note(&self, text: impl AsRef<str>) {
        if !self.json {
            // a closed stderr is no failure either
            let _ = writeln!(std::io::stderr(), "{}", harmless(text.as_ref()));
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

/// Takes out what would steer a terminal: texts come from other people too. Our own styles stay.
pub fn harmless(text: &str) -> Cow<'_, str> {
    const STYLES: [&str; 5] = ["[0m", "[1m", "[2m", "[31m", "[32m"];
    let steers = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let styles = || c == '\x1b' && STYLES.iter().any(|style| text[at + 1..].starts_with(style));
        match steers(c) && !styles() {
            true => out.push('\u{fffd}'),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
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
    fn what_steers_a_terminal_is_taken_out() {
        assert_eq!(harmless("\x1b[1mname\x1b[0m\n"), "\x1b[1mname\x1b[0m\n");
        assert_eq!(harmless("a\x1b]0;title\x07b\rc\u{9b}2J"), "a\u{fffd}]0;title\u{fffd}b\u{fffd}c\u{fffd}2J");
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
