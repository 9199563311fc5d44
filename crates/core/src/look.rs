//! What a model is by its bytes, and whether loading it would run code: what a look that runs nothing has found.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a model is kept as, told from its bytes and never from its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ModelFormat {
    Onnx,
    /// LightGBM's text.
    Lightgbm,
    XgboostJson,
    XgboostUbjson,
    Safetensors,
    Gguf,
    /// A zip archive of `torch.save`, or what it wrote before there were any.
    Torch,
    Torchscript,
    Pickle,
    /// A pickle with arrays between its parts, or in a compressed stream.
    Joblib,
    /// A zip archive of Keras 3.
    Keras,
    KerasHdf5,
    Hdf5,
    /// A folder of TensorFlow's.
    Savedmodel,
    /// A folder with a file `MLmodel`.
    Mlmodel,
    /// Any other folder.
    Folder,
    /// Nothing that is known here.
    Opaque,
}

impl ModelFormat {
    pub const ALL: [Self; 17] = [
        Self::Onnx,
        Self::Lightgbm,
        Self::XgboostJson,
        Self::XgboostUbjson,
        Self::Safetensors,
        Self::Gguf,
        Self::Torch,
        Self::Torchscript,
        Self::Pickle,
        Self::Joblib,
        Self::Keras,
        Self::KerasHdf5,
        Self::Hdf5,
        Self::Savedmodel,
        Self::Mlmodel,
        Self::Folder,
        Self::Opaque,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::Lightgbm => "lightgbm",
            Self::XgboostJson => "xgboost-json",
            Self::XgboostUbjson => "xgboost-ubjson",
            Self::Safetensors => "safetensors",
            Self::Gguf => "gguf",
            Self::Torch => "torch",
            Self::Torchscript => "torchscript",
            Self::Pickle => "pickle",
            Self::Joblib => "joblib",
            Self::Keras => "keras",
            Self::KerasHdf5 => "keras-hdf5",
            Self::Hdf5 => "hdf5",
            Self::Savedmodel => "savedmodel",
            Self::Mlmodel => "mlmodel",
            Self::Folder => "folder",
            Self::Opaque => "opaque",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == text)
    }

    /// In a sentence: "… is a pickle".
    pub const fn described(self) -> &'static str {
        match self {
            Self::Onnx => "an ONNX model",
            Self::Lightgbm => "a LightGBM model",
            Self::XgboostJson => "an XGBoost model in JSON",
            Self::XgboostUbjson => "an XGBoost model in UBJSON",
            Self::Safetensors => "a safetensors file",
            Self::Gguf => "a GGUF file",
            Self::Torch => "a torch checkpoint",
            Self::Torchscript => "a TorchScript model",
            Self::Pickle => "a pickle",
            Self::Joblib => "a joblib pickle",
            Self::Keras => "a Keras model",
            Self::KerasHdf5 => "a Keras model in HDF5",
            Self::Hdf5 => "an HDF5 file",
            Self::Savedmodel => "a TensorFlow SavedModel",
            Self::Mlmodel => "an MLflow model",
            Self::Folder => "a folder of no known format",
            Self::Opaque => "a file of no known format",
        }
    }
}

impl fmt::Display for ModelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What loading a model does, when the usual library of its format loads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Nature {
    /// All of it was looked at, and nothing in it asks for code to be imported or called.
    Data,
    /// Something in it does. What else it does may not have been seen.
    ExecutesCode,
    /// Nothing of the kind was found, but not everything was looked at.
    Unknown,
}

impl Nature {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::ExecutesCode => "executes code",
            Self::Unknown => "not known whether it executes code",
        }
    }
}

impl fmt::Display for Nature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was found. Stored-format version 1, a part of the registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Look {
    /// Of the rules by which it was looked at: the same bytes and the same rules give the same answer.
    pub v: u32,
    pub format: ModelFormat,
    pub nature: Nature,
    /// What loading it would import or run, one line each: "imports `sklearn.svm._classes.SVC`".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<String>,
    /// How many more of those there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_runs: u64,
    /// What was not looked at, and why: one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
    /// How many more of those there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_unseen: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Look {
    /// 2: archives whose headers differ are no data.
    pub const VERSION: u32 = 2;
    /// Lines that are kept of each list.
    pub const LINES_MAX: usize = 64;
    /// Characters of a line.
    const LINE_LEN_MAX: usize = 200;

