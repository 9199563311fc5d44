//! Where rows of evaluation data were looked for: each file that the producing run read was searched, can't hold rows,
//! or could not be searched. What could not be searched may hold them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Digest;

/// Inputs that a sentence names.
const NAMED: usize = 3;

/// The search of an evaluation for rows that the producing run had read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeakSearch {
    /// Each content that the run read, once, in the order of the run's record.
    pub inputs: Vec<SearchedInput>,
    /// Why the run may have read more than that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SearchedInput {
    pub path: String,
    pub digest: Digest,
    #[serde(flatten)]
    pub outcome: SearchOutcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum SearchOutcome {
    Searched {
        /// As in `Parquet` or `CSV, gzip`.
        format: String,
        rows: u64,
        /// Rows of the evaluation data that it holds.
        found: u64,
        /// Rows whose values it holds, but not what is to be predicted; they don't count as found.
        #[serde(default, skip_serializing_if = "is_zero")]
        without_target: u64,
    },
    /// By what it is, it holds no rows of a table.
    NoTable {
        why: String,
    },
    NotSearched {
        why: String,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl LeakSearch {
    /// Why rows may have been read although none was found, as in "`train.bin` could not be searched for rows of
    /// test@1: it is a Python pickle"; nothing if all was looked at.
    pub fn doubt(&self, data: &str) -> Option<String> {
        let not_searched: Vec<(&str, &str)> = self.inputs.iter().filter_map(SearchedInput::not_searched).collect();
        let mut parts = Vec::new();
        if let Some((path, why)) = not_searched.first() {
            let others: Vec<String> =
                not_searched.iter().skip(1).take(NAMED - 1).map(|(path, _)| format!("`{path}`")).collect();
            let more = not_searched.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            parts.push(match others.as_slice() {
                [] => format!("`{path}` could not be searched for rows of {data}: {why}"),
                others => format!(
                    "`{path}` could not be searched for rows of {data} ({why}), nor could {}{more}",
                    others.join(", ")
                ),
            });
        }
        if let Some(first) = self.unseen.first() {
            let more = self.unseen.len() - 1;
            let more = if more > 0 { format!(" and {more} more reasons") } else { String::new() };
            parts.push(format!("what it was trained on is not known to be all ({first}{more})"));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// Inputs that hold values of rows and nothing that says the target: no leak by the rule, but worth a line.
    pub fn without_target(&self, data: &str) -> Option<String> {
        let told = self.inputs.iter().filter_map(|input| match &input.outcome {
            SearchOutcome::Searched { without_target: count @ 1.., .. } => Some((&input.path, count)),
            _ => None,
        });
        let told = told.map(|(path, count)| format!("`{path}` holds the values of {count} rows of {data}"));
        let told: Vec<String> = told.collect();
        (!told.is_empty()).then(|| format!("{}, but not what is to be predicted", told.join(", ")))
    }
}

impl fmt::Display for SearchOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Searched { format, rows, found, without_target } => {
                write!(f, "{format}, {rows} rows, {found} of the data")?;
                if *without_target > 0 {
                    write!(f, "; {without_target} without what is to be predicted")?;
                }
                Ok(())
            }
            Self::NoTable { why } => write!(f, "not a table: {why}"),
            Self::NotSearched { why } => write!(f, "not searched: {why}"),
        }
    }
}

impl SearchedInput {
    /// The path, and why it could not be searched.
    pub fn not_searched(&self) -> Option<(&str, &str)> {
        match &self.outcome {
            SearchOutcome::NotSearched { why } => Some((&self.path, why)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(path: &str, outcome: SearchOutcome) -> SearchedInput {
        SearchedInput { path: path.into(), digest: Digest::of(path.as_bytes()), outcome }
    }

    fn not_searched(path: &str) -> SearchedInput {
        input(path, SearchOutcome::NotSearched { why: "it is a Python pickle".into() })
    }

    #[test]
    fn doubts_name_what_was_not_searched() {
        let searched = SearchOutcome::Searched { format: "CSV".into(), rows: 3, found: 0, without_target: 0 };
        let mut search = LeakSearch { inputs: vec![input("a.csv", searched)], unseen: vec![] };
        search.inputs.push(input("m.onnx", SearchOutcome::NoTable { why: "it is a model".into() }));
        assert_eq!(search.doubt("test@1"), None);
        search.inputs.push(not_searched("b.pkl"));
        let one = "`b.pkl` could not be searched for rows of test@1: it is a Python pickle";
        assert_eq!(search.doubt("test@1").unwrap(), one);
        search.inputs.extend(["c", "d", "e"].map(not_searched));
        let several =
            "`b.pkl` could not be searched for rows of test@1 (it is a Python pickle), nor could `c`, `d` and 1 more";
        assert_eq!(search.doubt("test@1").unwrap(), several);
        assert_eq!(search.without_target("test@1"), None);
        search.inputs.push(input(
            "x.npy",
            SearchOutcome::Searched { format: "NumPy".into(), rows: 9, found: 0, without_target: 4 },
        ));
        let told = "`x.npy` holds the values of 4 rows of test@1, but not what is to be predicted";
        assert_eq!(search.without_target("test@1").unwrap(), told);
    }

    #[test]
    fn the_stored_form_stays_readable() {
        let stored = format!(
            r#"{{"inputs":[{{"path":"a.csv","digest":"{0}","outcome":"searched","format":"CSV","rows":3,"found":1}},
            {{"path":"b","digest":"{0}","outcome":"not_searched","why":"w"}},
            {{"path":"c","digest":"{0}","outcome":"no_table","why":"w"}}]}}"#,
            Digest::of(b"a")
        );
        let search: LeakSearch = serde_json::from_str(&stored).unwrap();
        assert_eq!(search.inputs.len(), 3);
        let again = serde_json::to_value(&search).unwrap();
        assert_eq!(again, serde_json::from_str::<serde_json::Value>(&stored).unwrap());
    }
}
