//! Twelve people, one of whom is a machine, and what each may do.

use anyhow::{Context as _, Result};

use super::hospital::{BEDS, Hospital, PROJECTS, READMISSION, TRIAGE};
use crate::typing::{TOKEN_START, say};

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
const PEOPLE: [(&str, &str, Option<&str>); 11] = [
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

/// The owner gives everybody a role and a token.
pub fn come(hospital: &mut Hospital) -> Result<()> {
    say(
        "Twelve people: an owner, who makes models, who says yes, who brings them into use, who asks them, and an auditor.",
    );
    for (who, role, project) in PEOPLE {
        let place = project.map_or(Vec::new(), |project| vec!["--project", project]);
        let said = hospital.types(OWNER, &[&place[..], &["user", "add", who, "--role", role]].concat())?;
        let token = said.lines().find(|line| line.starts_with(TOKEN_START));
        hospital.comes(who, token.with_context(|| format!("{who} got no token"))?.to_owned());
    }
    say(
        "Who makes models may make new ones; Nina may also say yes, but not to what she made; Dan may not promote beds.",
    );
    for (who, project) in [(ADA, TRIAGE), (BO, BEDS), (NINA, READMISSION), (PAM, READMISSION)] {
        hospital.types(OWNER, &["--project", project, "role", "grant", who, "creator"])?;
    }
    for project in PROJECTS {
        hospital.types(OWNER, &["--project", project, "role", "grant", CLEO, "creator"])?;
    }
    hospital.types(OWNER, &["--project", READMISSION, "role", "grant", NINA, "approver"])?;
    hospital.types(OWNER, &["--project", BEDS, "role", "deny", DAN, "promote"])?;
    Ok(())
}
