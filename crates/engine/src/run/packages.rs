//! Which packages the environments of runs have, so that they can be asked for.

use std::collections::BTreeSet;

use stemma_core::{Digest, Problem, name::ProjectName};

use crate::{Engine, Known, problem::ledger_problem};

/// Longest environment document that is read for its packages.
pub(crate) const ENVIRONMENT_BYTES_MAX: u64 = 8 << 20;
/// Most packages of one environment.
const PACKAGES_MAX: usize = 20_000;

/// The part of an environment document that is searched.
#[derive(serde::Deserialize)]
struct Installed {
    #[serde(default)]
    packages: Vec<Package>,
}

#[derive(serde::Deserialize)]
struct Package {
    name: String,
    version: String,
}

/// Names and versions of the packages that an environment's document lists. Documents of other tools have other members:
/// then there is nothing to ask for.
pub(crate) fn packages_in(document: &[u8]) -> BTreeSet<(String, String)> {
    let packages =
        serde_json::from_slice::<Installed>(document).map_or_else(|_| Vec::new(), |installed| installed.packages);
    let packages = packages.into_iter().take(PACKAGES_MAX);
    packages.map(|package| (package_name(&package.name), package.version)).collect()
}

/// Keeps which packages the environment of a run has, so that they can be asked for.
pub(crate) async fn index_packages(engine: &Engine, project: &ProjectName, environment: Digest) -> Result<(), Problem> {
    if engine.known().ledger().has_packages(project, environment).await.map_err(ledger_problem)? {
        return Ok(());
    }
    let bytes = engine.known().read_content(environment, ENVIRONMENT_BYTES_MAX).await?;
    let packages: Vec<(String, String)> = packages_in(&bytes).into_iter().collect();
    engine.known().ledger().insert_packages(project, environment, &packages).await.map_err(ledger_problem)
}

/// Environments that have a package, by its name and, if given, its version; with the version that each has.
pub async fn environments_with(
    known: &Known,
    project: &ProjectName,
    name: &str,
    version: Option<&str>,
) -> Result<Vec<(String, Digest)>, Problem> {
    known.ledger().environments_with(project, &package_name(name), version).await.map_err(ledger_problem)
}

/// One spelling for each package, as package indexes compare them.
pub fn package_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for character in name.trim().chars() {
        match character {
            '-' | '_' | '.' if out.ends_with('-') => {}
            '-' | '_' | '.' => out.push('-'),
            other => out.extend(other.to_lowercase()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_has_one_name() {
        for (typed, name) in [("NumPy", "numpy"), ("scikit_learn", "scikit-learn"), ("a.-_b", "a-b"), (" x ", "x")] {
            assert_eq!(package_name(typed), name);
        }
    }
}
