//! What a promotion rests on: gates that passed, and people who said yes and had no hand in it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    approval::{ApprovalFact, approvals_missing, counted, expired},
    lifetime::Lifetime,
    makers::Makers,
    rules::ModelPolicy,
    stage::Stage,
};
use crate::{
    Digest, Refusal, Timestamp,
    id::{ApprovalId, EvidenceId},
    name::GateName,
};

/// Newest result of a gate for one version, as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateFact {
    pub evidence: EvidenceId,
    pub gate: GateName,
    pub spec_digest: Digest,
    pub passed: bool,
    pub recorded: Timestamp,
}

/// All that a promotion of one version is decided on, beside its model's rules.
#[derive(Debug, Clone, Copy)]
pub struct PromotionFacts<'a> {
    pub gates: &'a [GateFact],
    pub approvals: &'a [ApprovalFact],
    pub makers: &'a Makers,
    /// Who keeps the version back and why, if it is in quarantine.
    pub quarantine: Option<&'a str>,
    pub now: Timestamp,
}

/// What a promotion rests on; recorded with it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct PromotionGrounds {
    pub evidence: Vec<EvidenceId>,
    pub approvals: Vec<ApprovalId>,
    /// What could not be found out of who made it; absent before that was looked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// Decides a promotion: the version is kept back by nobody, every required gate is green on this digest under today's
/// declaration, and there are enough approvals, also of each group, by authenticated people who are proved not to have
/// made the version and who saw the evidence that counts. What is too old counts as if it were not there.
pub fn decide_promotion(
    policy: &ModelPolicy,
    stage: Stage,
    facts: &PromotionFacts<'_>,
) -> Result<PromotionGrounds, Refusal> {
    let rule = policy.promotion(stage);
    let mut missing = Vec::new();
    let mut evidence = Vec::new();
    if let Some(quarantine) = facts.quarantine.filter(|_| stage.is_in_use()) {
        missing.push(format!("an end of its quarantine: {quarantine}"));
    }
    for name in &rule.gates {
        match gate_evidence(policy, name, rule.evidence_expires, facts) {
            Ok(id) => evidence.push(id),
            Err(why) => missing.push(why),
        }
    }
    let counted = counted(facts.approvals, stage, facts.makers, &evidence);
    let (fresh, expired) = expired(counted, rule.approvals_expire, facts.now);
    missing.extend(approvals_missing(policy, stage, &fresh, expired.len()));
    let asks_people = rule.asks_people();
    if asks_people {
        missing.extend(facts.makers.unproved());
    }
    if missing.is_empty() {
        let unknown = if asks_people { facts.makers.unknown.clone() } else { Vec::new() };
        return Ok(PromotionGrounds { evidence, approvals: fresh.iter().map(|one| one.approval).collect(), unknown });
    }
    Err(Refusal::new(format!("promotion to {stage} is refused")).missing(missing))
}

