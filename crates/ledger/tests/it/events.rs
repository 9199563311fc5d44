//! One event of every kind, and random sequences of them.

use std::{collections::BTreeMap, sync::Arc};

use stemma_core::{
    Digest, ManualClock, Timestamp,
    endpoint::{
        declaration::LogMode,
        graph::Graph,
        prediction::PredictionAddress,
        revision::{Arm, Forcing, REVISION_VERSION, Revision, UnitSource},
        route::Route,
        target::Target,
    },
    event::{
        AccessLogSealed, Approved, DatasetVersionAdded, DeclaredEdge, Event, EvidenceKind, EvidenceRecorded,
        FeedbackSealed, HistoryAccepted, Promoted, PromotionRequested, Quarantine, RequestClosed, RequestCommented,
        RequestOutcome, SealedRows, SegmentRows, SegmentSealed, VersionNamed, VersionRegistered, about::About,
    },
    id::{ApprovalId, EvidenceId, HomeId, RunId, TokenId},
    lineage::{EdgeKind, Node, NodeKind},
    meaning::{Aspect, Statement},
    policy::{ModelPolicy, PromotionGrounds, Stage},
    record::{Actor, Auth},
    rights::{Action, Deniable, Denial, Edition, Role, TokenScope},
    signature::Signature,
    version::{GivenName, Step, VersionNumber},
};
use stemma_ledger::{Commit, EventFilter, EventRow, Ledger, LedgerError, LedgerOptions, Order, Outcome};

use crate::{
    suite::on_every_database,
    world::{change, commit},
};

pub fn number(pipeline: u32) -> VersionNumber {
    VersionNumber { major: 1, minor: 0, pipeline }
}

fn parse<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn said(aspect: Aspect, text: &str) -> Statement {
    Statement::new(aspect, text).unwrap()
}

