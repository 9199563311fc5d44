//! Who committed the code that made a version, as far as it is declared whose an e-mail address is.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    makers::{Maker, Part},
    rules::ModelPolicy,
};
use crate::{
    id::RunId,
    name::PrincipalName,
    record::{Actor, Auth, RunRecord},
};

/// Characters of an address that are told.
const ADDRESS_CHARS: usize = 80;

/// Where the code of a run is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeOf {
    pub run: RunId,
    /// Absent if the code is in no commit.
    pub commit: Option<Identities>,
}

/// E-mail addresses of a commit's author and committer; absent where nobody looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identities {
    pub author: Option<String>,
    pub committer: Option<String>,
}

impl From<&RunRecord> for CodeOf {
    fn from(record: &RunRecord) -> Self {
        let code = &record.code;
        let identities = || Identities { author: code.author.clone(), committer: code.committer.clone() };
        Self { run: record.id, commit: code.commit.is_some().then(identities) }
    }
}

/// Why it is not known who committed some code.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    NoCommit,
    NotRecorded,
    Undeclared(String),
}

/// Those who committed the code of some runs, and what can't be said of that, one line each.
///
/// An address is somebody's if the rules declare it, or if it is their name. Git asks nobody for a proof, so nobody is
/// let through by it.
pub fn committers(policy: &ModelPolicy, people: &[PrincipalName], codes: &[CodeOf]) -> (Vec<Maker>, Vec<String>) {
    let (mut makers, mut gaps) = (Vec::new(), BTreeMap::<Gap, BTreeSet<RunId>>::new());
    for CodeOf { run, commit } in codes {
        let mut lacks = |gap| {
            gaps.entry(gap).or_default().insert(*run);
        };
        let Some(Identities { author, committer }) = commit else {
            lacks(Gap::NoCommit);
            continue;
        };
        for address in [author, committer] {
            match address.as_ref().map(|address| (address, whose(policy, people, address))) {
                None => lacks(Gap::NotRecorded),
                Some((address, None)) => lacks(Gap::Undeclared(address.clone())),
                Some((_, Some(principal))) => {
                    let actor = Actor { principal: principal.clone(), auth: Auth::Asserted };
                    makers.push(Maker { actor, part: Part::Coded(*run) });
                }
            }
        }
    }
    makers.dedup();
    (makers, gaps.iter().map(|(gap, runs)| line(gap, runs)).collect())
}

fn whose<'a>(policy: &'a ModelPolicy, people: &'a [PrincipalName], address: &str) -> Option<&'a PrincipalName> {
    let by_name = || {
        let name = PrincipalName::new(address).ok()?;
        people.iter().find(|person| person.is_same_person(&name))
    };
    policy.person_of(address).or_else(by_name)
}

fn line(gap: &Gap, runs: &BTreeSet<RunId>) -> String {
    let first = runs.first().map(|run| format!("`{run}`")).unwrap_or_default();
    let of = match runs.len() {
        1 => format!("run {first}"),
        count => format!("{count} runs ({first} first)"),
    };
    match gap {
        Gap::NoCommit => format!("who wrote the code of {of} is not known: it is in no commit"),
        Gap::NotRecorded => format!("who committed the code of {of} was not recorded"),
        Gap::Undeclared(address) => {
            let address: String = address.chars().take(ADDRESS_CHARS).collect();
            format!("`{address}` committed the code of {of}, and whose e-mail that is, is not declared")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_committer_is_known_by_what_is_declared_or_is_told_as_unknown() {
        let policy: ModelPolicy = serde_json::from_value(json!({ "emails": { "ada": ["Ada@home.example"] } })).unwrap();
        let people: Vec<PrincipalName> = ["ada", "bob@example.org"].map(|name| name.parse().unwrap()).into();
        let run = RunId::from_u128;
        let code = |n: u128, who: Option<(Option<&str>, Option<&str>)>| CodeOf {
            run: run(n),
            commit: who.map(|(author, committer)| Identities {
                author: author.map(str::to_owned),
                committer: committer.map(str::to_owned),
            }),
        };
        let check = |codes: &[CodeOf], makers: &[(&str, u128)], unknown: &[&str]| {
            let (found, told) = committers(&policy, &people, codes);
            let found: Vec<(&str, Part)> = found.iter().map(|one| (one.actor.principal.as_str(), one.part)).collect();
            let expected: Vec<(&str, Part)> = makers.iter().map(|(who, n)| (*who, Part::Coded(run(*n)))).collect();
            assert_eq!(found, expected, "{codes:?}");
            let is_told =
                told.len() == unknown.len() && told.iter().zip(unknown).all(|(line, part)| line.contains(part));
            assert!(is_told, "{codes:?}: {told:?}");
        };
        check(&[], &[], &[]);
        let both = |address| Some((Some(address), Some(address)));
        check(&[code(1, both("ada@HOME.example"))], &[("ada", 1)], &[]);
        check(&[code(1, both("Bob@example.org"))], &[("bob@example.org", 1)], &[]);
        check(
            &[code(1, Some((Some("ada@home.example"), Some("cy@example.org"))))],
            &[("ada", 1)],
            &["`cy@example.org` committed the code of run `00000000000000000000000000000001`"],
        );
        check(&[code(1, None), code(2, None)], &[], &["of 2 runs (`00000000000000000000000000000001` first)"]);
        check(&[code(1, Some((None, Some("ada@home.example"))))], &[("ada", 1)], &["was not recorded"]);
        // hidden letters and endless addresses are no name
        check(&[code(1, both(&format!("{}@x", "é".repeat(400))))], &[], &["committed the code of run"]);
    }
}
