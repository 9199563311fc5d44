//! What a promotion rests on, and who may say yes to a version: nobody who made it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{rules::ModelPolicy, stage::Stage};
use crate::{
    Digest, Refusal,
    id::{ApprovalId, EvidenceId, RunId},
    name::{GateName, PrincipalName},
    record::{Actor, Auth},
};

/// Newest result of a gate for one version, as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateFact {
    pub evidence: EvidenceId,
    pub gate: GateName,
    pub spec_digest: Digest,
    pub passed: bool,
}

/// An approval of one version's digest for one stage, as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalFact {
    pub approval: ApprovalId,
    pub approver: PrincipalName,
    pub auth: Auth,
    pub stage: Stage,
    /// Evidence that the approver had before them.
    pub evidence: Vec<EvidenceId>,
}

/// Somebody who had a hand in a version, and how their name is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Maker {
    pub actor: Actor,
    pub part: Part,
}

/// What a maker did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    Registered,
    /// Ran what wrote the version.
    Trained(RunId),
    /// Ran what wrote something that the training read, or what wrote something that that read.
    Prepared(RunId),
}

/// Everybody who made a version, as far as was looked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Makers {
    pub people: Vec<Maker>,
    /// More runs lie behind the version than were looked at.
    pub is_cut: bool,
}

impl Makers {
    /// Whether somebody may be one of them, as far as names tell.
    pub fn include(&self, person: &PrincipalName) -> bool {
        self.people.iter().any(|maker| maker.actor.principal.is_same_person(person))
    }

    /// Why it is not proved that an approver is none of them, one line each; empty if it is.
    ///
    /// A name that was only asserted could be the approver's own under another.
    pub fn unproved(&self) -> Vec<String> {
        let unproved = self.people.iter().filter(|maker| maker.actor.auth != Auth::Authenticated);
        let mut lines: Vec<String> = unproved.map(Maker::unproved).collect();
        lines.dedup();
        if self.is_cut {
            lines.push("more runs lie behind it than can be looked at, so who made it is not known".to_owned());
        }
        lines
    }
}

impl Maker {
    fn unproved(&self) -> String {
        let who = &self.actor.principal;
        match self.part {
            Part::Registered => {
                "it was registered under an unproved name; register it again with a credential".to_owned()
            }
            Part::Trained(run) => format!(
                "it was trained under the unproved name `{who}` in run `{run}`; train it again with a token \
                 (STEMMA_TOKEN) and register that"
            ),
            Part::Prepared(run) => format!(
                "what it was trained on was made under the unproved name `{who}` in run `{run}`; run that and the \
                 training again with a token (STEMMA_TOKEN) and register that"
            ),
        }
    }
}

/// What a promotion rests on; recorded with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PromotionGrounds {
    pub evidence: Vec<EvidenceId>,
    pub approvals: Vec<ApprovalId>,
}

/// Decides a promotion: every required gate green on this digest under today's declaration, and enough approvals
/// by authenticated people who are proved not to have made the version and who saw the evidence that counts.
pub fn decide_promotion(
    policy: &ModelPolicy,
    stage: Stage,
    gates: &[GateFact],
    approvals: &[ApprovalFact],
    makers: &Makers,
) -> Result<PromotionGrounds, Refusal> {
    let rule = policy.promotion(stage);
    let mut missing = Vec::new();
    let mut evidence = Vec::new();
    for name in &rule.gates {
        match gate_evidence(policy, name, gates) {
            Ok(id) => evidence.push(id),
            Err(why) => missing.push(why),
        }
    }
    let counted: Vec<&ApprovalFact> =
        approvals.iter().filter(|approval| approval_counts(approval, stage, &evidence, makers)).collect();
    let approvers = people(counted.iter().map(|approval| &approval.approver));
    if approvers.len() < rule.approvals as usize {
        let people = if rule.approvals == 1 { "approval" } else { "approvals" };
        missing.push(format!(
            "{} {people} for {stage} by somebody who did not make the version ({} so far)",
            rule.approvals,
            approvers.len()
        ));
    }
    if rule.approvals > 0 {
        missing.extend(makers.unproved());
    }
    if missing.is_empty() {
        return Ok(PromotionGrounds { evidence, approvals: counted.iter().map(|a| a.approval).collect() });
    }
    Err(Refusal::new(format!("promotion to {stage} is refused")).missing(missing))
}

