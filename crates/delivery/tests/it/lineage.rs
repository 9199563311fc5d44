//! Up from a prediction to the file that everybody cut their data from, and down again to every answer.

use std::collections::BTreeSet;

use stemma_api::types::{AddDatasetVersion, AskLineage, Deploy, Lineage, Link};
use stemma_core::{
    Digest, ErrorKind, Problem, canonical,
    id::RequestId,
    lineage::{Certainty, Direction, EdgeKind, Node, NodeKind},
};

use crate::{
    serving::{ask, deployed},
    world::{Ran, World, project, sample},
};

async fn walk(world: &World, of: &str, direction: Direction, depth: Option<u32>) -> Result<Lineage, Problem> {
    let ask = AskLineage { of: of.to_owned(), direction, depth, kinds: vec![] };
    world.delivery.lineage(&world.owner, &project(), &ask).await
}

fn keys(lineage: &Lineage) -> Vec<&str> {
    lineage.tree.nodes.iter().map(|node| node.node.key.as_str()).collect()
}

/// `deployed`, where the training table was cut from a raw one by a recorded run.
async fn with_history() -> World {
    let world = deployed().await;
    let raw = world.upload(world.csv(0..600)).await.digest;
    world.add_from("raw", "data/raw.csv", raw, Some("https://bank.example/raw.csv")).await;
    let cut = |path, rows: std::ops::Range<u32>, started| {
        let world = &world;
        async move {
            let part = world.upload(world.csv(rows)).await.digest;
            let (inputs, outputs) = ([("data/raw.csv", raw)], [(path, part)]);
            world.record_ran(Ran { inputs: &inputs, outputs: &outputs, started, ..Ran::default() }).await
        }
    };
    cut("data/train.csv", 500..600, 10).await;
    cut("data/test.csv", 0..60, 20).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn up_and_down_agree_from_the_raw_file_to_the_answer() {
    let world = with_history().await;
    let id = ask(&world.delivery, 30.0).await;
    let up = walk(&world, &id.to_string(), Direction::Up, None).await.unwrap();
    for expected in ["decision#1", "score@1.0.0", "train@1", "raw@1", "test@1"] {
        assert!(keys(&up).contains(&expected), "{expected} is not in {:?}", keys(&up));
    }
    assert!(up.tree.complete, "{:?}", up.reasons);
    let down = walk(&world, "raw@1", Direction::Down, None).await.unwrap();
    for expected in ["train@1", "score@1.0.0", "decision#1"] {
        assert!(keys(&down).contains(&expected), "{expected} is not in {:?}", keys(&down));
    }
    // whatever lies below the raw file has it above itself
    for node in &down.tree.nodes {
        let back = walk(&world, &node.node.key, Direction::Up, None).await.unwrap();
        assert!(keys(&back).contains(&"raw@1"), "{:?}", node.node);
    }
}

/// The same numbers every time.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

/// Runs that read some of what was there before, and now and then write it again; half of it has a name.
async fn generated(seed: u64) -> (World, Vec<Node>) {
    let (world, mut draw) = (World::new().await, Draw(seed));
    let (mut contents, mut nodes): (Vec<(String, Digest)>, Vec<Node>) = (Vec::new(), Vec::new());
    for at in 0..10 {
        let path = format!("{at}.csv");
        let content = world.upload(format!("a\n{at}\n")).await.digest;
        if at > 0 && draw.below(4) > 0 {
            let (one, two) = (&contents[draw.below(at)], &contents[draw.below(at)]);
            let again = draw.below(6) == 0;
            let output = if again { contents[draw.below(at)].clone() } else { (path.clone(), content) };
            let inputs: Vec<(&str, Digest)> = [one, two].map(|(path, digest)| (path.as_str(), *digest)).into();
            let outputs = [(output.0.as_str(), output.1)];
            let started = 10 * (at as i64 + 1);
            let run = world.record_ran(Ran { inputs: &inputs, outputs: &outputs, started, ..Ran::default() }).await;
            nodes.push(Node::new(NodeKind::Run, run));
        }
        if draw.below(2) == 0 {
            nodes.push(Node::new(NodeKind::DatasetVersion, format!("d{at}@1")));
            world.add_from(&format!("d{at}"), &path, content, None).await;
        }
        contents.push((path, content));
    }
    (world, nodes)
}

async fn reached(world: &World, nodes: &[Node], direction: Direction) -> Vec<BTreeSet<Node>> {
    let mut all = Vec::new();
    for node in nodes {
        let found = walk(world, &node.key, direction, None).await.unwrap();
        all.push(found.tree.nodes.into_iter().map(|one| one.node).collect());
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn one_thing_is_above_another_exactly_if_the_other_is_below_it() {
    for seed in 0..4 {
        let (world, nodes) = generated(seed).await;
        let up = reached(&world, &nodes, Direction::Up).await;
        let down = reached(&world, &nodes, Direction::Down).await;
        for (a, above) in nodes.iter().enumerate() {
            for (b, below) in nodes.iter().enumerate() {
                assert_eq!(up[b].contains(above), down[a].contains(below), "seed {seed}: {above:?} {below:?}");
            }
        }
        assert!(up.iter().any(|above| above.len() > 8), "seed {seed} connects nothing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t39_a_bound_that_was_hit_is_said() {
    let world = with_history().await;
    let near = walk(&world, "score@1.0.0", Direction::Up, Some(1)).await.unwrap();
    assert!(!near.tree.complete);
    assert_eq!(near.reasons, ["it goes on beyond 1 steps"]);
    assert!(!keys(&near).contains(&"raw@1"));
    let zero = walk(&world, "score@1.0.0", Direction::Up, Some(0)).await.unwrap_err();
    assert_eq!(zero.kind, ErrorKind::Invalid);
    let unknown = walk(&world, "scre", Direction::Up, None).await.unwrap_err();
    assert_eq!(unknown.kind, ErrorKind::NotFound);
    assert!(unknown.hint.unwrap().contains("`score`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answers_of_a_version_are_counted_wherever_they_lie() {
    let world = with_history().await;
    ask(&world.delivery, 30.0).await;
    world.delivery.rotate_predictions().await.unwrap();
    world.delivery.seal_predictions().await.unwrap();
    ask(&world.delivery, 31.0).await;
    // a later revision that this data has no part in
    let other = world.upload(sample("table_forest")).await.digest;
    world.register(other).await.unwrap();
    ask(&world.delivery, 32.0).await;
    let impact = world.delivery.impact(&world.owner, &project(), "raw@1").await.unwrap();
    assert_eq!(impact.predictions, 3, "{impact:#?}");
    let [revision] = impact.revisions.as_slice() else { panic!("{impact:#?}") };
    assert!(revision.live && revision.versions == ["score@1.0.0"], "{revision:?}");
    assert_eq!(impact.runs.len(), 3);
    assert_eq!(impact.datasets, ["raw@1", "test@1", "train@1"]);
    let evaluated = world.delivery.impact(&world.owner, &project(), "test@1").await.unwrap();
    let made_from: Vec<bool> = evaluated.versions.iter().map(|version| version.made_from).collect();
    assert_eq!(made_from, [false, false], "{evaluated:#?}");
    let redeploy = Deploy { reason: "again".into(), ..Deploy::of_model("score@1.0.0") };
    let endpoint = "decision".parse().unwrap();
    world.delivery.deploy(&world.owner, RequestId::generate(), &project(), &endpoint, redeploy).await.unwrap();
    let live: Vec<bool> = world
        .delivery
        .impact(&world.owner, &project(), "raw@1")
        .await
        .unwrap()
        .revisions
        .iter()
        .map(|one| one.live)
        .collect();
    assert_eq!(live, [true, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_leads_to_what_was_made_with_it() {
    let world = World::new().await;
    let (environment, bytes) = canonical::digest(&serde_json::json!({
        "packages": [{ "name": "Num_Py", "version": "2.1.0", "record_digest": null }]
    }))
    .unwrap();
    world.upload(bytes).await;
    let model = world.upload(sample("table_boosting")).await.digest;
    world.record_run_in(environment, &[], model).await;
    world.register(model).await.unwrap();
    for package in ["num-py", "num.py==2.1.0", "package:NUM-PY"] {
        let impact = world.delivery.impact(&world.owner, &project(), package).await.unwrap();
        assert_eq!(impact.versions[0].version, "score@1.0.0", "{package}");
    }
    let other = world.delivery.impact(&world.owner, &project(), "num-py==2.0.0").await.unwrap_err();
    assert_eq!(other.kind, ErrorKind::NotFound);
}

fn link(from: &str, to: &str, kind: EdgeKind, why: &str) -> Link {
    Link { from: from.into(), to: to.into(), kind, why: why.into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_declare_counts_until_they_withdraw_it_and_closes_no_circle() {
    let world = with_history().await;
    let csv = world.csv(0..5);
    let digest = world.upload(csv).await.digest;
    let add = AddDatasetVersion {
        digest,
        path: "e.csv".into(),
        source: None,
        why: None,
        derived_from: vec!["raw".into()],
        workspace: None,
    };
    let name = "export".parse().unwrap();
    world.engine().add_dataset_version(&world.owner, RequestId::generate(), &project(), &name, add).await.unwrap();
    let survey = world.upload("asked").await.digest;
    world.add_from("survey", "data/survey.csv", survey, Some("https://bank.example/survey")).await;
    let (delivery, owner, request) = (&world.delivery, &world.owner, RequestId::generate);
    let ours = link("survey@1", "raw@1", EdgeKind::Derived, "cut by hand");
    assert!(!delivery.engine().link(owner, request(), &project(), ours.clone()).await.unwrap().unchanged);
    assert!(delivery.engine().link(owner, request(), &project(), ours.clone()).await.unwrap().unchanged);
    let up = walk(&world, "train@1", Direction::Up, None).await.unwrap();
    assert!(keys(&up).contains(&"survey@1"));
    assert_eq!(up.reasons, ["1 connection is only declared"]);
    assert!(up.tree.edges.iter().any(|edge| edge.certainty == Certainty::Declared));
    for (refused, kind) in [
        (link("train@1", "survey@1", EdgeKind::Derived, "no"), ErrorKind::Conflict),
        (link("raw@1", "raw@1", EdgeKind::Derived, "no"), ErrorKind::Invalid),
        (link("raw@1", "nothing@1", EdgeKind::Derived, "no"), ErrorKind::NotFound),
        (link("raw@1", "train@1", EdgeKind::Derived, " "), ErrorKind::Invalid),
        (link("score@1.0.0", "decision#1", EdgeKind::Serves, "no"), ErrorKind::Invalid),
    ] {
        let problem = delivery.engine().link(owner, request(), &project(), refused.clone()).await.unwrap_err();
        assert_eq!(problem.kind, kind, "{refused:?}: {problem}");
        assert!(problem.hint.is_some() || kind == ErrorKind::Invalid, "{problem}");
    }
    delivery.engine().unlink(owner, request(), &project(), ours.clone()).await.unwrap();
    assert!(!keys(&walk(&world, "train@1", Direction::Up, None).await.unwrap()).contains(&"survey@1"));
    let again = delivery.engine().unlink(owner, request(), &project(), ours).await.unwrap_err();
    assert_eq!(again.kind, ErrorKind::NotFound);
    let fixed =
        delivery.engine().unlink(owner, request(), &project(), link("raw@1", "export@1", EdgeKind::Derived, "")).await;
    assert_eq!(fixed.unwrap_err().kind, ErrorKind::Conflict);
    let source = link("https://bank.example/raw", "raw@1", EdgeKind::SourceOf, "the download");
    delivery.engine().link(owner, request(), &project(), source).await.unwrap();
    let outside = walk(&world, "https://bank.example/raw", Direction::Down, None).await.unwrap();
    assert!(outside.tree.nodes.iter().any(|node| node.node.kind == NodeKind::Revision));
    assert_eq!(delivery.audit_verify().await.first_bad, None);
}
