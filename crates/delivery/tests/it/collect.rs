//! Garbage is what nothing names, and every kind of fact and document is read for what it names.

use std::{collections::BTreeSet, fs, sync::Arc};

use serde_json::json;
use stemma_api::types::{CollectGarbage, GarbageCollected, Link, Purge, RecordReproduction, RunGates, TrainedAgain};
use stemma_core::{
    Digest, ErrorKind, Problem, SystemClock,
    case::{self, RegressionCase},
    event::EvidenceKind,
    id::RequestId,
    lineage::EdgeKind,
    policy::GateSpec,
    record::ExitStatus,
    reproduction::{RepeatedOutput, ReproductionLevel},
};
use stemma_delivery::Delivery;
use stemma_engine::HomeOptions;

use crate::{
    serving::{ask, deployed},
    world::{Ran, World, project, sample},
};

async fn collect_keeping(delivery: &Delivery, keep: Vec<Digest>) -> Result<GarbageCollected, Problem> {
    delivery.engine().collect_garbage(CollectGarbage { dry_run: false, grace_seconds: 0, keep }).await
}

/// Of a size that makes its pack worth rewriting.
fn long_text() -> String {
    (0_u32..10_000).map(|number| Digest::of(&number.to_be_bytes()).hex()).collect()
}

/// Content that nobody names.
fn litter(delivery: &Delivery) -> Digest {
    delivery.known().store().put_bytes(long_text().as_bytes()).unwrap().digest
}

/// Collects at once, and makes sure that what nobody names went.
async fn collect(world: &World) {
    let litter = litter(&world.delivery);
    collect_keeping(&world.delivery, vec![]).await.unwrap();
    assert!(!world.known().store().contains(&litter));
}

/// Content that the project has, and that no fact names.
async fn unnamed(world: &World, text: &str) -> Digest {
    world.upload(format!("{text}\n")).await.digest
}

