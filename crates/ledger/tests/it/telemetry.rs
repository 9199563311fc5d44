//! Rows beside the ledger: runs, edges, feedback, content grants.

use std::collections::BTreeMap;

use stemma_core::{
    Clock as _, Digest, ErrorKind, Problem, Timestamp, canonical,
    id::RunId,
    lineage::{Certainty, Edge, EdgeKind, Node, NodeKind},
    record::{CaptureSummary, CodeVersion, ExitStatus, FileRef, RunKind, RunRecord},
};
use stemma_ledger::{ContentGrant, ContentKind, FeedbackRow};
use tokio::task::JoinSet;

use crate::{
    story::digest,
    world::{ada, name},
};

fn file(path: &str, content: u32) -> FileRef {
    FileRef {
        path: path.to_owned(),
        digest: digest(content),
        sha256: None,
        size: 10,
        role: Some("train".to_owned()),
        certainty: Certainty::Observed,
        mutated: false,
    }
}

/// A run that read content `number` and wrote content `number + 1`.
pub fn run(project: &str, number: u32) -> RunRecord {
    RunRecord {
        v: 1,
        id: RunId::from_u128(u128::from(number)),
        project: name(project),
        kind: RunKind::Training,
        actor: ada(),
        command: vec!["python".to_owned(), "train.py".to_owned()],
        directory: String::new(),
        started: Timestamp(1),
        ended: Timestamp(2),
        exit: ExitStatus::Code(0),
        code: CodeVersion { files: vec![file("train.py", 1_000_000)], ..CodeVersion::default() },
        environment: digest(2_000_000),
        capture: CaptureSummary {
            level: 4,
            method: "ptrace".to_owned(),
            hosts: vec![],
            environment_files: 3,
            truncated: false,
            may_bypass: false,
        },
        inputs: vec![file("data/train.csv", number)],
        outputs: vec![file("model/model.onnx", number + 1)],
        params: BTreeMap::from([("c".to_owned(), "0.1".to_owned())]),
        claimed_metrics: BTreeMap::from([("auc".to_owned(), 0.1 + f64::from(number))]),
        cpu_us: 5,
        max_rss_bytes: 6,
        redactions: vec![],
    }
}

pub fn run_digest(project: &str, number: u32) -> Digest {
    canonical::digest(&run(project, number)).unwrap().0
}

async fn insert(ledger: &stemma_ledger::Ledger, project: &str, number: u32) -> bool {
    ledger.insert_run(&run(project, number), run_digest(project, number), &[]).await.unwrap()
}

fn edge(from: u32, to: u32) -> Edge {
    Edge {
        from: Node::new(NodeKind::Content, digest(from)),
        to: Node::new(NodeKind::Run, to),
        kind: EdgeKind::Read,
        role: from.is_multiple_of(2).then(|| "train".to_owned()),
        certainty: Certainty::Observed,
    }
}

