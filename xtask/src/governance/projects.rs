//! The projects of the hospital, and the one model that is decided about.

pub const TRIAGE: &str = "triage";
pub const BEDS: &str = "beds";
pub const READMISSION: &str = "readmission";
pub const PROJECTS: [&str; 3] = [TRIAGE, BEDS, READMISSION];

/// In the last of them; its rules are declared in the example's `stemma.toml`.
pub const MODEL: &str = "readmission-heart";
pub const ENDPOINT: &str = "readmission";
