//! Arrays in joblib's files: a `NumpyArrayWrapper` is pickled, and behind the opcode that fills it follow padding and the
//! array's bytes, or for objects another pickle.
//!
//! Format: <https://github.com/joblib/joblib/blob/main/joblib/numpy_pickle.py>.

/// Classes of joblib's notes; scikit-learn brought a copy of its own once.
const WRAPPERS: [&str; 2] =
    ["joblib.numpy_pickle.NumpyArrayWrapper", "sklearn.externals.joblib.numpy_pickle.NumpyArrayWrapper"];

pub(super) fn is_wrapper(class: &str) -> bool {
    WRAPPERS.contains(&class)
}

/// Bytes of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dtype {
    Bytes(u64),
    Objects,
    Unknown,
}

impl Dtype {
    /// Of what `numpy.dtype` is called with: `f8`, `<U10`, `V64`, `O8`.
    pub fn named(name: Option<&str>) -> Self {
        let Some(name) = name.map(|name| name.trim_start_matches(['<', '>', '=', '|'])) else { return Self::Unknown };
        let Some(kind) = name.chars().next() else { return Self::Unknown };
        let width = name[kind.len_utf8()..].parse::<u64>().ok();
        match (kind, width) {
            ('O', _) => Self::Objects,
            ('?', None) => Self::Bytes(1),
            ('b' | 'u' | 'i' | 'f' | 'c' | 'S' | 'V' | 'M' | 'm', Some(width)) => Self::Bytes(width),
            ('U', Some(width)) => width.checked_mul(4).map_or(Self::Unknown, Self::Bytes),
            _ => Self::Unknown,
        }
    }
}

/// What a note says of its array, as far as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ArrayState {
    pub elements: Option<u64>,
    pub dtype: Option<Dtype>,
    pub is_aligned: bool,
}

/// What follows a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follows {
    Bytes {
        len: u64,
        /// A byte that says how many others come before.
        is_padded: bool,
    },
    Pickle,
}

impl ArrayState {
    /// `None` if it does not say enough.
    pub fn follows(&self) -> Option<Follows> {
        match self.dtype? {
            Dtype::Objects => Some(Follows::Pickle),
            Dtype::Bytes(width) => {
                let len = self.elements?.checked_mul(width)?;
                Some(Follows::Bytes { len, is_padded: self.is_aligned })
            }
            Dtype::Unknown => None,
        }
    }
}
