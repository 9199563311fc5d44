//! How long questions about the past take in a ledger with many events (1,000,000 unless a number is given), in SQLite, or
//! in PostgreSQL if an address is given: `cargo run --profile dist -p stemma-ledger --example at -- [EVENTS [ADDRESS]]`.
//!
//! A thousand models get versions, each evaluated three times, approved, promoted and made the champion. Each question is
//! asked at moments all over the history.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use stemma_core::{
    Digest, SystemClock, Timestamp,
    event::{Approved, Event, EvidenceKind, EvidenceRecorded, Promoted, VersionRegistered, about::About},
    id::{ApprovalId, EvidenceId, RequestId},
    name::{ModelName, PrincipalName, ProjectName},
    policy::{ModelPolicy, PromotionGrounds, Stage},
    record::{Actor, Auth},
    rights::{Edition, Role},
    signature::Signature,
    version::{Step, VersionNumber},
};
use stemma_ledger::{Commit, EventFilter, Ledger, LedgerOptions, LedgerUrl, Order, WhichVersion};

const MODELS: u64 = 1000;
const PEOPLE: u64 = 100;
/// Events that each version makes.
const OF_VERSION: u64 = 7;
/// Events of one commit.
const COMMIT: usize = 7000;
const ROUNDS: u64 = 50;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let events = arguments.next().map_or(1_000_000, |text| text.parse().expect("the first argument is a number"));
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let url = match arguments.next() {
        None => LedgerUrl::Sqlite(folder.path().join("ledger.db")),
        Some(address) => LedgerUrl::Postgres(address.parse().expect("the second argument is a database's address")),
    };
    let ledger = open(folder.path(), url).await;
    let began = Instant::now();
    fill(&ledger, events).await;
    let size = ledger.head_seq();
    println!("{size} events, made in {:.0} s", began.elapsed().as_secs_f64());
    ask(&ledger, size).await;
    ledger.close().await;
}

async fn open(folder: &Path, url: LedgerUrl) -> Ledger {
    let options = LedgerOptions {
        url,
        checkpoints: folder.to_owned(),
        signing_key: None,
        origin: "stemma.example/bench".to_owned(),
        clock: Arc::new(SystemClock),
    };
    Ledger::open(options).await.expect("an empty ledger opens")
}

async fn fill(ledger: &Ledger, events: u64) {
    let mut made: Vec<Event> = Vec::new();
    for n in 0..PEOPLE {
        let principal: PrincipalName = format!("user{n}").parse().expect("letters and digits are a name");
        made.push(Event::PrincipalAdded { principal: principal.clone() });
        let (role, edition) = (Role::Reader, Edition::NEWEST);
        made.push(Event::RoleGranted { principal, project: None, role, endpoint: None, edition });
    }
    for n in 0..MODELS {
        made.push(Event::ModelCreated { project: project(), model: model(n) });
        made.push(Event::PolicySet { project: project(), model: model(n), policy: ModelPolicy::default() });
    }
    for n in 0..events / OF_VERSION {
        made.extend(version(n % MODELS, (n / MODELS) as u32, n));
        if made.len() >= COMMIT {
            commit(ledger, std::mem::take(&mut made)).await;
        }
    }
    if !made.is_empty() {
        commit(ledger, made).await;
    }
}

/// All that happens to a version.
fn version(of: u64, pipeline: u32, n: u64) -> Vec<Event> {
    let (number, subject) = (VersionNumber { major: 1, minor: 0, pipeline }, Digest::of(&n.to_le_bytes()));
    let registered = VersionRegistered {
        project: project(),
        model: model(of),
        number,
        integer: pipeline + 1,
        step: Step::Pipeline,
        reason: "pipeline: no evaluation is declared".into(),
        digest: subject,
        sha256: None,
        size: 10,
        file_name: "model.onnx".into(),
        format: "onnx".into(),
        look: None,
        signature: Signature::default(),
        contract: None,
        claims: None,
        run: None,
        run_certainty: None,
        trainer: None,
        reference: None,
        comparison: None,
        evaluation: None,
        target: None,
        facts: subject,
    };
    let evidence = |at: u64| {
        Event::EvidenceRecorded(EvidenceRecorded {
            project: project(),
            evidence: EvidenceId::from_u128(u128::from(n * 3 + at)),
            kind: EvidenceKind::Evaluation,
            model: model(of),
            version: number,
            subject,
            gate: None,
            spec_digest: subject,
            passed: true,
            summary: "auc 0.8".into(),
            report: subject,
            data: None,
            leaky: false,
            metrics: None,
        })
    };
    let approved = Approved {
        project: project(),
        approval: ApprovalId::from_u128(u128::from(n)),
        model: model(of),
        version: number,
        subject,
        stage: Stage::Production,
        evidence: Vec::new(),
        reason: "looks right".into(),
        card: None,
    };
    let promoted = Promoted {
        project: project(),
        model: model(of),
        version: number,
        subject,
        from: Stage::Development,
        to: Stage::Production,
        grounds: PromotionGrounds::default(),
        exchanged_with: None,
        reason: "go".into(),
    };
    let alias = "champion".parse().expect("a word is a name");
    vec![
        Event::VersionRegistered(registered),
        evidence(0),
        evidence(1),
        evidence(2),
        Event::Approved(approved),
        Event::Promoted(promoted),
        Event::AliasMoved {
            project: project(),
            model: model(of),
            alias,
            from: None,
            to: number,
            reason: String::new(),
        },
    ]
}

