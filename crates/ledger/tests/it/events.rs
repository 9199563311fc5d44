//! One event of every kind, and random sequences of them.

use std::collections::BTreeMap;

use stemma_core::{
    Digest, Timestamp,
    composition::Sequence,
    event::SealedRows,
    event::{
        Approved, DatasetVersionAdded, DeclaredEdge, Event, EvidenceKind, EvidenceRecorded, HistoryAccepted, Promoted,
        SegmentSealed, VersionRegistered,
    },
    id::{ApprovalId, EvidenceId, HomeId, RunId, TokenId},
    lineage::{EdgeKind, Node, NodeKind},
    policy::{ModelPolicy, PromotionGrounds, Role, Stage},
    route::{LogMode, Revision, Route},
    signature::Signature,
    target::Target,
    version::{Step, VersionNumber},
};

pub fn number(pipeline: u32) -> VersionNumber {
    VersionNumber { major: 1, minor: 0, pipeline }
}

fn parse<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

/// An event of each kind but `SigningKeyRotated`, after which only the ledger's own next key opens it; `n` makes its names differ.
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
        v: 1,
        project: parse("default"),
        endpoint: parse("credit-decision"),
        ordinal: 0,
        number: n + 1,
        route: Route::Single { serves: Sequence::of_one(target, &Signature::default()) },
        overrides: BTreeMap::new(),
        signature: Signature::default(),
        salt: "s".into(),
        log: LogMode::Durable,
    };
    let declared = DeclaredEdge {
        project: parse("default"),
        from: Node::new(NodeKind::DatasetVersion, format!("raw@{}", n + 1)),
        to: Node::new(NodeKind::DatasetVersion, format!("german-credit@{}", n + 1)),
        kind: EdgeKind::Derived,
        why: "the same export".into(),
    };
    vec![
        Event::HomeCreated { home: HomeId::from_u128(1), key: None },
        Event::ProjectCreated { project: parse(&format!("project{n}")) },
        Event::PrincipalAdded { principal: parse(&format!("user{n}@example.org")) },
        Event::RoleGranted { principal: parse("ada@example.org"), project: None, role: Role::Owner },
        Event::RoleRevoked { principal: parse("ada@example.org"), project: None, role: Role::Owner },
        Event::TokenIssued {
            token: TokenId::from_u128(u128::from(n)),
            principal: parse("ada@example.org"),
            label: "laptop".into(),
            expires: Some(Timestamp(5)),
            check: Digest::of(&[7; 32]),
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
        }),
        Event::Promoted(Promoted {
            project: parse("default"),
            model: parse("credit-score"),
            version: number(n),
            subject,
            from: Stage::Development,
            to: Stage::Production,
            grounds: PromotionGrounds { evidence: vec![], approvals: vec![] },
            reason: String::new(),
        }),
        Event::AliasMoved {
            project,
            model: parse("credit-score"),
            alias: parse("champion"),
            from: None,
            to: number(n),
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
        Event::EndpointTakenDown {
            project: parse("default"),
            endpoint: parse("credit-decision"),
            from: 1,
            reason: "nobody calls it".into(),
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
        Event::HistoryAccepted(HistoryAccepted {
            remembered_size: 40,
            remembered_root: "AA==".into(),
            remembered_at: Timestamp(9),
            reason: "the disk broke; the backup of Monday".into(),
        }),
    ]
}

#[test]
fn no_kind_is_forgotten() {
    let kinds: BTreeMap<&str, ()> = every_kind(0).iter().map(|event| (event.kind(), ())).collect();
    assert_eq!(kinds.len(), every_kind(0).len());
    // a new variant changes this number: add it above
    assert_eq!(kinds.len(), 27);
}