/// An event of each kind but `SigningKeyRotated`, after which only the ledger's own next key opens it. `n` makes the names
/// differ of what may be there once; models, aliases and endpoints are the same, so that each `n` ends what one before made.
pub fn every_kind(n: u32) -> Vec<Event> {
    let project = parse("default");
    let version = VersionRegistered {
        project: parse("default"),
        model: parse("credit-score"),
        number: number(n),
        integer: n + 1,
        step: Step::Pipeline,
        reason: "pipeline: no evaluation is declared".into(),
        digest: Digest::of(&n.to_be_bytes()),
        sha256: None,
        size: 10,
        file_name: "model.onnx".into(),
        format: "onnx".into(),
        look: None,
        contract: None,
        claims: None,
        signature: Signature::default(),
        run: Some(RunId::from_u128(u128::from(n))),
        run_certainty: None,
        trainer: Some(parse("tess@example.org")),
        reference: None,
        comparison: None,
        evaluation: None,
        target: None,
        facts: Digest::of(b"facts"),
    };
    let subject = version.digest;
    let target = Target { model: parse("credit-score"), version: number(n), digest: subject };
    let revision = Revision {
        v: REVISION_VERSION,
        project: parse("default"),
        endpoint: parse("credit-decision"),
        ordinal: 0,
        number: n + 1,
        arms: vec![Arm { name: "single".into(), graph: Graph::of_one(target, &Signature::default()) }],
        route: Route::single("single", "s".into()),
        unit: UnitSource::Named,
        force: Forcing::Off,
        overrides: BTreeMap::new(),
        signature: Signature::default(),
        log: LogMode::Durable,
    };
    let quarantine = Quarantine {
        project: parse("default"),
        model: parse("credit-score"),
        version: number(n),
        subject,
        reason: "it leaks".into(),
    };
    let declared = DeclaredEdge {
        project: parse("default"),
        from: Node::new(NodeKind::DatasetVersion, format!("raw@{}", n + 1)),
        to: Node::new(NodeKind::DatasetVersion, format!("german-credit@{}", n + 1)),
        kind: EdgeKind::Derived,
        why: "the same export".into(),
    };
    let denial = Denial {
        principal: parse(&format!("user{n}@example.org")),
        what: Deniable::Action(Action::Approve),
        project: Some(parse("default")),
    };
    vec![
        Event::HomeCreated { home: HomeId::from_u128(1), key: None },
        Event::ProjectCreated { project: parse(&format!("project{n}")) },
        Event::PrincipalAdded { principal: parse(&format!("user{n}@example.org")) },
        Event::RoleGranted {
            principal: parse(&format!("user{n}@example.org")),
            project: None,
            role: Role::Owner,
            endpoint: None,
            edition: Edition::First,
        },
        Event::RoleRevoked {
            principal: parse(&format!("user{n}@example.org")),
            project: None,
            role: Role::Owner,
            endpoint: None,
        },
        Event::TokenIssued {
            token: TokenId::from_u128(u128::from(n)),
            principal: parse(&format!("user{n}@example.org")),
            label: "laptop".into(),
            expires: Some(Timestamp(5)),
            check: Digest::of(&[7; 32]),
            scope: TokenScope { actions: Some([Action::Read].into()), ..TokenScope::default() },
            replaces: None,
        },
        Event::TokenRevoked { token: TokenId::from_u128(u128::from(n)) },
        Event::DatasetVersionAdded(DatasetVersionAdded {
            project: parse("default"),
            dataset: parse("german-credit"),
            number: n + 1,
            digest: subject,
            sha256: None,
            size: 3,
            path: "data/german_credit.csv".into(),
            source: Some("https://example.org".into()),
            why: None,
            derived_from: vec![],
            run: None,
            external: None,
            workspace: None,
            answered_by: Vec::new(),
        }),
        Event::ModelCreated { project: parse("default"), model: parse(&format!("model{n}")) },
        Event::PolicySet { project: parse("default"), model: parse("credit-score"), policy: ModelPolicy::default() },
        Event::VersionRegistered(version),
        Event::EvidenceRecorded(EvidenceRecorded {
            project: parse("default"),
            evidence: EvidenceId::from_u128(u128::from(n)),
            kind: EvidenceKind::Gate,
            model: parse("credit-score"),
            version: number(n),
            subject,
            gate: Some(parse("baseline")),
            spec_digest: Digest::of(b"spec"),
            passed: true,
            summary: "auc 0.8".into(),
            report: Digest::of(b"report"),
            data: Some("german-credit-test@1".into()),
            leaky: false,
            metrics: None,
        }),
        Event::Approved(Approved {
            project: parse("default"),
            approval: ApprovalId::from_u128(u128::from(n)),
            model: parse("credit-score"),
            version: number(n),
            subject,
            stage: Stage::Production,
            evidence: vec![],
            reason: "looks right".into(),
            card: Some(Digest::of(b"card")),
        }),
        Event::Promoted(Promoted {
            project: parse("default"),
            model: parse("credit-score"),
            version: number(n),
            subject,
            from: Stage::Development,
            to: Stage::Production,
            grounds: PromotionGrounds { evidence: vec![], approvals: vec![], unknown: vec![] },
            reason: String::new(),
            exchanged_with: None,
        }),
        Event::AliasMoved {
            project,
            model: parse("credit-score"),
            alias: parse("champion"),
            from: None,
            to: number(n),
            reason: "it is the one".into(),
        },
        Event::EndpointCreated {
            project: parse("default"),
            endpoint: parse(&format!("endpoint{n}")),
            ordinal: n as u16,
        },
        Event::RevisionDeployed { digest: Digest::of(b"revision"), revision, reason: "first".into() },
        Event::SegmentSealed(SegmentSealed {
            segment: u64::from(n),
            project: parse("default"),
            endpoint: parse("credit-decision"),
            ordinal: 0,
            day: 20513,
            first_row: 0,
            last_row: 9,
            rows: 10,
            first_time: Timestamp(1),
            last_time: Timestamp(2),
            digest: subject,
            size: 100,
        }),
        // of no runs at all: real ones are sealed in the suite
        Event::RunsSealed { first: 1, last: 0, count: 0, digest: Digest::of(b"") },
        Event::RowsSealed { of: SealedRows::Feedback, first: 1, last: 0, count: 0, digest: Digest::of(b"") },
        Event::PredictionsNoted {
            segment: u64::from(n),
            records: 2,
            bytes: 90,
            digest: subject,
            key: Digest::of(b"key"),
        },
        Event::FeedbackSealed(FeedbackSealed {
            project: parse("default"),
            endpoint: parse("credit-decision"),
            ordinal: 0,
            segments: vec![SegmentRows { segment: u64::from(n), rows: 3 }],
            rows: 3,
            first: PredictionAddress { segment: 1, endpoint: 0, row: 2 },
            last: PredictionAddress { segment: 4, endpoint: 0, row: 0 },
            first_time: Timestamp(1),
            last_time: Timestamp(2),
            digest: subject,
            size: 100,
        }),
        Event::FeedbackNoted { segment: u64::from(n), records: 2, bytes: 90, digest: subject },
        Event::AccessLogSealed(AccessLogSealed {
            segment: u64::from(n),
            entries: 3,
            not_written: 7,
            first: Timestamp(1),
            last: Timestamp(2),
            digest: subject,
            size: 100,
        }),
        Event::EndpointTakenDown {
            project: parse("default"),
            endpoint: parse("credit-decision"),
            from: 1,
            reason: "nobody calls it".into(),
            quarantine: None,
        },
        Event::RevisionActivated {
            project: parse("default"),
            endpoint: parse("credit-decision"),
            number: 1,
            from: n + 1,
            reason: "too many complaints".into(),
        },
        Event::EdgeDeclared(declared.clone()),
        Event::EdgeWithdrawn(declared),
        Event::ContentKept { project: parse("default"), list: subject, contents: 2 },
        Event::VersionNamed(VersionNamed {
            project: parse("default"),
            model: parse("credit-score"),
            version: number(n),
            subject,
            name: GivenName::Label(parse(&format!("campaign-{n}"))),
        }),
        Event::ProjectClosed { project: parse(&format!("project{n}")), reason: "moved".into() },
        Event::ProjectReopened { project: parse(&format!("project{n}")), reason: "back".into() },
        Event::Denied(denial.clone()),
        Event::DenialWithdrawn(denial),
        Event::TokenExpirySet { token: TokenId::from_u128(u128::from(n)), expires: Timestamp(3) },
        Event::PasswordSet { principal: parse(&format!("user{n}@example.org")), check: Digest::of(b"a hash") },
        Event::PasswordRemoved { principal: parse(&format!("user{n}@example.org")) },
        Event::AliasRemoved {
            project: parse("default"),
            model: parse("credit-score"),
            alias: parse("champion"),
            from: number(n),
            reason: "nobody is".into(),
        },
        Event::VersionQuarantined(quarantine.clone()),
        Event::QuarantineLifted(quarantine),
        Event::PromotionRequested(PromotionRequested {
            project: parse("default"),
            request: n + 1,
            model: parse("credit-score"),
            version: number(n),
            subject,
            stage: Stage::Production,
            comment: "please".into(),
        }),
        Event::RequestCommented(RequestCommented {
            project: parse("default"),
            request: n + 1,
            model: parse("credit-score"),
            version: number(n),
            comment: "not before Monday".into(),
        }),
        Event::RequestClosed(RequestClosed {
            project: parse("default"),
            request: n + 1,
            model: parse("credit-score"),
            version: number(n),
            outcome: RequestOutcome::Refused,
            reason: "it is too slow".into(),
        }),
        Event::HistoryAccepted(HistoryAccepted {
            remembered_size: 40,
            remembered_root: "AA==".into(),
            remembered_at: Timestamp(9),
            reason: "the disk broke; the backup of Monday".into(),
        }),
        Event::ProjectDescribed { project: parse("default"), statement: said(Aspect::Description, "Loans.") },
        Event::ModelDescribed {
            project: parse("default"),
            model: parse("credit-score"),
            version: Some(number(n)),
            statement: said(Aspect::Owner, "risk"),
        },
        Event::DatasetDescribed {
            project: parse("default"),
            dataset: parse("german-credit"),
            statement: said(Aspect::Licence, "CC-BY-4.0"),
        },
        Event::EndpointDescribed {
            project: parse("default"),
            endpoint: parse("credit-decision"),
            statement: said(Aspect::IntendedUse, "Only with a person beside it."),
        },
    ]
}