on_both! {
    async fn a_run_is_recorded_once_and_read_back_whole(world) {
        let ledger = world.open().await;
        assert!(insert(&ledger, "default", 1).await);
        assert!(!insert(&ledger, "default", 1).await);
        let mut other = run("default", 1);
        other.cpu_us += 1;
        let error = ledger.insert_run(&other, digest(9), &[]).await.unwrap_err();
        assert_eq!(Problem::from(error).kind, ErrorKind::Conflict);

        let mut view = ledger.read().await.unwrap();
        let found = view.run(RunId::from_u128(1)).await.unwrap().unwrap();
        assert_eq!((found.record, found.digest, found.ordinal), (run("default", 1), run_digest("default", 1), 1));
        assert!(view.run(RunId::from_u128(2)).await.unwrap().is_none());
    }

    async fn numbers_that_json_has_not_come_back(world) {
        let ledger = world.open().await;
        let mut record = run("default", 1);
        for (metric, value) in [("nan", f64::NAN), ("inf", f64::INFINITY), ("-inf", f64::NEG_INFINITY), ("tiny", 5e-324)] {
            record.claimed_metrics.insert(metric.to_owned(), value);
        }
        ledger.insert_run(&record, digest(1), &[]).await.unwrap();
        let found = ledger.read().await.unwrap().run(record.id).await.unwrap().unwrap().record;
        assert!(found.claimed_metrics["nan"].is_nan());
        assert_eq!(found.claimed_metrics["inf"], f64::INFINITY);
        assert_eq!(found.claimed_metrics["-inf"], f64::NEG_INFINITY);
        assert_eq!(found.claimed_metrics["tiny"], 5e-324);
        assert_eq!(found.claimed_metrics.len(), 5);
    }

    async fn runs_come_newest_first_in_pages(world) {
        let ledger = world.open().await;
        for number in 1..=7 {
            insert(&ledger, if number == 4 { "other" } else { "default" }, number).await;
        }
        let mut view = ledger.read().await.unwrap();
        let project = name("default");
        let mut before = None;
        let mut seen = Vec::new();
        loop {
            let page = view.runs(&project, before, 2).await.unwrap();
            let Some(last) = page.last() else { break };
            before = Some(last.record.id);
            seen.extend(page.iter().map(|run| run.record.id.as_u128()));
        }
        assert_eq!(seen, [7, 6, 5, 3, 2, 1]);
        assert!(view.runs(&project, Some(RunId::from_u128(99)), 2).await.unwrap().is_empty());
    }

    async fn runs_are_found_by_what_they_read_and_wrote(world) {
        let ledger = world.open().await;
        for number in 1..=3 {
            insert(&ledger, "default", number).await;
        }
        let again = RunRecord { id: RunId::from_u128(50), ..run("default", 2) };
        ledger.insert_run(&again, digest(50), &[]).await.unwrap();
        let mut view = ledger.read().await.unwrap();
        let ids = |runs: Vec<stemma_ledger::RunRow>| -> Vec<u128> { runs.iter().map(|run| run.record.id.as_u128()).collect() };
        let project = name("default");
        assert_eq!(ids(view.runs_that_wrote(&project, digest(3)).await.unwrap()), [50, 2]);
        assert_eq!(ids(view.runs_that_read(&project, digest(3)).await.unwrap()), [3]);
        // code is neither
        assert!(view.runs_that_read(&project, digest(1_000_000)).await.unwrap().is_empty());
        assert!(view.runs_that_wrote(&name("other"), digest(3)).await.unwrap().is_empty());
    }

    async fn a_run_with_many_files_is_recorded_whole(world) {
        let ledger = world.open().await;
        let mut record = run("default", 1);
        record.inputs = (0..2_011).map(|number| file(&format!("data/{number}.csv"), number)).collect();
        let edges: Vec<Edge> = (0..2_011).map(|number| edge(number, 1)).collect();
        ledger.insert_run(&record, digest(1), &edges).await.unwrap();
        let mut view = ledger.read().await.unwrap();
        for number in [0, 1_000, 2_010] {
            assert_eq!(view.runs_that_read(&name("default"), digest(number)).await.unwrap().len(), 1);
        }
        let to = [Node::new(NodeKind::Run, 1)];
        let found = view.edges_to(&name("default"), &to, 5_000).await.unwrap();
        assert!(found.complete && found.edges.len() == 2_011);
    }

    async fn edges_are_walked_both_ways_and_kept_once(world) {
        let ledger = world.open().await;
        let project = name("default");
        let edges: Vec<Edge> = (0..300).map(|number| edge(number, number / 3)).collect();
        ledger.insert_edges(&project, &edges).await.unwrap();
        ledger.insert_edges(&project, &edges[..50]).await.unwrap();
        ledger.insert_edges(&name("other"), &[edge(7, 0)]).await.unwrap();

        let mut view = ledger.read().await.unwrap();
        let runs: Vec<Node> = (0..200).map(|number| Node::new(NodeKind::Run, number)).collect();
        let mut found = view.edges_to(&project, &runs, 1000).await.unwrap();
        found.edges.sort();
        let mut expected = edges.clone();
        expected.sort();
        assert!(found.complete);
        assert_eq!(found.edges, expected);

        let from = [Node::new(NodeKind::Content, digest(4)), Node::new(NodeKind::Content, digest(999))];
        assert_eq!(view.edges_from(&project, &from, 10).await.unwrap().edges, [edge(4, 1)]);
        let cut = view.edges_to(&project, &runs, 10).await.unwrap();
        assert!(!cut.complete && cut.edges.len() == 10);
        assert_eq!(view.edges_to(&name("other"), &runs, 10).await.unwrap().edges, [edge(7, 0)]);
        assert!(view.edges_to(&project, &[], 10).await.unwrap().edges.is_empty());
    }

    async fn an_edge_can_be_known_in_two_ways(world) {
        let ledger = world.open().await;
        let declared = Edge { certainty: Certainty::Declared, ..edge(2, 1) };
        ledger.insert_edges(&name("default"), &[edge(2, 1), declared]).await.unwrap();
        let mut view = ledger.read().await.unwrap();
        let found = view.edges_to(&name("default"), &[Node::new(NodeKind::Run, 1)], 10).await.unwrap();
        assert_eq!(found.edges.len(), 2);
    }

    async fn feedback_is_kept_in_order(world) {
        let ledger = world.open().await;
        let feedback = |label: &str, reward| FeedbackRow {
            project: name("default"),
            prediction: "pred_1".to_owned(),
            label: Some(label.to_owned()),
            reward,
            comment: None,
            time: world.clock.now(),
            actor: ada(),
        };
        ledger.insert_feedback(&feedback("good", Some(0.25))).await.unwrap();
        ledger.insert_feedback(&feedback("bad", None)).await.unwrap();
        assert!(ledger.insert_feedback(&feedback("odd", Some(f64::NAN))).await.is_err());
        let mut view = ledger.read().await.unwrap();
        assert_eq!(view.feedback_for("pred_1").await.unwrap(), [feedback("good", Some(0.25)), feedback("bad", None)]);
        assert!(view.feedback_for("pred_2").await.unwrap().is_empty());
    }

    async fn a_digest_alone_grants_nothing(world) {
        let ledger = world.open().await;
        let (ours, theirs) = (name("ours"), name("theirs"));
        let grants: Vec<ContentGrant> = (0..500)
            .map(|number| ContentGrant { digest: digest(number), size: u64::from(number), kind: ContentKind::Tree })
            .collect();
        ledger.grant_content(&ours, &grants).await.unwrap();
        ledger.grant_content(&ours, &grants[..3]).await.unwrap();
        let mut view = ledger.read().await.unwrap();
        assert_eq!(view.granted(&ours, digest(7)).await.unwrap(), Some(grants[7]));
        assert_eq!(view.granted(&theirs, digest(7)).await.unwrap(), None);
        let asked: Vec<Digest> = (490..800).map(digest).collect();
        assert_eq!(view.missing_content(&ours, &asked).await.unwrap(), asked[10..]);
        assert_eq!(view.missing_content(&theirs, &asked).await.unwrap(), asked);
        assert!(view.missing_content(&theirs, &[]).await.unwrap().is_empty());
    }

    async fn runs_are_sealed_once_in_their_order(world) {
        let ledger = world.open().await;
        assert_eq!(ledger.seal_runs(&ada()).await.unwrap(), None);
        for number in 1..=3 {
            insert(&ledger, "default", number).await;
        }
        let seal = ledger.seal_runs(&ada()).await.unwrap().unwrap();
        assert_eq!((seal.first, seal.last, seal.count), (1, 3, 3));
        let digests: Vec<u8> = (1..=3).flat_map(|number| *run_digest("default", number).as_bytes()).collect();
        assert_eq!(seal.digest, Digest::of(&digests));
        assert_eq!(ledger.seal_runs(&ada()).await.unwrap(), None);
        insert(&ledger, "default", 4).await;
        let seal = ledger.seal_runs(&ada()).await.unwrap().unwrap();
        assert_eq!((seal.first, seal.last), (4, 4));
        assert_eq!(ledger.head_seq(), 2);
        assert!(ledger.verify().await.unwrap().passed());
    }

    async fn many_write_telemetry_while_others_commit(world) {
        let (one, two) = (world.open().await, world.open().await);
        let mut tasks = JoinSet::new();
        for number in 1..=60u32 {
            let ledger = if number.is_multiple_of(2) { one.clone() } else { two.clone() };
            tasks.spawn(async move {
                let edges = [edge(number % 5, number), edge(number, number)];
                ledger.insert_run(&run("default", number), run_digest("default", number), &edges).await.unwrap();
                crate::world::commit(&ledger, vec![crate::world::project_created(number)]).await.unwrap();
                ledger.seal_runs(&ada()).await.unwrap();
            });
        }
        tasks.join_all().await;
        let mut view = one.read().await.unwrap();
        assert_eq!(view.runs(&name("default"), None, 100).await.unwrap().len(), 60);
        assert!(one.verify().await.unwrap().passed());
    }
}
