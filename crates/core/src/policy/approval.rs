//! Which approvals count, and whether they are enough: so many people, and one of each group, each person once.

use super::{lifetime::Lifetime, makers::Makers, rules::ModelPolicy, stage::Stage};
use crate::{
    Timestamp,
    id::{ApprovalId, EvidenceId},
    name::{GroupName, PrincipalName},
    record::Auth,
};

/// An approval of one version's digest for one stage, as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalFact {
    pub approval: ApprovalId,
    pub approver: PrincipalName,
    pub auth: Auth,
    pub stage: Stage,
    /// Evidence that the approver had before them.
    pub evidence: Vec<EvidenceId>,
    pub approved: Timestamp,
}

/// The approvals by authenticated people who had no hand in the version and saw the evidence that counts.
pub fn counted<'a>(
    approvals: &'a [ApprovalFact],
    stage: Stage,
    makers: &Makers,
    evidence: &[EvidenceId],
) -> Vec<&'a ApprovalFact> {
    let counts = |approval: &&ApprovalFact| {
        approval.stage == stage
            && approval.auth == Auth::Authenticated
            && !makers.include(&approval.approver)
            && evidence.iter().all(|id| approval.evidence.contains(id))
    };
    approvals.iter().filter(counts).collect()
}

/// Those that still count, and those that are too old.
pub fn expired(
    approvals: Vec<&ApprovalFact>,
    expires: Option<Lifetime>,
    now: Timestamp,
) -> (Vec<&ApprovalFact>, Vec<&ApprovalFact>) {
    approvals.into_iter().partition(|one| !expires.is_some_and(|expires| expires.is_over(one.approved, now)))
}

/// What of approvals is missing for a stage, one line each.
pub fn approvals_missing(
    policy: &ModelPolicy,
    stage: Stage,
    approvals: &[&ApprovalFact],
    expired: usize,
) -> Vec<String> {
    let rule = policy.promotion(stage);
    let people = people(approvals.iter().map(|one| &one.approver));
    let mut missing = Vec::new();
    if people.len() < rule.approvals as usize {
        let word = if rule.approvals == 1 { "approval" } else { "approvals" };
        let (needed, count) = (rule.approvals, people.len());
        let expired = match expired {
            0 => String::new(),
            1 => "; 1 has expired".to_owned(),
            more => format!("; {more} have expired"),
        };
        missing.push(format!(
            "{needed} {word} for {stage} by somebody who did not make the version ({count} so far{expired})"
        ));
    }
    missing.extend(groups_missing(policy, &rule.groups, stage, &people));
    missing
}

/// The groups for which nobody is left who approved, if each person stands for one group only.
fn groups_missing(policy: &ModelPolicy, groups: &[GroupName], stage: Stage, people: &[&PrincipalName]) -> Vec<String> {
    let is_in = |group: &GroupName, person: &PrincipalName| {
        policy.groups.get(group).is_some_and(|members| members.iter().any(|member| member.is_same_person(person)))
    };
    let may_stand: Vec<Vec<usize>> =
        groups.iter().map(|group| (0..people.len()).filter(|at| is_in(group, people[*at])).collect()).collect();
    let unmatched = unmatched(&may_stand, people.len());
    let line = |at: usize| {
        let group = &groups[at];
        match may_stand[at].as_slice() {
            [] => format!("an approval for {stage} by somebody of group `{group}`"),
            _ => format!("an approval for {stage} by another person of group `{group}`: one person counts once"),
        }
    };
    unmatched.into_iter().map(line).collect()
}

/// The groups that are left without a person in a largest assignment of people to groups (augmenting paths, Kuhn 1955).
fn unmatched(may_stand: &[Vec<usize>], people: usize) -> Vec<usize> {
    let mut stands_for: Vec<Option<usize>> = vec![None; people];
    let finds_nobody = |group: &usize| !place(*group, may_stand, &mut stands_for, &mut vec![false; people]);
    (0..may_stand.len()).filter(finds_nobody).collect()
}

/// Finds somebody for a group; whoever stands for another may be replaced there. As deep as there are groups at most.
fn place(group: usize, may_stand: &[Vec<usize>], stands_for: &mut [Option<usize>], seen: &mut [bool]) -> bool {
    for person in may_stand[group].iter().copied() {
        if std::mem::replace(&mut seen[person], true) {
            continue;
        }
        let is_free = match stands_for[person] {
            None => true,
            Some(other) => place(other, may_stand, stands_for, seen),
        };
        if is_free {
            stands_for[person] = Some(group);
            return true;
        }
    }
    false
}