/// The same for a home that was made already.
pub fn later_kinds(n: u32) -> Vec<Event> {
    every_kind(n).into_iter().filter(|event| event.kind() != "home_created").collect()
}

/// What must have happened before an event can end it.
fn needs(kind: &str) -> Option<&'static str> {
    match kind {
        "role_revoked" => Some("role_granted"),
        "token_revoked" => Some("token_issued"),
        "project_reopened" => Some("project_closed"),
        "denial_withdrawn" => Some("denied"),
        "promoted" => Some("version_registered"),
        "endpoint_taken_down" => Some("revision_deployed"),
        "edge_withdrawn" => Some("edge_declared"),
        "alias_removed" => Some("alias_moved"),
        "quarantine_lifted" => Some("version_quarantined"),
        "request_closed" => Some("promotion_requested"),
        _ => None,
    }
}

/// Commits the event of a kind, by its place in the list, after the one that it needs; returns it with its seq, or nothing
/// if it does not follow from what is there.
pub async fn add(ledger: &Ledger, kind: usize, n: u32) -> Option<(u64, Event)> {
    let event = every_kind(n).swap_remove(kind);
    if let Some(needed) = needs(event.kind()) {
        let needed = every_kind(n).into_iter().find(|event| event.kind() == needed).unwrap();
        try_to_add(ledger, needed).await;
    }
    try_to_add(ledger, event).await
}