#[track_caller]
fn assert_here(world: &World, contents: &[Digest]) {
    assert_eq!(world.known().store().missing(contents), [], "of {contents:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_names_goes() {
    let world = World::new().await;
    // the project may read it, which needs no content
    let lost = world.upload(long_text()).await.digest;
    let world = world.reopened().await;
    collect_keeping(&world.delivery, vec![]).await.unwrap();
    assert_eq!(world.known().store().missing(&[lost]), [lost]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_and_their_environments_name_stays() {
    let world = World::new().await;
    let lock_file = unnamed(&world, "numpy==2.1.0").await;
    let environment = json!({ "packages": [], "lock_files": [{ "path": "uv.lock", "digest": lock_file }] });
    let environment = world.upload(environment.to_string()).await.digest;
    let (input, output) = (unnamed(&world, "input").await, unnamed(&world, "output").await);
    world.record_run_in(environment, &[("a.csv", input)], output).await;
    // another tool's document names nothing, and stays itself
    let conda = world.upload("name: conda\ndependencies: []\n").await.digest;
    world.record_run_in(conda, &[], output).await;
    let runs = world.known().runs(&project(), None, 10).await.unwrap().items;
    let mut records = Vec::new();
    for run in runs {
        records.push(world.known().run(&project(), run.id).await.unwrap().digest);
    }
    let world = world.reopened().await;
    collect(&world).await;
    assert_here(&world, &[lock_file, environment, conda, input, output]);
    assert_here(&world, &records);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_versions_their_evidence_and_what_is_deployed_name_stays() {
    let world = deployed().await;
    let packed = {
        let label = stemma_onnx::Model::parse(&sample("table_boosting")).unwrap();
        let label = label.signature().outputs[label.label_output().unwrap()].name.clone();
        let input = json!({ "age": 20, "amount": 100, "purpose": "car", "housing": "own" });
        let case = json!({ "name": "first", "input": input, "expected": { label: world.classes[0] } });
        let case = RegressionCase::parse(&"first".parse().unwrap(), &case.to_string()).unwrap();
        world.upload(case::pack(vec![case]).unwrap()).await.digest
    };
    let mut policy = world.policy();
    let cases = json!({ "kind": "regression-cases", "path": "tests/cases", "cases": packed });
    policy.gates.insert("cases".parse().unwrap(), serde_json::from_value::<GateSpec>(cases).unwrap());
    world.set_policy(policy).await;
    let request = RequestId::generate;
    let gates = RunGates::default();
    world.engine().run_gates(&world.owner, request(), &project(), &world.model, "1.0.0", gates).await.unwrap();
    // two files that only the report of a reproduction names
    let (recorded, repeated) = (unnamed(&world, "recorded").await, unnamed(&world, "repeated").await);
    let again = unnamed(&world, "the model that came out").await;
    let record = RecordReproduction {
        required: ReproductionLevel::R4,
        inputs: "1 input".into(),
        missing: vec![],
        trainings: vec![TrainedAgain { exit: ExitStatus::Code(0), wall_us: 1, model: Some(again), run: None }],
        outputs: vec![RepeatedOutput { path: "out.csv".into(), recorded, repeated: Some(repeated) }],
        environment: vec![],
        notes: vec![],
    };
    world.engine().reproduce(&world.owner, request(), &project(), &world.model, "1.0.0", record).await.unwrap();
    let prediction = ask(&world.delivery, 30.0).await;
    world.delivery.rotate_predictions().await.unwrap();
    world.delivery.seal_predictions().await.unwrap();

    let detail = world.known().version(&project(), &world.model, "1.0.0").await.unwrap();
    let mut named: Vec<Digest> = vec![detail.version.digest, packed, recorded, repeated, again];
    named.extend(detail.evidence.iter().map(|one| one.report));
    let evaluation = detail.evaluation.unwrap();
    named.extend([evaluation.predictions, evaluation.data_digest]);
    let kinds: BTreeSet<&str> = detail.evidence.iter().map(|one| one.kind.as_str()).collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["evaluation", "gate", "reproduction"]);
    let why = world.delivery.why(&world.owner, &prediction).await.unwrap();
    named.extend([why.revision.unwrap().digest, why.stored_in.split(' ').next().unwrap().parse().unwrap()]);

    let world = world.reopened().await;
    collect(&world).await;
    assert_here(&world, &named);
    assert!(world.delivery.replay(&world.owner, &prediction).await.unwrap().same_bits);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_added_pushed_or_linked_stays() {
    let world = World::new().await;
    let added = world.add_dataset("people", world.csv(0..20)).await;
    let pushed = [unnamed(&world, "one").await, unnamed(&world, "two").await];
    let kept = world.engine().keep_pushed(&world.owner, &project(), pushed.to_vec()).await.unwrap();
    let linked = unnamed(&world, "linked").await;
    // the project knows it by a run, so that it can be linked
    world.record_ran(Ran { inputs: &[("linked.csv", linked)], ..Ran::default() }).await;
    let link = Link { from: linked.to_string(), to: "people@1".into(), kind: EdgeKind::Derived, why: "by hand".into() };
    world.engine().link(&world.owner, RequestId::generate(), &project(), link).await.unwrap();
    let world = world.reopened().await;
    collect(&world).await;
    assert_here(&world, &[added, kept.list, linked]);
    assert_here(&world, &pushed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_caller_and_the_folder_need_stays() {
    let world = World::new().await;
    let (callers, folders) = (unnamed(&world, "the caller's").await, unnamed(&world, "the folder's").await);
    let home = world.home();
    let World { folder: _folder, delivery, .. } = world;
    delivery.close().await;
    drop(delivery);
    let around = HomeOptions { folder_needs: Some(Arc::new(move || Ok([folders].into()))), ..Default::default() };
    let delivery = Delivery::open_with(&home, Arc::new(SystemClock), around).await.unwrap();
    let litter = litter(&delivery);
    collect_keeping(&delivery, vec![callers]).await.unwrap();
    assert_eq!(delivery.known().store().missing(&[callers, folders, litter]), [litter]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_where_a_folder_can_not_be_asked() {
    let world = World::new().await;
    let people = world.add_dataset("people", world.csv(0..200)).await;
    fs::write(world.home().join("operations"), "").unwrap();
    let litter = litter(&world.delivery);
    let refused = collect_keeping(&world.delivery, vec![]).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Config, "{refused:?}");
    assert!(refused.hint.unwrap().starts_with("nothing was removed"));
    // a purge would take parts along that other states of the folder share
    let ask = Purge { content: people.to_string(), reason: "they asked for it".into(), force: false };
    let refused = world.engine().purge(&world.owner, RequestId::generate(), &project(), ask).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Config, "{refused:?}");
    assert_here(&world, &[litter, people]);

    let home = world.home();
    let World { folder: _folder, delivery, .. } = world;
    delivery.close().await;
    drop(delivery);
    let broken = || Err(Problem::new(ErrorKind::Corrupt, "`operations` is damaged in line 2"));
    let around = HomeOptions { folder_needs: Some(Arc::new(broken)), ..Default::default() };
    let delivery = Delivery::open_with(&home, Arc::new(SystemClock), around).await.unwrap();
    let refused = collect_keeping(&delivery, vec![]).await.unwrap_err();
    assert_eq!((refused.kind, refused.message.as_str()), (ErrorKind::Corrupt, "`operations` is damaged in line 2"));
    assert!(delivery.known().store().contains(&litter));
}

/// Loses content, as a broken disk would.
pub fn lose(world: &World, digest: Digest) {
    let now = std::time::SystemTime::now();
    let lost = world.known().store().purge(&[digest], &mut || Ok(vec![]), now, &mut |_| {}).unwrap();
    assert_eq!((lost.removed, lost.absent), (vec![digest], vec![]));
}

/// Makes sure that nothing is collected while a document can't be read, and that the refusal names it.
async fn refuses(world: &World, document: Digest, what: &str, why: &str) {
    let litter = litter(&world.delivery);
    for dry_run in [true, false] {
        let ask = CollectGarbage { dry_run, grace_seconds: 0, keep: vec![] };
        let refused = world.engine().collect_garbage(ask).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Corrupt, "{refused:?}");
        let message = format!("what `{document}` ({what}) names can't be told: {why}");
        assert_eq!(refused.message, message);
        assert!(refused.hint.unwrap().contains(&format!("`stemma purge {document}`")));
    }
    assert!(world.known().store().contains(&litter));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evaluation_that_was_lost_stops_the_collection() {
    let world = World::new().await;
    world.add_dataset("test", world.csv(0..60)).await;
    world.set_policy(world.policy()).await;
    let model = world.upload(sample("table_boosting")).await.digest;
    world.register(model).await.unwrap();
    let evidence = world.known().version(&project(), &world.model, "1.0.0").await.unwrap().evidence;
    assert_eq!(evidence[0].kind, EvidenceKind::Evaluation);
    let world = world.reopened().await;
    lose(&world, evidence[0].report);
    let what = format!("evidence {} of score@1.0.0", evidence[0].evidence);
    refuses(&world, evidence[0].report, &what, "it is not here").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_was_lost_stops_the_collection() {
    let world = World::new().await;
    let pushed = unnamed(&world, "pushed").await;
    let list = world.engine().keep_pushed(&world.owner, &project(), vec![pushed]).await.unwrap().list;
    let world = world.reopened().await;
    lose(&world, list);
    refuses(&world, list, "the list of what was pushed to stay", "it is not here").await;
    assert_here(&world, &[pushed]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_not_what_it_should_be_stops_the_collection_until_it_is_given_up() {
    let world = World::new().await;
    let document = json!({ "lock_files": [{ "path": "uv.lock", "digest": "b3:12" }] }).to_string();
    let environment = world.upload(document).await.digest;
    let output = unnamed(&world, "output").await;
    let run = world.record_run_in(environment, &[], output).await;
    let world = world.reopened().await;
    let why = "it is no environment: `b3:12` is not a digest; expected `b3:` followed by 64 lower-case hex digits";
    refuses(&world, environment, &format!("the environment of run {run}"), why).await;
    let ask = Purge { content: environment.to_string(), reason: "nobody can read it".into(), force: false };
    world.engine().purge(&world.owner, RequestId::generate(), &project(), ask).await.unwrap();
    let world = world.reopened().await;
    collect(&world).await;
    assert_here(&world, &[output]);
}
