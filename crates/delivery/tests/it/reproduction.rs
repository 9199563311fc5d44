//! What came out when a version was trained again, compared with it.

use stemma_api::types::{RecordReproduction, Reproduced, TrainedAgain};
use stemma_core::{
    Digest, ErrorKind, Problem,
    event::EvidenceKind,
    id::RequestId,
    policy::SliceSpec,
    record::ExitStatus,
    reproduction::{EnvironmentDifference, EnvironmentPart, Finding, ReproductionLevel as Level},
};

use crate::world::{World, project, sample};

fn trained(model: Option<Digest>) -> TrainedAgain {
    let exit = ExitStatus::Code(i32::from(model.is_none()));
    TrainedAgain { exit, wall_us: 1_000_000, model, run: None }
}

fn record(models: &[Option<Digest>]) -> RecordReproduction {
    RecordReproduction {
        required: Level::R4,
        inputs: "1 input".into(),
        missing: vec![],
        trainings: models.iter().map(|model| trained(*model)).collect(),
        outputs: vec![],
        environment: vec![],
        notes: vec![],
    }
}

async fn registered() -> World {
    let world = World::new().await;
    world.add_dataset("test", world.csv(0..120)).await;
    let mut policy = world.policy();
    policy.evaluation.as_mut().unwrap().slices = vec![SliceSpec::Values("housing".into())];
    world.set_policy(policy).await;
    let model = world.upload(sample("table_logistic")).await.digest;
    world.record_run(&[], model).await;
    world.register(model).await.unwrap();
    world
}

async fn reproduce(world: &World, record: RecordReproduction) -> Result<Reproduced, Problem> {
    let (request, model) = (RequestId::generate(), &world.model);
    world.engine().reproduce(&world.owner, request, &project(), model, "1.0.0", record).await
}

/// The sample with some bits of its first coefficient turned over.
fn nudged(byte: usize, bits: u8) -> Vec<u8> {
    let mut bytes = sample("table_logistic");
    let name = b"coefficients";
    let after = bytes.windows(name.len()).position(|window| window == name).unwrap() + name.len();
    // a list of floats: each is the field's number and four bytes
    assert_eq!(bytes[after], 7 << 3 | 5);
    bytes[after + 1 + byte] ^= bits;
    bytes
}

#[track_caller]
fn check(reproduced: &Reproduced, level: Level, holds: &str) {
    let marks = reproduced.report.steps.iter().map(|step| match step.holds {
        Finding::Yes => '+',
        Finding::No => '-',
        Finding::Unknown => '?',
    });
    assert_eq!(marks.collect::<String>(), holds, "{:#?}", reproduced.report);
    assert_eq!(reproduced.report.level, Some(level));
}

#[tokio::test]
async fn the_nearer_the_model_the_stronger_the_level() {
    let world = registered().await;
    let upload = async |bytes: Vec<u8>| Some(world.upload(bytes).await.digest);
    let same = upload(sample("table_logistic")).await;
    let found = reproduce(&world, record(&[same])).await.unwrap();
    check(&found, Level::R1, "+++++?");
    assert!(found.passed);

    let last_bit = upload(nudged(0, 1)).await;
    let found = reproduce(&world, record(&[last_bit])).await.unwrap();
    check(&found, Level::R3, "+--++?");
    assert!(found.report.steps[3].found.contains("1 representable number"), "{:?}", found.report.steps[3]);

    let behaves = upload(nudged(1, 0x80)).await;
    let found = reproduce(&world, record(&[behaves])).await.unwrap();
    check(&found, Level::R4, "+---+?");

    let other = upload(sample("table_forest")).await;
    let found = reproduce(&world, record(&[other])).await.unwrap();
    check(&found, Level::R0, "+----?");
    assert!(!found.passed);
    assert!(found.report.steps[4].found.contains("worst in housing = "), "{:?}", found.report.steps[4]);
    // all trainings must agree, and several tell how far they are apart
    let found = reproduce(&world, record(&[same, same, last_bit])).await.unwrap();
    check(&found, Level::R3, "+--+++");
    assert_eq!(found.report.trainings.len(), 3);
    assert!(found.report.trainings[0].metrics.is_some());
}

#[tokio::test]
async fn what_was_found_is_evidence_of_the_version() {
    let world = registered().await;
    let missing = RecordReproduction { missing: vec!["`data/a.csv`".into()], ..record(&[]) };
    let found = reproduce(&world, missing).await.unwrap();
    assert_eq!((found.report.level, found.passed), (None, false));
    let failed = reproduce(&world, record(&[None])).await.unwrap();
    check(&failed, Level::R0, "+?????");
    let installed = EnvironmentDifference {
        part: EnvironmentPart::Package,
        what: "numpy".into(),
        recorded: Some("2.0".into()),
        repeated: Some("2.1".into()),
    };
    let other = RecordReproduction { environment: vec![installed], ..record(&[None]) };
    assert_eq!(reproduce(&world, other).await.unwrap().report.level, None);

    let all = world.known().reproductions(&project(), &world.model, "1.0.0", None, 20).await.unwrap().items;
    assert_eq!((all.len(), all.last().unwrap()), (3, &found));
    let version = world.known().version(&project(), &world.model, "1.0.0").await.unwrap();
    let evidence: Vec<_> =
        version.evidence.iter().filter(|one| one.kind == EvidenceKind::Reproduction).map(|one| one.report).collect();
    assert_eq!(evidence.len(), 3);
    assert_eq!(evidence[0], found.digest);
    assert!(version.evidence.iter().any(|one| one.summary == "below R0, not trained again: `data/a.csv`"));
}

#[tokio::test]
async fn what_is_not_here_or_was_made_by_no_run_is_refused() {
    let world = registered().await;
    let nowhere = Some(Digest::of(b"nobody has this"));
    assert_eq!(reproduce(&world, record(&[nowhere])).await.unwrap_err().kind, ErrorKind::Invalid);
    let many = record(&vec![None; 21]);
    assert!(reproduce(&world, many).await.unwrap_err().message.contains("20"));
    let world = World::new().await;
    let model = world.upload(sample("table_logistic")).await.digest;
    world.register(model).await.unwrap();
    let problem = reproduce(&world, record(&[])).await.unwrap_err();
    assert!(problem.message.contains("no run is known"), "{problem:?}");
}