    /// The answer that follows from what was found and what was not seen.
    pub fn new(format: ModelFormat, runs: Vec<String>, unseen: Vec<String>) -> Self {
        let nature = match (runs.is_empty(), unseen.is_empty()) {
            (false, _) => Nature::ExecutesCode,
            (true, false) => Nature::Unknown,
            (true, true) => Nature::Data,
        };
        let (runs, more_runs) = listed(runs);
        let (unseen, more_unseen) = listed(unseen);
        Self { v: Self::VERSION, format, nature, runs, more_runs, unseen, more_unseen }
    }

    /// In one line: "executes code: imports `a`, imports `b`, and 3 more".
    pub fn told(&self, lines_max: usize) -> String {
        let (lines, more) = match self.nature {
            Nature::Data => return self.nature.to_string(),
            Nature::ExecutesCode => (&self.runs, self.more_runs),
            Nature::Unknown => (&self.unseen, self.more_unseen),
        };
        let shown = lines.iter().take(lines_max).cloned().collect::<Vec<_>>().join(", ");
        match (lines.len() - lines.len().min(lines_max)) as u64 + more {
            0 => format!("{}: {shown}", self.nature),
            more => format!("{}: {shown}, and {more} more", self.nature),
        }
    }
}

/// Without what was said twice, and cut where it is too long; names in files are anybody's.
fn listed(lines: Vec<String>) -> (Vec<String>, u64) {
    let mut kept: Vec<String> = Vec::new();
    let mut more = 0;
    for line in lines {
        let line = shown(&line);
        if kept.contains(&line) {
            continue;
        }
        if kept.len() < Look::LINES_MAX {
            kept.push(line);
        } else {
            more += 1;
        }
    }
    (kept, more)
}

fn shown(line: &str) -> String {
    let visible = |letter: char| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter };
    let mut shown: String = line.chars().take(Look::LINE_LEN_MAX).map(visible).collect();
    if line.chars().nth(Look::LINE_LEN_MAX).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_data_unless_all_of_it_was_seen() {
        let nature = |runs: &[&str], unseen: &[&str]| {
            let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
            Look::new(ModelFormat::Pickle, lines(runs), lines(unseen)).nature
        };
        assert_eq!(nature(&[], &[]), Nature::Data);
        assert_eq!(nature(&[], &["its end"]), Nature::Unknown);
        assert_eq!(nature(&["imports `os.system`"], &[]), Nature::ExecutesCode);
        assert_eq!(nature(&["imports `os.system`"], &["its end"]), Nature::ExecutesCode);
    }

    #[test]
    fn what_is_not_named_is_counted() {
        let runs = (0..100).map(|n| format!("imports `a.b{n}`")).chain(["imports `a.b0`".to_owned()]).collect();
        let look = Look::new(ModelFormat::Pickle, runs, vec![]);
        assert_eq!((look.runs.len(), look.more_runs), (64, 36));
        assert_eq!(look.told(2), "executes code: imports `a.b0`, imports `a.b1`, and 98 more");
        let hostile = Look::new(ModelFormat::Pickle, vec![format!("imports `\u{1b}[2J{}`", "x".repeat(900))], vec![]);
        assert!(!hostile.runs[0].contains('\u{1b}') && hostile.runs[0].chars().count() == 201);
    }

    #[test]
    fn formats_are_read_as_they_are_written() {
        for format in ModelFormat::ALL {
            assert_eq!(ModelFormat::parse(format.as_str()), Some(format));
            assert_eq!(serde_json::to_value(format).unwrap(), format.as_str());
        }
        assert_eq!(ModelFormat::parse("tensorrt"), None);
    }

    /// As a registration keeps it.
    #[test]
    fn a_frozen_look_is_still_read() {
        let text = r#"{"v":1,"format":"joblib","nature":"executes_code","runs":["imports `sklearn.svm._classes.SVC`"],"unseen":["what follows byte 90"]}"#;
        let look: Look = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&look).unwrap(), text);
        assert_eq!(look.told(3), "executes code: imports `sklearn.svm._classes.SVC`");
    }
}