fn gate_evidence(
    policy: &ModelPolicy,
    name: &GateName,
    expires: Option<Lifetime>,
    facts: &PromotionFacts<'_>,
) -> Result<EvidenceId, String> {
    let Some(wanted) = policy.gate_digest(name) else {
        return Err(format!("gate `{name}` is required but not declared"));
    };
    let is_too_old = |fact: &GateFact| expires.is_some_and(|expires| expires.is_over(fact.recorded, facts.now));
    match facts.gates.iter().rev().find(|fact| fact.gate == *name) {
        None => Err(format!("gate `{name}` has not run on this version")),
        Some(fact) if fact.spec_digest != wanted => Err(format!("gate `{name}` changed since it ran on this version")),
        Some(fact) if !fact.passed => Err(format!("gate `{name}` failed on this version")),
        Some(fact) if is_too_old(fact) => {
            let expires = expires.map(|expires| expires.to_string()).unwrap_or_default();
            Err(format!("gate `{name}` ran on this version at {}, and evidence expires after {expires}", fact.recorded))
        }
        Some(fact) => Ok(fact.evidence),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fmt};

    use super::*;
    use crate::{
        id::RunId,
        policy::{GateSpec, Maker, Part, PromotionRule},
        record::{Actor, Auth},
    };

    const DAY: i64 = 24 * 3_600_000_000;

    fn name<T: std::str::FromStr<Err: fmt::Debug>>(text: &str) -> T {
        text.parse().unwrap()
    }

    fn policy() -> ModelPolicy {
        let gate = GateSpec::MetricBaseline { metric: "auc".into(), min: Some(0.7), max: None };
        let rule = PromotionRule {
            gates: vec![name("baseline")],
            approvals: 1,
            alias: Some(name("champion")),
            ..PromotionRule::default()
        };
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
            recorded: Timestamp(0),
        }
    }

    fn approval(by: &str) -> ApprovalFact {
        ApprovalFact {
            approval: ApprovalId::from_u128(2),
            approver: name(by),
            auth: Auth::Authenticated,
            stage: Stage::Production,
            evidence: vec![EvidenceId::from_u128(1)],
            approved: Timestamp(0),
        }
    }

    fn decide(
        policy: &ModelPolicy,
        stage: Stage,
        gates: &[GateFact],
        approvals: &[ApprovalFact],
        makers: &Makers,
    ) -> Result<PromotionGrounds, Refusal> {
        let facts = PromotionFacts { gates, approvals, makers, quarantine: None, now: Timestamp(1) };
        decide_promotion(policy, stage, &facts)
    }

    fn of(people: Vec<Maker>) -> Makers {
        Makers { people, ..Makers::default() }
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
        missing_of(&of(people), gates, approvals)
    }

    fn missing_of(makers: &Makers, gates: &[GateFact], approvals: &[ApprovalFact]) -> Vec<String> {
        match decide(&policy(), Stage::Production, gates, approvals, makers) {
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
            let missing = missing_of(&of(people), std::slice::from_ref(&green), &approvals);
            assert!(missing.len() == 1 && missing[0].contains(word), "{part:?} {missing:?}");
        }
        let unseen = Makers { is_cut: true, ..of(vec![proved.clone()]) };
        assert_eq!(missing_of(&unseen, std::slice::from_ref(&green), &approvals).len(), 1);
        let all = of(vec![proved]);
        assert!(missing_of(&all, &[green], &approvals).is_empty());
    }

    #[test]
    fn where_no_approval_is_asked_for_it_matters_not_who_made_it() {
        let makers = of(vec![maker("anybody", Auth::Asserted, Part::Registered)]);
        assert!(decide(&policy(), Stage::Staging, &[], &[], &makers).is_ok());
    }

    #[test]
    fn one_person_under_two_spellings_is_one_approver() {
        let mut policy = policy();
        policy.promotions.get_mut(&Stage::Production).unwrap().approvals = 2;
        let green = green(&policy);
        let with = |second: &str| {
            let approvals = [approval("reviewer@example.org"), approval(second)];
            decide(&policy, Stage::Production, std::slice::from_ref(&green), &approvals, &Makers::default())
        };
        assert!(with("Reviewer@Example.org").is_err());
        assert!(with("other@example.org").is_ok());
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

    #[test]
    fn whoever_had_any_hand_in_it_can_not_approve_it() {
        let (green, run) = (green(&policy()), RunId::from_u128(7));
        for part in [Part::Registered, Part::Trained(run), Part::Prepared(run), Part::Coded(run), Part::Ruled] {
            let makers = of(vec![maker("Reviewer@example.org", Auth::Authenticated, part)]);
            let missing = missing_of(&makers, std::slice::from_ref(&green), &[approval("reviewer@example.org")]);
            assert_eq!(missing.len(), 1, "{part:?} {missing:?}");
        }
        // what Git says of a committer bars them, and asks nobody for a proof that Git can't give
        let makers = of(vec![maker("cy@example.org", Auth::Asserted, Part::Coded(run))]);
        assert!(missing_of(&makers, &[green], &[approval("reviewer@example.org")]).is_empty());
    }

    #[test]
    fn whose_hand_nobody_can_name_is_told_with_the_grounds() {
        let green = green(&policy());
        let makers = Makers { unknown: vec!["who committed it is not known".into()], ..Makers::default() };
        let told = |policy: &ModelPolicy, stage| {
            decide(policy, stage, std::slice::from_ref(&green), &[approval("reviewer@example.org")], &makers)
        };
        assert_eq!(told(&policy(), Stage::Production).unwrap().unknown, makers.unknown);
        // where nobody has to approve it is no question
        assert!(told(&policy(), Stage::Staging).unwrap().unknown.is_empty());
    }

    #[test]
    fn what_is_in_quarantine_goes_nowhere_but_out_of_use() {
        let (green, makers) = (green(&policy()), Makers::default());
        let why = "by ada: it leaks";
        let missing = |stage| {
            let approvals = [approval("reviewer@example.org")];
            let gates = std::slice::from_ref(&green);
            let facts = PromotionFacts {
                gates,
                approvals: &approvals,
                makers: &makers,
                quarantine: Some(why),
                now: Timestamp(1),
            };
            decide_promotion(&policy(), stage, &facts).err().map(|refusal| refusal.missing).unwrap_or_default()
        };
        assert_eq!(missing(Stage::Production), ["an end of its quarantine: by ada: it leaks"]);
        assert_eq!(missing(Stage::Staging).len(), 1);
        assert!(missing(Stage::Archived).is_empty() && missing(Stage::Development).is_empty());
    }

    #[test]
    fn what_is_too_old_counts_as_if_it_were_not_there() {
        let (green, makers) = (green(&policy()), Makers::default());
        let missing = |evidence: Option<&str>, approvals: Option<&str>, days: i64| {
            let mut policy = policy();
            let rule = policy.promotions.get_mut(&Stage::Production).unwrap();
            rule.evidence_expires = evidence.map(|text| text.parse().unwrap());
            rule.approvals_expire = approvals.map(|text| text.parse().unwrap());
            let (gates, approvals) = (std::slice::from_ref(&green), [approval("reviewer@example.org")]);
            let now = Timestamp(days * DAY);
            let facts = PromotionFacts { gates, approvals: &approvals, makers: &makers, quarantine: None, now };
            decide_promotion(&policy, Stage::Production, &facts)
                .err()
                .map(|refusal| refusal.missing)
                .unwrap_or_default()
        };
        for (evidence, approvals, days, expected) in [
            (None, None, 4000, vec![]),
            (Some("90d"), Some("30d"), 30, vec![]),
            (Some("90d"), Some("30d"), 31, vec!["(0 so far; 1 has expired)"]),
            (Some("90d"), None, 91, vec!["and evidence expires after 90d"]),
            (Some("90d"), Some("30d"), 91, vec!["evidence expires after 90d", "(0 so far; 1 has expired)"]),
        ] {
            let found = missing(evidence, approvals, days);
            let is_told = expected.iter().zip(&found).all(|(wanted, line)| line.contains(wanted));
            assert!(found.len() == expected.len() && is_told, "{evidence:?} {approvals:?} {days}: {found:?}");
        }
    }
}