pub async fn try_to_add(ledger: &Ledger, event: Event) -> Option<(u64, Event)> {
    match ledger.commit(change(vec![event.clone()])).await {
        Ok(Outcome::Committed { first, .. }) => Some((first, event)),
        Err(LedgerError::Unfollowing { .. }) => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_there_once_is_not_made_twice_and_what_ends_ends_one_thing() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        let refused = async |event: Event, why: &str| match ledger.commit(change(vec![event])).await {
            Err(error @ LedgerError::Unfollowing { .. }) => {
                assert!(error.to_string().contains(why), "{error}");
                assert_eq!(error.kind(), stemma_core::ErrorKind::Conflict);
            }
            other => panic!("{other:?}"),
        };
        for event in every_kind(0).into_iter().filter(|event| needs(event.kind()).is_some()) {
            refused(event, "it ends 0 ").await;
        }
        commit(&ledger, every_kind(0)).await;
        let size = ledger.head_seq();
        for event in every_kind(0) {
            match event.kind() {
                // what ended may begin anew, and these may be said as often as one likes
                "role_granted"
                | "policy_set"
                | "project_described"
                | "model_described"
                | "dataset_described"
                | "endpoint_described"
                | "promoted"
                | "alias_moved"
                | "alias_removed"
                | "version_quarantined"
                | "quarantine_lifted"
                | "request_commented"
                | "runs_sealed"
                | "rows_sealed"
                | "predictions_noted"
                | "feedback_noted"
                | "endpoint_taken_down"
                | "revision_activated"
                | "project_closed"
                | "denied"
                | "token_expiry_set"
                | "password_set"
                | "access_log_sealed"
                | "edge_declared"
                | "content_kept"
                | "content_purged"
                | "history_accepted" => {}
                "role_revoked" | "token_revoked" | "edge_withdrawn" | "request_closed" | "project_reopened"
                | "denial_withdrawn" | "password_removed" => refused(event, "it ends 0 ").await,
                kind => {
                    refused(event, if kind == "home_created" { "`home` says so already" } else { "says so already" })
                        .await
                }
            }
        }
        // nothing of what was refused is there
        assert_eq!(ledger.head_seq(), size);
        assert_eq!(ledger.verify().await.first_bad, None);
    });
}

#[test]
fn events_are_found_by_all_that_is_said_of_them() {
    on_every_database(async |world| {
        let clock = Arc::new(ManualClock::at(Timestamp(0)));
        let ledger = Ledger::open(LedgerOptions { clock: clock.clone(), ..world.options() }).await.unwrap();
        for n in 0..3 {
            clock.advance_micros(1);
            let events = if n == 0 { every_kind(n) } else { later_kinds(n) };
            let who = Actor { principal: parse(&format!("user{n}")), auth: Auth::Asserted };
            ledger.commit(Commit { actor: who, ..change(events) }).await.unwrap();
        }
        let all = ledger.events(0, 1000).await.unwrap();
        let found = async |filter: EventFilter, expected: &dyn Fn(&EventRow) -> bool| {
            let expected: Vec<_> = all.iter().filter(|row| expected(row)).cloned().collect();
            assert!(!expected.is_empty() && expected.len() < all.len(), "{filter:?}");
            assert_eq!(ledger.events_that(&filter, 0, 1000).await.unwrap(), expected, "{filter:?}");
            let rest = ledger.events_that(&filter, expected[0].seq, 2).await.unwrap();
            assert_eq!(rest, expected[1..expected.len().min(3)], "{filter:?}");
        };
        let filter = EventFilter::default;
        for one in [&all[7], &all[20], &all[40]] {
            let (kind, subject) = (one.event.kind(), one.event.subject());
            found(EventFilter { kinds: vec![kind.into()], ..filter() }, &|row| row.event.kind() == kind).await;
            found(EventFilter { subject: Some(subject.clone()), ..filter() }, &|row| row.event.subject() == subject)
                .await;
            found(EventFilter { request: Some(one.request), ..filter() }, &|row| row.request == one.request).await;
            let who = one.actor.principal.clone();
            found(EventFilter { actor: Some(who.clone()), ..filter() }, &|row| row.actor.principal == who).await;
            let since = Some(Timestamp(2));
            let late = EventFilter { kinds: vec![kind.into()], since, ..filter() };
            found(late, &|row| row.event.kind() == kind && row.time >= Timestamp(2)).await;
        }
        let default = parse("default");
        found(EventFilter { project: Some(default), ..filter() }, &|row| {
            row.event.project().is_some_and(|project| project.as_str() == "default")
        })
        .await;
        let (since, until) = (Some(Timestamp(2)), Some(Timestamp(2)));
        found(EventFilter { since, until, ..filter() }, &|row| row.time == Timestamp(2)).await;
        let kinds = vec!["approved".into(), "promoted".into()];
        found(EventFilter { kinds, ..filter() }, &|row| matches!(row.event.kind(), "approved" | "promoted")).await;
        let newest = ledger.page_of_events(&filter(), Order::NewestFirst, Some(20), 3).await.unwrap();
        assert_eq!(newest.iter().map(|row| row.seq).collect::<Vec<_>>(), [19, 18, 17]);
    });
}

