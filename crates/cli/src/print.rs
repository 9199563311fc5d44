//! Printing: results to stdout, everything else to stderr, readable without colour.

use std::io::{IsTerminal as _, Write as _};

use comfy_table::{Table, presets};
use serde::Serialize;

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
        let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
    }

    /// Says something beside the result.
    pub fn note(&self, text: impl AsRef<str>) {
        if !self.json {
            eprintln!("{}", text.as_ref());
        }
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

/// A plain table without lines.
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header.iter().map(|name| name.to_uppercase()));
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_none() {
        return "nothing yet".to_owned();
    }
    for row in rows {
        table.add_row(row);
    }
    table.trim_fmt()
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
