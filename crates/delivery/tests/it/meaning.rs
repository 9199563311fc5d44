//! What people say of things, what a registration must bring, and the card that is approved.

use serde_json::json;
use stemma_api::types::{
    AddDatasetVersion, Approve, ApprovedCard, Deploy, Describe, Described, ModelCard, Promote, RecordPredictions,
    RunGates,
};
use stemma_core::{
    ErrorKind, Problem,
    card::CardVerdict,
    id::RequestId,
    meaning::{Aspect, Said, TagKey},
    policy::{ModelPolicy, Requirements, Stage},
};

use crate::world::{Ran, World, project, sample};

async fn describe(world: &World, of: &str, said: Said) -> Result<Described, Problem> {
    let describe = Describe { of: of.to_owned(), said };
    world.engine().describe(&world.owner, RequestId::generate(), &project(), describe).await
}

fn owner(name: &str) -> Said {
    Said { owner: Some(name.to_owned()), ..Said::default() }
}

fn tags(tags: &[(&str, &str)]) -> Said {
    let tags = tags.iter().map(|(key, value)| (TagKey::new(*key).unwrap(), (*value).to_owned()));
    Said { tags: tags.collect(), ..Said::default() }
}

/// Size and root of the ledger.
async fn head(world: &World) -> Vec<String> {
    let note = world.engine().checkpoint().await.unwrap().note;
    note.lines().take(3).map(str::to_owned).collect()
}

/// A dataset `test` and a registered version `score@1.0.0` that was evaluated on it.
async fn registered() -> World {
    let world = World::new().await;
    world.add_dataset("test", world.csv(0..120)).await;
    world.set_policy(world.policy()).await;
    let model = world.upload(sample("table_boosting")).await.digest;
    world.register(model).await.unwrap();
    world
}

#[tokio::test]
async fn things_are_described_and_every_word_of_it_is_kept() {
    let world = registered().await;
    let first = describe(&world, "score", owner(" risk ")).await.unwrap();
    assert_eq!(first.meaning.thing.to_string(), "model:score");
    assert_eq!(first.changed.len(), 1);
    assert!(describe(&world, "model:score", owner("risk")).await.unwrap().changed.is_empty());
    let tagged = tags(&[("team", "credit")]);
    for of in ["project", "score@1.0.0", "score@newest", "dataset:test", "test"] {
        let said = Said { description: Some(format!("About {of}.")), ..tagged.clone() };
        let described = describe(&world, of, said).await.unwrap();
        assert_eq!(described.meaning.get(Aspect::Description).unwrap().text, format!("About {of}."));
    }
    // what is not said of the version is said of its model
    let version = world.known().meaning(&project(), "score@1.0.0").await.unwrap();
    assert_eq!(version.get(Aspect::Owner).unwrap().text, "risk");
    assert_eq!((version.said.len(), version.said_of_model.len()), (2, 1));
    // who said it when, and what it was before
    describe(&world, "score", owner("")).await.unwrap();
    let history = world.known().statements(&project(), "score", None, 10).await.unwrap().items;
    let told: Vec<_> = history.iter().map(|one| (one.before.as_deref(), one.now.as_deref())).collect();
    assert_eq!(told, [(Some("risk"), None), (None, Some("risk"))]);
    assert_eq!(history[0].said.actor, world.owner.actor.principal);
    let then = stemma_core::moment::Moment::After(history[0].said.seq - 1);
    let then = world.known().as_of(Some(then)).await.unwrap().meaning(&project(), "score").await.unwrap();
    assert_eq!(then.get(Aspect::Owner).unwrap().text, "risk");
    let base = Said { base_model: Some("score@newest".into()), ..Said::default() };
    let described = describe(&world, "score@1.0.0", base).await.unwrap();
    assert_eq!(described.meaning.get(Aspect::BaseModel).unwrap().text, "score@1.0.0");
    assert_eq!(world.delivery.audit_verify().await.first_bad, None);
}

