//! How long a search takes among many versions: `search [VERSIONS]`, 100,000 without a number. On SQLite, and on PostgreSQL
//! where `STEMMA_TEST_POSTGRES` names one, as `cargo xtask test` starts it.
//!
//! Half of the versions are of one project, and half of another; a hundred models each have a version in production.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use stemma_core::{
    Digest, SystemClock,
    event::{Event, EvidenceKind, EvidenceRecorded, Promoted, VersionRegistered},
    id::{EvidenceId, RequestId},
    name::{ModelName, ProjectName},
    policy::{PromotionGrounds, Stage},
    record::{Actor, Auth},
    search::{Order, Query, Realm},
    signature::{Datatype, Field, Signature},
    version::{Step, VersionNumber},
};
use stemma_ledger::{Commit, Ledger, LedgerOptions, LedgerUrl, Search};

const VERSIONS: u32 = 100_000;
const MODELS: u32 = 1000;
/// Models with a version in production.
const PRODUCTIVE: u32 = 100;
const PEOPLE: u32 = 12;
/// How often each search is made.
const TIMES: u32 = 21;
const PAGE: usize = 50;

const SEARCHES: [(&str, &str); 12] = [
    ("auc > 0.8 and stage = production and not has gate:equal-by-sex and input:age", "auc desc"),
    ("auc > 0.999", "registered desc"),
    ("auc > 0.5", "registered desc"),
    ("auc > 0.5 and input:age and not stage = archived", "auc desc"),
    ("stage = production or auc > 0.9999", "name"),
    ("by:person3@example.org", "registered desc"),
    ("by:person3@example.org and auc > 0.99", "auc"),
    ("model7", "registered desc"),
    ("name like 'model1%' and format = onnx", "version desc"),
    ("params.lr = 0.1 and has gate:equal-by-sex", "registered desc"),
    // nothing is so, and no condition says it by itself
    ("auc > 0.4 and brier < 0.6 and not has metric:auc", "registered desc"),
    ("", "auc desc"),
];

#[tokio::main]
async fn main() {
    let versions = std::env::args().nth(1).map_or(VERSIONS, |number| number.parse().expect("a number of versions"));
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    measure("SQLite", LedgerUrl::Sqlite(folder.path().join("ledger.db")), folder.path(), versions).await;
    match std::env::var("STEMMA_TEST_POSTGRES") {
        Ok(server) => {
            let schema = format!("bench{}", std::process::id());
            let url = format!("{server}?schema={schema}").parse().expect("the address of a database");
            let heads = folder.path().join("postgres");
            std::fs::create_dir(&heads).expect("a folder can be made");
            measure("PostgreSQL", LedgerUrl::Postgres(url), &heads, versions).await;
        }
        Err(_) => println!("PostgreSQL is not measured: STEMMA_TEST_POSTGRES names none"),
    }
}

async fn measure(name: &str, url: LedgerUrl, heads: &Path, versions: u32) {
    let options = LedgerOptions {
        url,
        checkpoints: heads.to_owned(),
        signing_key: None,
        origin: "stemma.example/bench".to_owned(),
        clock: Arc::new(SystemClock),
    };
    let ledger = Ledger::open(options).await.expect("an empty ledger opens");
    let began = Instant::now();
    fill(&ledger, versions).await;
    println!("{name}: {versions} versions in {:.0} s", began.elapsed().as_secs_f64());
    let projects = ["risk", "shop"].map(project);
    for (query, order) in SEARCHES {
        let parsed = (!query.is_empty()).then(|| Query::parse(query).expect("it can be read"));
        let order = Order::parse(order).expect("it can be read");
        let search = Search {
            realm: Realm::Versions,
            projects: &projects,
            query: parsed.as_ref(),
            contracts: None,
            descendants: &[],
            order: &order,
        };
        let (mut pages, mut counts) = (Vec::new(), Vec::new());
        let mut total = String::new();
        for _ in 0..TIMES {
            let began = Instant::now();
            let (found, _) = ledger.now().search(&search, None, PAGE).await.expect("it is searched");
            pages.push(began.elapsed());
            let began = Instant::now();
            let counted = ledger.now().search_counts(&search).await.expect("it is counted");
            counts.push(began.elapsed());
            let more = if counted.are_more { "more than " } else { "" };
            total = format!("{} of {more}{}", found.len(), counted.total - u64::from(counted.are_more));
        }
        println!("  page {}  counts {}  {total:>24}  {query} by {order}", shown(pages), shown(counts));
    }
    ledger.close().await;
}

