//! What each of the people may do, and a token of their own.

use anyhow::{Context as _, Result};

use super::{
    hospital::Hospital,
    people::{ADA, BO, CLEO, DAN, NINA, OWNER, PAM, PEOPLE},
    projects::{BEDS, PROJECTS, READMISSION, TRIAGE},
};
use crate::typing::{TOKEN_START, say};

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
