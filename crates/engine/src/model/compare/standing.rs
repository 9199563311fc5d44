//! How a version stands with the gates that its model declares.

use stemma_api::types::ModelVersion;
use stemma_core::{ErrorKind, Problem, name::ProjectName};

use crate::Known;

/// Which of its gates do not stand, one line each; none of them if all do, or none is declared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    pub failed: Vec<String>,
    /// Nobody looked, or what was found is of no use any more.
    pub unknown: Vec<String>,
}

impl Standing {
    pub fn counts_as(&self) -> stemma_stats::Standing {
        if !self.failed.is_empty() {
            stemma_stats::Standing::Barred
        } else if !self.unknown.is_empty() {
            stemma_stats::Standing::Unknown
        } else {
            stemma_stats::Standing::Clear
        }
    }

    pub fn told(&self) -> Vec<String> {
        self.failed.iter().chain(&self.unknown).cloned().collect()
    }
}

pub async fn standing(known: &Known, project: &ProjectName, version: &ModelVersion) -> Result<Standing, Problem> {
    let declared = known.policy_or_default(project, &version.model).await?.gates;
    let standings = known.gate_standings(project, &version.model, &version.number.to_string()).await;
    let standings = match standings {
        Ok(standings) => standings.gates,
        Err(problem) if is_about_content(&problem) => {
            return Ok(Standing {
                failed: Vec::new(),
                unknown: vec![format!("what a gate found can't be read: {}", problem.message)],
            });
        }
        Err(problem) => return Err(problem),
    };
    let mut found = Standing::default();
    for gate in declared.keys() {
        let standing = standings.iter().find(|standing| standing.gate == *gate);
        let Some(standing) = standing else {
            found.unknown.push(format!("the report of gate `{gate}` can't be read"));
            continue;
        };
        match &standing.report {
            None => found.unknown.push(format!("gate `{gate}` did not run")),
            Some(_) if standing.stale => {
                found.unknown.push(format!("gate `{gate}` ran under another declaration"));
            }
            Some(report) if !report.passed => found.failed.push(format!("gate `{gate}` failed")),
            Some(_) => {}
        }
    }
    Ok(found)
}

/// Whether a problem is that some content can't be read any more, and nothing else.
pub const fn is_about_content(problem: &Problem) -> bool {
    matches!(problem.kind, ErrorKind::NotFound | ErrorKind::Gone | ErrorKind::Corrupt)
}