/// The median and the worst, in milliseconds.
fn shown(mut times: Vec<Duration>) -> String {
    times.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    format!("{:>6.1} ms (worst {:>6.1})", ms(times[times.len() / 2]), ms(times[times.len() - 1]))
}

async fn fill(ledger: &Ledger, versions: u32) {
    let mut events = Vec::new();
    for n in 0..versions {
        events.extend(version(n));
        if events.len() > 6000 || n + 1 == versions {
            let person = format!("person{}@example.org", n % PEOPLE).parse().expect("it is a name");
            let commit = Commit {
                actor: Actor { principal: person, auth: Auth::Authenticated },
                request: RequestId::generate(),
                premises: None,
                events: std::mem::take(&mut events),
                secret: None,
            };
            ledger.commit(commit).await.expect("the ledger takes commits");
        }
    }
}

fn project(name: &str) -> ProjectName {
    name.parse().expect("a word is a name")
}

/// What happens to one version: it is registered, evaluated, and maybe checked and promoted.
fn version(n: u32) -> Vec<Event> {
    let (of, number) = (n % MODELS, VersionNumber { major: 1, minor: 0, pipeline: n / MODELS });
    let project = project(if of.is_multiple_of(2) { "risk" } else { "shop" });
    let model: ModelName = format!("model{of}").parse().expect("it is a name");
    let subject = Digest::of(&n.to_be_bytes());
    // numbers that look as if they were drawn
    let auc = f64::from(n.wrapping_mul(2_654_435_761)) / f64::from(u32::MAX);
    let evidence = |kind, passed, metrics| {
        Event::EvidenceRecorded(EvidenceRecorded {
            project: project.clone(),
            evidence: EvidenceId::generate(),
            kind,
            model: model.clone(),
            version: number,
            subject,
            gate: (kind == EvidenceKind::Gate).then(|| "equal-by-sex".parse().expect("it is a name")),
            spec_digest: subject,
            passed,
            summary: String::new(),
            report: subject,
            data: None,
            leaky: false,
            metrics,
        })
    };
    let metrics = BTreeMap::from([("auc".to_owned(), auc), ("brier".to_owned(), (1.0 - auc) / 2.0)]);
    let mut events = vec![
        Event::VersionRegistered(registered(n, &project, &model, number)),
        evidence(EvidenceKind::Evaluation, true, Some(metrics)),
    ];
    if n.is_multiple_of(3) {
        events.push(evidence(EvidenceKind::Gate, n.is_multiple_of(2), None));
    }
    if of < PRODUCTIVE && number.pipeline == 0 {
        events.push(Event::Promoted(Promoted {
            project: project.clone(),
            model: model.clone(),
            version: number,
            subject,
            from: Stage::Development,
            to: Stage::Production,
            grounds: PromotionGrounds::default(),
            exchanged_with: None,
            reason: "it is the first".into(),
        }));
    }
    events
}

fn registered(n: u32, project: &ProjectName, model: &ModelName, number: VersionNumber) -> VersionRegistered {
    let field = |name: String| Field { name, datatype: Datatype::Fp32, shape: vec![-1, 1], optional: false };
    let inputs = (0..19).map(|input| format!("input{input}_{}", n % MODELS % 50)).chain(["age".to_owned()]);
    VersionRegistered {
        project: project.clone(),
        model: model.clone(),
        number,
        integer: number.pipeline + 1,
        step: Step::Pipeline,
        reason: "pipeline: no evaluation is declared".into(),
        digest: Digest::of(&n.to_be_bytes()),
        sha256: None,
        size: 10,
        file_name: "model.onnx".into(),
        format: if n.is_multiple_of(5) { "lightgbm".into() } else { "onnx".into() },
        look: None,
        contract: None,
        claims: Some(stemma_core::version::Claims {
            params: BTreeMap::from([("lr".to_owned(), if n.is_multiple_of(2) { "0.1" } else { "0.01" }.to_owned())]),
            metrics: BTreeMap::new(),
        }),
        signature: Signature { inputs: inputs.map(field).collect(), outputs: vec![field("score".into())] },
        run: None,
        run_certainty: None,
        trainer: None,
        reference: None,
        comparison: None,
        evaluation: None,
        target: None,
        facts: Digest::of(&n.to_be_bytes()),
    }
}