async fn commit(ledger: &Ledger, events: Vec<Event>) {
    let actor = Actor { principal: "bench".parse().expect("a word is a name"), auth: Auth::Authenticated };
    let commit = Commit { actor, request: RequestId::generate(), premises: None, events, secret: None };
    ledger.commit(commit).await.expect("the ledger takes commits");
}

/// Asks each question at moments all over the history.
async fn ask(ledger: &Ledger, size: u64) {
    let first = ledger.time_of_event(1).await.expect("the ledger is read").expect("there is a first event");
    let last = ledger.time_of_event(size).await.expect("the ledger is read").expect("there is a last event");
    let span = last.micros() - first.micros();
    let at = |round: u64| Timestamp(first.micros() + span * round as i64 / ROUNDS as i64);
    let (project, filter) = (&project(), EventFilter::default);
    measure("which version was the champion at a time, and its stage", async |round| {
        let then = ledger.at(at(round)).await?;
        then.version(project, &model(round), WhichVersion::Alias("champion")).await.map(drop)
    })
    .await;
    measure("the newest version in production", async |round| {
        let then = ledger.at(at(round)).await?;
        then.version(project, &model(round), WhichVersion::NewestIn(Stage::Production)).await.map(drop)
    })
    .await;
    measure("all versions of a model", async |round| {
        ledger.after(size * round / ROUNDS).versions(project, &model(round)).await.map(drop)
    })
    .await;
    measure("evidence, approvals and promotions of a version", async |round| {
        let (then, number) = (ledger.at(at(round)).await?, VersionNumber { major: 1, minor: 0, pipeline: 0 });
        then.evidence(project, &model(round), number).await?;
        then.approvals(project, &model(round), number).await?;
        then.promotions(project, &model(round), number).await.map(drop)
    })
    .await;
    measure("the rules of a model", async |round| {
        ledger.at(at(round)).await?.policy(project, &model(round)).await.map(drop)
    })
    .await;
    measure("all models", async |round| ledger.at(at(round)).await?.models(project).await.map(drop)).await;
    measure("everybody with their roles", async |round| ledger.at(at(round)).await?.principals().await.map(drop)).await;
    measure("the newest 100 changes about a model", async |round| {
        let wanted =
            EventFilter { about: Some(About::Model(model(round))), project: Some(project.clone()), ..filter() };
        ledger.page_of_events(&wanted, Order::NewestFirst, None, 100).await.map(drop)
    })
    .await;
    measure("100 approvals since a time", async |round| {
        let wanted = EventFilter { kinds: vec!["approved".into()], since: Some(at(round)), ..filter() };
        ledger.page_of_events(&wanted, Order::OldestFirst, None, 100).await.map(drop)
    })
    .await;
    measure("a proof of an event", async |round| ledger.prove(1 + size * round / (ROUNDS + 1)).await.map(drop)).await;
}

async fn measure(what: &str, question: impl AsyncFn(u64) -> Result<(), stemma_ledger::LedgerError>) {
    let mut took: Vec<Duration> = Vec::new();
    for round in 0..ROUNDS {
        let began = Instant::now();
        question(round).await.expect("the ledger is read");
        took.push(began.elapsed());
    }
    took.sort();
    let millis = |took: &Duration| took.as_secs_f64() * 1000.0;
    let (median, most) = (millis(&took[took.len() / 2]), took.last().map_or(0.0, millis));
    println!("{what}: median {median:.2} ms, at most {most:.2} ms");
}

fn project() -> ProjectName {
    ProjectName::default_project()
}

fn model(n: u64) -> ModelName {
    format!("m{n}").parse().expect("a letter and digits are a name")
}