/// Each person once, in whatever spelling.
fn people<'a>(names: impl Iterator<Item = &'a PrincipalName>) -> Vec<&'a PrincipalName> {
    let mut people: Vec<&PrincipalName> = Vec::new();
    for name in names {
        if !people.iter().any(|known| known.is_same_person(name)) {
            people.push(name);
        }
    }
    people
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn approval(by: &str) -> ApprovalFact {
        ApprovalFact {
            approval: ApprovalId::from_u128(1),
            approver: by.parse().unwrap(),
            auth: Auth::Authenticated,
            stage: Stage::Production,
            evidence: Vec::new(),
            approved: Timestamp(0),
        }
    }

    /// Rules that ask so many people and these groups.
    fn policy(approvals: u32, groups: &[&str]) -> ModelPolicy {
        serde_json::from_value(json!({
            "groups": { "risk": ["ada", "bob"], "it": ["bob", "cy"], "law": ["bob"] },
            "promotion": { "production": { "approvals": approvals, "groups": groups } },
        }))
        .unwrap()
    }

    /// So many people and these groups are asked for; these approve; this is missing.
    type Case<'a> = (u32, &'a [&'a str], &'a [&'a str], &'a [&'a str]);

    #[test]
    fn so_many_people_and_each_group_by_another() {
        let cases: &[Case<'_>] = &[
            (0, &[], &[], &[]),
            (2, &[], &["ada"], &["2 approvals for production by somebody who did not make the version (1 so far)"]),
            (2, &[], &["ada", "Ada", "ada."], &["(1 so far)"]),
            (2, &[], &["ada", "zoe"], &[]),
            // whoever is in no group counts as one of so many, and for no group
            (2, &["risk"], &["zoe", "yan"], &["an approval for production by somebody of group `risk`"]),
            (2, &["risk"], &["zoe", "ada"], &[]),
            (2, &["risk", "it"], &["ada", "cy"], &[]),
            // the one who is in both stands for one of them, whichever leaves the other to somebody else
            (2, &["risk", "it"], &["bob", "ada"], &[]),
            (2, &["risk", "it"], &["bob", "cy"], &[]),
            (0, &["risk", "it"], &["bob"], &["another person of group `it`: one person counts once"]),
            (0, &["risk", "it"], &["BOB"], &["another person of group `it`"]),
            (0, &["risk", "it", "law"], &["ada", "bob", "cy"], &[]),
            (0, &["risk", "it", "law"], &["bob", "cy"], &["group `law`: one person counts once"]),
            (3, &["risk", "it"], &["ada", "cy"], &["3 approvals"]),
        ];
        for (approvals, groups, by, expected) in cases {
            let given: Vec<ApprovalFact> = by.iter().map(|who| approval(who)).collect();
            let given: Vec<&ApprovalFact> = given.iter().collect();
            let missing = approvals_missing(&policy(*approvals, groups), Stage::Production, &given, 0);
            let is_told = expected.iter().zip(&missing).all(|(wanted, line)| line.contains(wanted));
            assert!(missing.len() == expected.len() && is_told, "{approvals} {groups:?} {by:?}: {missing:?}");
        }
    }

    #[test]
    fn what_is_too_old_does_not_count_and_is_told() {
        let day = 24 * 3_600_000_000;
        let old = ApprovalFact { approved: Timestamp(0), ..approval("ada") };
        let new = ApprovalFact { approved: Timestamp(2 * day), ..approval("cy") };
        let kept = |expires: Option<&str>, now: i64| {
            let expires = expires.map(|text| text.parse().unwrap());
            let (fresh, expired) = expired(vec![&old, &new], expires, Timestamp(now));
            (fresh.len(), expired.len())
        };
        assert_eq!(kept(None, i64::MAX), (2, 0));
        assert_eq!(kept(Some("30d"), 30 * day), (2, 0));
        assert_eq!(kept(Some("30d"), 30 * day + 1), (1, 1));
        assert_eq!(kept(Some("30d"), 33 * day), (0, 2));
        let missing = approvals_missing(&policy(2, &[]), Stage::Production, &[&new], 1);
        assert!(missing[0].ends_with("(1 so far; 1 has expired)"), "{missing:?}");
    }
}
