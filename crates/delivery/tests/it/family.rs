//! A project of three sources and five steps: each version's family tree goes back to all of them, and says what it could
//! not see.

use stemma_api::types::{AskLineage, Lineage};
use stemma_core::{
    Digest,
    id::RunId,
    lineage::{Direction, NodeKind},
};

use crate::world::{Ran, World, project, sample};

const SOURCES: [&str; 3] = ["flights", "weather", "planes"];

/// What differs from a project of which everything is known.
#[derive(Default)]
struct Differently {
    /// This step was not run under `stemma run`.
    outside: Option<&'static str>,
    /// The planes have no stated source.
    no_source: bool,
    /// A step was captured only by Python's own events.
    weak: bool,
}

struct Project {
    world: World,
    runs: Vec<(&'static str, RunId)>,
    clean: Digest,
}

async fn step(world: &World, started: i64, level: u8, inputs: &[(&str, Digest)], output: (&str, Digest)) -> RunId {
    world.record_ran(Ran { inputs, outputs: &[output], started, level, ..Ran::default() }).await
}

/// Sources → clean → join → features → two models behind one endpoint.
async fn built(differently: Differently) -> Project {
    let world = World::new().await;
    let mut raw = Vec::new();
    for source in SOURCES {
        let (path, url) = (format!("data/{source}.csv"), format!("https://data.example/{source}"));
        let digest = world.upload(format!("{source}\n1\n")).await.digest;
        let url = (!differently.no_source || source != "planes").then_some(url.as_str());
        world.add_from(source, &path, digest, url).await;
        raw.push(digest);
    }
    let made = async |text: &str| world.upload(text.to_owned()).await.digest;
    let (clean, joined, features) = (made("clean").await, made("joined").await, made("features").await);
    let [one, two] = ["table_boosting", "table_forest"].map(sample);
    let (one, two) = (world.upload(one).await.digest, world.upload(two).await.digest);
    let level = if differently.weak { 1 } else { 4 };
    let mut runs = Vec::new();
    for (name, inputs, output, started) in [
        ("clean", vec![("data/flights.csv", raw[0])], ("work/clean.csv", clean), 10),
        (
            "join",
            vec![("work/clean.csv", clean), ("data/weather.csv", raw[1]), ("data/planes.csv", raw[2])],
            ("work/joined.csv", joined),
            20,
        ),
        ("features", vec![("work/joined.csv", joined)], ("work/features.csv", features), 30),
        ("one", vec![("work/features.csv", features)], ("one.onnx", one), 40),
        ("two", vec![("work/features.csv", features)], ("two.onnx", two), 50),
    ] {
        if differently.outside != Some(name) {
            let level = if name == "features" { level } else { 4 };
            runs.push((name, step(&world, started, level, &inputs, output).await));
        }
    }
    world.register_from("one.onnx", one).await.unwrap();
    world.register_from("two.onnx", two).await.unwrap();
    Project { world, runs, clean }
}

impl Project {
    fn run(&self, name: &str) -> String {
        self.runs.iter().find(|(one, _)| *one == name).unwrap().1.to_string()
    }

