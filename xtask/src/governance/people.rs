//! Twelve people, one of whom is a machine.

use super::projects::{BEDS, READMISSION, TRIAGE};

pub const OWNER: &str = "olga@hospital.example";
/// Make models: two in a project each, one in all, and one for hearts.
pub const ADA: &str = "ada@hospital.example";
pub const BO: &str = "bo@hospital.example";
pub const CLEO: &str = "cleo@hospital.example";
pub const NINA: &str = "nina@hospital.example";
/// Say yes or no: for patients, for machines, and for machines too.
pub const RITA: &str = "rita@hospital.example";
pub const IAN: &str = "ian@hospital.example";
pub const RON: &str = "ron@hospital.example";
/// Brings into use, and keeps back.
pub const PAM: &str = "pam@hospital.example";
/// Would like to, and is denied it in one project.
pub const DAN: &str = "dan@hospital.example";
pub const AUDITOR: &str = "amira@hospital.example";
/// Asks the endpoint.
pub const BOARD: &str = "ward-board";

/// Each with their first role, and where it holds.
pub const PEOPLE: [(&str, &str, Option<&str>); 11] = [
    (ADA, "contributor", Some(TRIAGE)),
    (BO, "contributor", Some(BEDS)),
    (CLEO, "contributor", None),
    (NINA, "contributor", Some(READMISSION)),
    (RITA, "approver", None),
    (IAN, "approver", None),
    (RON, "approver", Some(READMISSION)),
    (PAM, "operator", None),
    (DAN, "operator", None),
    (AUDITOR, "auditor", None),
    (BOARD, "invoker", Some(READMISSION)),
];