#[test]
fn all_that_happened_to_a_thing_is_found_by_its_names() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        for n in 0..3 {
            let events = if n == 0 { every_kind(n) } else { later_kinds(n) };
            commit(&ledger, events).await;
        }
        // of the same names in another project, and a dataset that is called like the model
        let elsewhere = Event::ModelCreated { project: parse("other"), model: parse("credit-score") };
        let Event::DatasetVersionAdded(added) = every_kind(9).swap_remove(7) else { unreachable!() };
        let namesake = Event::DatasetVersionAdded(DatasetVersionAdded { dataset: parse("credit-score"), ..added });
        commit(&ledger, vec![elsewhere, namesake]).await;
        let all = ledger.events(0, 1000).await.unwrap();
        let found = async |about: About, expected: &dyn Fn(&Event) -> bool| {
            let filter = EventFilter { about: Some(about), project: Some(parse("default")), ..EventFilter::default() };
            let expected: Vec<EventRow> = all.iter().filter(|row| expected(&row.event)).cloned().collect();
            assert!(expected.len() > 2, "{filter:?}");
            assert_eq!(ledger.events_that(&filter, 0, 1000).await.unwrap(), expected, "{filter:?}");
            let last = ledger.page_of_events(&filter, Order::NewestFirst, None, 1).await.unwrap();
            assert_eq!(last.as_slice(), &expected[expected.len() - 1..], "{filter:?}");
        };
        found(About::Model(parse("credit-score")), &|event| {
            matches!(
                event,
                Event::PolicySet { .. }
                    | Event::ModelDescribed { .. }
                    | Event::VersionRegistered(_)
                    | Event::VersionNamed(_)
                    | Event::EvidenceRecorded(_)
                    | Event::Approved(_)
                    | Event::Promoted(_)
                    | Event::AliasMoved { .. }
                    | Event::AliasRemoved { .. }
                    | Event::VersionQuarantined(_)
                    | Event::QuarantineLifted(_)
                    | Event::PromotionRequested(_)
                    | Event::RequestCommented(_)
                    | Event::RequestClosed(_)
            )
        })
        .await;
        let version = number(1);
        found(About::Version(parse("credit-score"), version), &|event| match event {
            Event::AliasMoved { to, .. } => *to == version,
            // the alias left it
            Event::AliasRemoved { from, .. } => *from == version,
            Event::PolicySet { .. } => false,
            event => event.subject() == "credit-score@1.0.1",
        })
        .await;
        found(About::Dataset(parse("german-credit")), &|event| {
            event.subject().split('@').next() == Some("german-credit")
        })
        .await;
        found(About::Endpoint(parse("credit-decision")), &|event| {
            event.subject().split('#').next() == Some("credit-decision")
        })
        .await;
    });
}

#[test]
fn no_kind_is_forgotten() {
    let kinds: BTreeMap<&str, ()> = every_kind(0).iter().map(|event| (event.kind(), ())).collect();
    assert_eq!(kinds.len(), every_kind(0).len());
    // a new variant changes this number: add it above
    assert_eq!(kinds.len(), 48);
}