#[tokio::test]
async fn what_can_not_be_said_changes_nothing() {
    let world = registered().await;
    describe(&world, "score", owner("risk")).await.unwrap();
    let before = head(&world).await;
    let refused = async |of: &str, said: Said| describe(&world, of, said).await.unwrap_err();
    for (of, word) in
        [("scor", "there is no `scor`"), ("dataset:score", "there is no `score`"), ("test@1", "dataset `test`")]
    {
        let problem = refused(of, owner("risk")).await;
        assert!(problem.message.contains(word), "{problem}");
    }
    assert_eq!(refused("scor", owner("risk")).await.hint.as_deref(), Some("did you mean `model:score`?"));
    assert!(refused("score", Said::default()).await.message.contains("nothing is said"));
    // ten megabytes, a hundred thousand tags, letters that nobody sees, and names that look like others
    let long = Said { description: Some("x".repeat(10 << 20)), ..owner("other") };
    let problem = refused("score", long).await;
    assert_eq!((problem.kind, problem.message.len() < 200), (ErrorKind::TooLarge, true));
    let many: Vec<String> = (0..100_000).map(|n| format!("k{n}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|key| (key.as_str(), "")).collect();
    assert!(refused("score", tags(&many)).await.message.contains("100000 tags are set at once, at most 200"));
    assert!(refused("score", owner("ri\u{202e}sk")).await.message.contains("\\u{202e}"));
    assert!(refused("score", owner("ri\u{0}sk")).await.message.contains("control character"));
    let alike = refused("test", owner("r\u{456}sk")).await;
    assert_eq!((alike.kind, alike.hint.as_deref()), (ErrorKind::Conflict, Some("write `risk`, or another name")));
    // one part that can't be said keeps the others back
    let both = Said { licence: Some("MIT".into()), ..tags(&[("a", "\u{7}")]) };
    refused("score", both).await;
    assert_eq!(head(&world).await, before);
    assert_eq!(world.known().meaning(&project(), "score").await.unwrap().said.len(), 1);
    let policy = ModelPolicy::default();
    let request = RequestId::generate();
    let twin = "sc\u{43e}re".parse().unwrap();
    let problem = world.engine().set_policy(&world.owner, request, &project(), &twin, policy).await.unwrap_err();
    assert!(problem.message.contains("would look like model `score`"), "{problem}");
}

#[tokio::test]
async fn no_new_name_looks_like_that_of_another_thing_of_its_kind() {
    let world = registered().await;
    let (twin, request) = ("sc\u{43e}re", RequestId::generate);
    let is_refused = |problem: Problem, what: &str| {
        assert_eq!(problem.kind, ErrorKind::Conflict, "{problem}");
        assert_eq!(problem.message, format!("{what} `{twin}` would look like {what} `score`, which is another"));
    };
    let (engine, owner) = (world.engine(), &world.owner);
    engine.create_project(owner, request(), &"score".parse().unwrap()).await.unwrap();
    is_refused(engine.create_project(owner, request(), &twin.parse().unwrap()).await.unwrap_err(), "project");

    world.add_dataset("score", world.csv(0..20)).await;
    let digest = world.upload(world.csv(0..30)).await.digest;
    let add = AddDatasetVersion {
        digest,
        path: "a.csv".to_owned(),
        source: None,
        why: None,
        derived_from: vec![],
        workspace: None,
    };
    let (project, of_twin, of_score) = (project(), twin.parse().unwrap(), "score".parse().unwrap());
    let added = engine.add_dataset_version(owner, request(), &project, &of_twin, add.clone()).await;
    is_refused(added.unwrap_err(), "dataset");
    engine.add_dataset_version(owner, request(), &project, &of_score, add).await.unwrap();

    for (endpoint, is_new) in [("score", true), (twin, false)] {
        let inputs = json!({ "age": 30.0, "amount": 1000.0, "purpose": "car", "housing": "own" });
        let one = json!({ "id": "a", "time": "2026-03-01T12:00:00Z", "inputs": inputs, "error": "no answer" });
        let send = RecordPredictions {
            version: Some("score@1.0.0".to_owned()),
            predictions: vec![serde_json::from_value(one).unwrap()],
            ..RecordPredictions::default()
        };
        let endpoint = endpoint.parse().unwrap();
        let recorded = world.delivery.record_predictions(owner, request(), &project, &endpoint, send).await;
        match recorded {
            Ok(recorded) => assert!(is_new && recorded.refused_count == 0, "{recorded:?}"),
            Err(problem) => is_refused(problem, "endpoint"),
        }
    }
}

#[tokio::test]
async fn several_things_of_one_name_are_told_apart() {
    let world = registered().await;
    world.add_dataset("score", world.csv(0..20)).await;
    let problem = describe(&world, "score", owner("risk")).await.unwrap_err();
    assert_eq!(problem.hint.as_deref(), Some("write `model:score` or `dataset:score`"));
    describe(&world, "dataset:score", owner("risk")).await.unwrap();
    assert!(world.known().meaning(&project(), "model:score").await.unwrap().said.is_empty());
}

#[tokio::test]
async fn a_declaration_says_what_it_has_to_say_and_leaves_the_rest() {
    let world = registered().await;
    describe(&world, "score", Said { licence: Some("MIT".into()), ..owner("fraud") }).await.unwrap();
    let declared = || ModelPolicy { owner: Some("risk".into()), ..world.policy() };
    let set = async |policy: ModelPolicy| {
        let request = RequestId::generate();
        world.engine().set_policy(&world.owner, request, &project(), &world.model, policy).await
    };
    assert!(set(declared()).await.unwrap().changed);
    assert!(!set(declared()).await.unwrap().changed);
    let state = world.known().policy(&project(), &world.model).await.unwrap().policy;
    assert_eq!((state.owner.as_deref(), state.licence.as_deref()), (Some("risk"), Some("MIT")));
    // statements are facts of their own: no rules changed
    let rules = world.known().policy_or_default(&project(), &world.model).await.unwrap();
    assert_eq!((rules.owner, rules.licence), (None, None));
    let secret = ModelPolicy { description: Some("at https://ada:hunter2@db/x".into()), ..declared() };
    assert!(set(secret.clone()).await.unwrap().changed);
    assert!(!set(secret).await.unwrap().changed);
    let wrong = ModelPolicy { require: Requirements { capture: Some(9), ..Requirements::default() }, ..declared() };
    assert!(set(wrong).await.unwrap_err().message.contains("no level"));
}

#[tokio::test]
async fn a_registration_without_what_is_required_is_refused_with_all_that_lacks() {
    let world = World::new().await;
    world.add_dataset("test", world.csv(0..120)).await;
    let require = Requirements {
        owner: true,
        description: true,
        evaluation: true,
        capture: Some(4),
        pinned_environment: true,
        ..Requirements::default()
    };
    let strict = ModelPolicy { require, ..world.policy() };
    world
        .set_policy(ModelPolicy {
            evaluation: None,
            gates: Default::default(),
            promotions: Default::default(),
            ..strict.clone()
        })
        .await;
    let model = world.upload(sample("table_boosting")).await.digest;
    let before = head(&world).await;
    let refused = world.register(model).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Refused);
    assert_eq!(refused.missing.len(), 4, "{refused:?}");
    assert!(refused.missing[0].starts_with("description") && refused.missing[3].contains("no recorded run wrote it"));
    assert_eq!(head(&world).await, before);

    // a run of which too little was seen, in an environment that nobody pinned
    let ran = Ran { outputs: &[("model.onnx", model)], level: 2, started: 10, ..Ran::default() };
    world.record_ran(ran).await;
    describe(&world, "score", Said { description: Some("Scores.".into()), ..owner("risk") }).await.unwrap();
    let refused = world.register(model).await.unwrap_err();
    assert_eq!(refused.missing.len(), 2, "{refused:?}");
    assert!(refused.missing[0].contains("captured at level 2") && refused.missing[1].contains("no lock file"));

    let lock = world.upload("numpy==2.1.0\n").await.digest;
    let environment = serde_json::json!({ "packages": [], "lock_files": [{ "path": "uv.lock", "digest": lock }] });
    let environment = world.upload(environment.to_string()).await.digest;
    world.record_run_in(environment, &[], model).await;
    let refused = world.register(model).await.unwrap_err();
    assert_eq!(refused.missing.len(), 1, "{refused:?}");
    assert!(refused.missing[0].contains("no evaluation is declared"), "{refused:?}");
    assert!(world.known().versions_if_any(&project(), &world.model).await.unwrap().unwrap().is_empty());

    world.set_policy(strict).await;
    let registered = world.register(model).await.unwrap();
    assert_eq!(registered.version.number.to_string(), "1.0.0");
}

async fn card(world: &World) -> ModelCard {
    world.known().card(&project(), &world.model, "1.0.0").await.unwrap()
}

#[tokio::test]
async fn an_approval_names_the_card_and_a_later_change_is_told() {
    let world = registered().await;
    let request = RequestId::generate;
    let empty = card(&world).await;
    assert_eq!(empty.body.gates[0].verdict, CardVerdict::NotRun);
    assert!(empty.body.said.is_empty() && empty.approvals.is_empty() && empty.answers.is_empty());
    world
        .engine()
        .run_gates(&world.owner, request(), &project(), &world.model, "1.0.0", RunGates::default())
        .await
        .unwrap();
    describe(&world, "score", owner("risk")).await.unwrap();
    let text = "## Limits\n\n<script>alert(1)</script>";
    describe(&world, "score@1.0.0", Said { card: Some(text.into()), ..Said::default() }).await.unwrap();
    let before = card(&world).await;
    assert_ne!(before.digest, empty.digest);
    let found = before.body.evaluation.as_ref().unwrap();
    assert_eq!((found.rows, found.data.as_str()), (120, "test@1"));
    let auc = found.metrics.iter().find(|one| one.name == "auc").unwrap().value;
    let detail = world.known().version(&project(), &world.model, "1.0.0").await.unwrap();
    assert_eq!(detail.evaluation.unwrap().primary_value(), Some(auc));
    assert!(before.body.said.iter().any(|one| one.aspect == Aspect::Owner && one.of_model));

    let approve = |card| Approve { stage: Stage::Production, reason: "read it".into(), card };
    let asked = async |card| {
        world.engine().approve(&world.reviewer, request(), &project(), &world.model, "1.0.0", approve(card)).await
    };
    assert_eq!(asked(Some(empty.digest)).await.unwrap_err().kind, ErrorKind::Conflict);
    let approval = asked(Some(before.digest)).await.unwrap();
    assert_eq!(approval.card, Some(before.digest));
    // what follows from the approval does not change what was approved
    let promote = Promote { stage: Stage::Production, reason: String::new(), archive_others: false };
    world.engine().promote(&world.owner, request(), &project(), &world.model, "1.0.0", promote).await.unwrap();
    let endpoint = "decision".parse().unwrap();
    world
        .delivery
        .deploy(&world.owner, request(), &project(), &endpoint, Deploy::of_model("score@1.0.0"))
        .await
        .unwrap();
    let after = card(&world).await;
    assert_eq!((after.digest, after.stage), (before.digest, Stage::Production));
    assert_eq!(after.approvals[0].card, ApprovedCard::Unchanged { digest: before.digest });
    assert!(after.answers[0].is_live && after.answers[0].endpoint == "decision");

    describe(&world, "score", owner("fraud")).await.unwrap();
    let changed = card(&world).await;
    let parts = vec!["what is said of it".to_owned()];
    assert_eq!(changed.approvals[0].card, ApprovedCard::Changed { digest: before.digest, parts });
    // the approved card is content that stays, and says what it said
    let kept = world.known().read_content(before.digest, 1 << 20).await.unwrap();
    assert_eq!(serde_json::from_slice::<stemma_core::card::CardBody>(&kept).unwrap(), before.body);
    // a changed gate makes its verdict another one
    let mut policy = world.policy();
    policy.gates.clear();
    policy.promotions.clear();
    world.set_policy(policy).await;
    let ApprovedCard::Changed { parts, .. } = &card(&world).await.approvals[0].card else { panic!("it changed") };
    assert_eq!(parts, &["what is said of it", "gates"]);
    describe(&world, "score", owner("risk")).await.unwrap();
    assert_eq!(world.delivery.audit_verify().await.first_bad, None);
}

#[tokio::test]
async fn versions_that_were_made_alike_are_told_with_what_they_share() {
    let world = registered().await;
    let train = world.upload(world.csv(500..600)).await.digest;
    for name in ["table_boosting", "table_forest"] {
        let model = world.upload(sample(name)).await.digest;
        world.record_run(&[("train.csv", train)], model).await;
        world.register(model).await.unwrap();
    }
    let all = world.known().versions_if_any(&project(), &world.model).await.unwrap().unwrap();
    let newest = all.last().unwrap();
    let card = world.known().card(&project(), &world.model, &newest.number.to_string()).await.unwrap();
    assert_eq!(card.similar.len(), 2, "{:?}", card.similar);
    // both have what the same content states; the run of one read the same data too
    let [one, other] = [&card.similar[0], &card.similar[1]];
    assert_eq!((&one.version, &other.version), (&all[1].name(), &all[0].name()));
    // its data, and the command that read it
    assert_eq!(one.shared, other.shared + 2);
    assert_eq!(one.share, one.shared as f64 / one.all as f64);
    assert!(one.share > other.share && !one.only_there.is_empty(), "{one:?}");
    let left_out = ["of 1 others no run is known: they may share more than is told", "packages are not compared"];
    assert_eq!(card.similar_left_out, left_out);
}