    async fn above(&self, of: &str) -> Lineage {
        let ask = AskLineage { of: of.to_owned(), direction: Direction::Up, depth: None, kinds: vec![] };
        self.world.delivery.lineage(&self.world.owner, &project(), &ask).await.unwrap()
    }
}

fn has(lineage: &Lineage, key: &str) -> bool {
    lineage.tree.nodes.iter().any(|node| node.node.key == key)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_goes_back_to_every_source_and_every_source_leads_to_every_version() {
    let flights = built(Differently::default()).await;
    let world = &flights.world;
    let newest = world.known().model(&project(), &world.model, None, 100).await.unwrap().versions[0].name();
    let above = flights.above(&newest).await;
    assert_eq!(above.reasons, Vec::<String>::new());
    assert!(above.tree.complete);
    for source in SOURCES {
        for key in [format!("{source}@1"), format!("https://data.example/{source}")] {
            assert!(has(&above, &key), "{key}: {:#?}", above.tree.nodes);
        }
        let impact = world.delivery.impact(&world.owner, &project(), &format!("{source}@1")).await.unwrap();
        assert_eq!(impact.versions.len(), 2, "{impact:#?}");
        assert!(impact.versions.iter().all(|version| version.made_from));
    }
    // the other model's run is no parent of this one
    assert!(has(&above, &flights.run("two")) && !has(&above, &flights.run("one")), "{newest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_seen_is_a_reason() {
    for (differently, reason) in [
        (Differently { outside: Some("join"), ..Differently::default() }, "who wrote `work/joined.csv` is not known"),
        (Differently { no_source: true, ..Differently::default() }, "`planes@1` has no stated source"),
        (Differently { weak: true, ..Differently::default() }, "it was captured at level 1 of 4"),
        (Differently { outside: Some("two"), ..Differently::default() }, "no run is known that made"),
    ] {
        let project = built(differently).await;
        let versions = project
            .world
            .known()
            .model(&crate::world::project(), &project.world.model, None, 100)
            .await
            .unwrap()
            .versions;
        let above = project.above(&versions[0].name()).await;
        assert!(!above.tree.complete, "{reason}");
        let [only] = above.reasons.as_slice() else { panic!("{reason}: {:?}", above.reasons) };
        assert!(only.contains(reason), "{only}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_use_knows_which_of_several_equal_writes_it_read() {
    let project = built(Differently::default()).await;
    let world = &project.world;
    let (clean, raw) = (project.clean, world.upload("flights\n1\n").await.digest);
    world.upload("late").await;
    // the same bytes from another step, by another path, and again from the same step
    let other = step(world, 11, 4, &[("data/flights.csv", raw)], ("work/other.csv", clean)).await;
    let again = step(world, 60, 4, &[("data/flights.csv", raw)], ("work/clean.csv", clean)).await;
    let late = step(world, 70, 4, &[("work/clean.csv", clean)], ("work/late.csv", Digest::of(b"late"))).await;
    let before = project.above(&project.run("join")).await;
    assert!(has(&before, &project.run("clean")), "{:?}", before.tree.edges);
    assert!(!has(&before, &other.to_string()) && !has(&before, &again.to_string()));
    let after = project.above(&late.to_string()).await;
    assert!(has(&after, &again.to_string()) && !has(&after, &project.run("clean")), "{:?}", after.tree.edges);
    assert!(before.tree.complete && after.tree.complete, "{:?} {:?}", before.reasons, after.reasons);
    // bytes that are only copied have no part in themselves
    let copy = step(world, 80, 4, &[("work/clean.csv", clean)], ("work/clean.csv", clean)).await;
    let tree = project.above(&copy.to_string()).await;
    assert!(!tree.tree.edges.iter().any(|edge| edge.from.key == copy.to_string()), "{:?}", tree.tree.edges);
    // the name of a file that was not read is no ancestor
    world.add_from("twin", "data/twin.csv", raw, Some("https://data.example/twin")).await;
    let tree = project.above(&project.run("clean")).await;
    assert!(has(&tree, "flights@1") && !has(&tree, "twin@1"), "{:?}", tree.tree.nodes);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_elsewhere_are_only_a_guess() {
    let project = built(Differently::default()).await;
    let world = &project.world;
    for (path, workspace) in [("/scratch/clean.csv", Some(crate::world::FOLDER)), ("work/clean.csv", None)] {
        let inputs = [(path, project.clean)];
        let run = world.record_ran(Ran { inputs: &inputs, started: 90, workspace, ..Ran::default() }).await;
        let tree = project.above(&run.to_string()).await;
        assert!(has(&tree, &project.run("clean")), "{path}");
        assert_eq!(tree.reasons, ["1 connection is only inferred"], "{path}");
    }
    // a run that made a version, and a dataset of it, from a file with the same bytes did not read what it made
    let table = world.upload("brought").await.digest;
    let copy = step(world, 95, 4, &[("brought.csv", table)], ("work/brought.csv", table)).await;
    world.add_from("brought", "work/brought.csv", table, None).await;
    let tree = project.above(&copy.to_string()).await;
    assert!(!has(&tree, "brought@1"), "{:?}", tree.tree.nodes);
    let [reason] = tree.reasons.as_slice() else { panic!("{:?}", tree.reasons) };
    assert!(reason.starts_with("who wrote `brought.csv` is not known"), "{reason}");
    let inputs = [("somewhere.csv", Digest::of(b"nobody knows"))];
    world.upload("nobody knows").await;
    let roles = [("somewhere.csv", "raw")];
    let run = world.record_ran(Ran { inputs: &inputs, roles: &roles, ..Ran::default() }).await;
    assert!(project.above(&run.to_string()).await.tree.complete, "what is declared raw needs no source");
    assert!(project.above(&run.to_string()).await.tree.nodes.iter().any(|node| node.node.kind == NodeKind::File));
}