fn gate_evidence(policy: &ModelPolicy, name: &GateName, facts: &[GateFact]) -> Result<EvidenceId, String> {
    let Some(wanted) = policy.gate_digest(name) else {
        return Err(format!("gate `{name}` is required but not declared"));
    };
    match facts.iter().rev().find(|fact| fact.gate == *name) {
        None => Err(format!("gate `{name}` has not run on this version")),
        Some(fact) if fact.spec_digest != wanted => Err(format!("gate `{name}` changed since it ran on this version")),
        Some(fact) if !fact.passed => Err(format!("gate `{name}` failed on this version")),
        Some(fact) => Ok(fact.evidence),
    }
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

fn approval_counts(approval: &ApprovalFact, stage: Stage, evidence: &[EvidenceId], makers: &Makers) -> bool {
    approval.stage == stage
        && approval.auth == Auth::Authenticated
        && !makers.include(&approval.approver)
        && evidence.iter().all(|id| approval.evidence.contains(id))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fmt};

    use super::*;
    use crate::policy::{GateSpec, PromotionRule};

    fn name<T: std::str::FromStr<Err: fmt::Debug>>(text: &str) -> T {
        text.parse().unwrap()
    }

    fn policy() -> ModelPolicy {
        let gate = GateSpec::MetricBaseline { metric: "auc".into(), min: Some(0.7), max: None };
        let rule = PromotionRule { gates: vec![name("baseline")], approvals: 1, alias: Some(name("champion")) };
        ModelPolicy {
            gates: BTreeMap::from([(name("baseline"), gate)]),
            promotions: BTreeMap::from([(Stage::Production, rule)]),
            ..ModelPolicy::default()
        }
    }

    fn green(policy: &ModelPolicy) -> GateFact {
        let gate: GateName = name("baseline");
        GateFact {
            evidence: EvidenceId::from_u128(1),
            spec_digest: policy.gate_digest(&gate).unwrap(),
            gate,
            passed: true,
        }
    }

    fn approval(by: &str) -> ApprovalFact {
        ApprovalFact {
            approval: ApprovalId::from_u128(2),
            approver: name(by),
            auth: Auth::Authenticated,
            stage: Stage::Production,
            evidence: vec![EvidenceId::from_u128(1)],
        }
    }

    fn maker(by: &str, auth: Auth, part: Part) -> Maker {
        Maker { actor: Actor { principal: name(by), auth }, part }
    }

    fn missing(gates: &[GateFact], approvals: &[ApprovalFact]) -> Vec<String> {
        let people = vec![
            maker("robot", Auth::Authenticated, Part::Registered),
            maker("trainer@example.org", Auth::Authenticated, Part::Trained(RunId::from_u128(1))),
            maker("prepared@example.org", Auth::Authenticated, Part::Prepared(RunId::from_u128(2))),
        ];
        missing_of(&Makers { people, is_cut: false }, gates, approvals)
    }

    fn missing_of(makers: &Makers, gates: &[GateFact], approvals: &[ApprovalFact]) -> Vec<String> {
        match decide_promotion(&policy(), Stage::Production, gates, approvals, makers) {
            Ok(_) => Vec::new(),
            Err(refusal) => refusal.missing,
        }
    }

    #[test]
    fn a_maker_who_only_said_their_name_may_be_the_approver() {
        let (green, approvals) = (green(&policy()), [approval("reviewer@example.org")]);
        let run = RunId::from_u128(7);
        let proved = maker("robot", Auth::Authenticated, Part::Registered);
        for (part, word) in
            [(Part::Registered, "registered"), (Part::Trained(run), "trained"), (Part::Prepared(run), "made")]
        {
            let people = vec![proved.clone(), maker("anybody", Auth::Asserted, part)];
            let missing = missing_of(&Makers { people, is_cut: false }, std::slice::from_ref(&green), &approvals);
            assert!(missing.len() == 1 && missing[0].contains(word), "{part:?} {missing:?}");
        }
        let unseen = Makers { people: vec![proved.clone()], is_cut: true };
        assert_eq!(missing_of(&unseen, std::slice::from_ref(&green), &approvals).len(), 1);
        let all = Makers { people: vec![proved], is_cut: false };
        assert!(missing_of(&all, &[green], &approvals).is_empty());
    }

    #[test]
    fn where_no_approval_is_asked_for_it_matters_not_who_made_it() {
        let makers = Makers { people: vec![maker("anybody", Auth::Asserted, Part::Registered)], is_cut: false };
        assert!(decide_promotion(&policy(), Stage::Staging, &[], &[], &makers).is_ok());
    }

    #[test]
    fn one_person_under_two_spellings_is_one_approver() {
        let mut policy = policy();
        policy.promotions.get_mut(&Stage::Production).unwrap().approvals = 2;
        let green = green(&policy);
        let decide = |second: &str| {
            let approvals = [approval("reviewer@example.org"), approval(second)];
            decide_promotion(&policy, Stage::Production, std::slice::from_ref(&green), &approvals, &Makers::default())
        };
        assert!(decide("Reviewer@Example.org").is_err());
        assert!(decide("other@example.org").is_ok());
    }

    #[test]
    fn everything_missing_is_listed_at_once() {
        let all = missing(&[], &[]);
        assert_eq!(
            all,
            [
                "gate `baseline` has not run on this version",
                "1 approval for production by somebody who did not make the version (0 so far)",
            ]
        );
    }

    #[test]
    fn evidence_and_another_persons_approval_suffice() {
        let green = green(&policy());
        assert!(missing(&[green], &[approval("reviewer@example.org")]).is_empty());
    }

    #[test]
    fn approvals_that_do_not_count() {
        let green = green(&policy());
        let by_trainer = approval("trainer@example.org");
        let asserted = ApprovalFact { auth: Auth::Asserted, ..approval("reviewer@example.org") };
        let blind = ApprovalFact { evidence: vec![], ..approval("reviewer@example.org") };
        let staging = ApprovalFact { stage: Stage::Staging, ..approval("reviewer@example.org") };
        let in_capitals = approval("Trainer@Example.org");
        let by_preparer = approval("prepared@example.org");
        let looks_alike = approval("train\u{435}r@example.org");
        for one in [by_trainer, in_capitals, by_preparer, looks_alike, asserted, blind, staging] {
            assert_eq!(missing(std::slice::from_ref(&green), &[one]).len(), 1);
        }
    }

    #[test]
    fn the_newest_result_counts_and_a_changed_declaration_does_not() {
        let green = green(&policy());
        let red = GateFact { passed: false, ..green.clone() };
        let approval = [approval("reviewer@example.org")];
        assert_eq!(missing(&[green.clone(), red.clone()], &approval), ["gate `baseline` failed on this version"]);
        let stale = GateFact { spec_digest: Digest::of(b"other"), ..green };
        assert_eq!(missing(&[red, stale], &approval), ["gate `baseline` changed since it ran on this version"]);
    }
}
