//! Decisions and what they stand on, what is known as of a moment, and a writer that many share.

use std::sync::Arc;

use proptest::prelude::*;
use stemma_core::{
    Digest, ManualClock, Timestamp,
    endpoint::prediction::PredictionAddress,
    event::Event,
    lineage::{Node, NodeKind},
    name::{ModelName, ProjectName},
    policy::{ModelPolicy, Stage},
    rights::{Edition, Role},
};
use stemma_ledger::{
    Commit, Ledger, LedgerError, LedgerOptions, Outcome, Premises, Recorded, RequestRow, Side, VersionRow, View,
    WhichVersion,
};

use crate::{
    events::{add, every_kind, number, try_to_add},
    suite::on_every_database,
    world::{World, actor, change, commit},
};

fn project(name: &str) -> Vec<Event> {
    vec![Event::ProjectCreated { project: name.parse().unwrap() }]
}

fn model(n: usize) -> ModelName {
    format!("model{n}").parse().unwrap()
}

/// What each way to read governed facts says, in words.
const READS: [&str; 35] = [
    "projects",
    "projects_among",
    "principals",
    "rights",
    "tokens",
    "dataset_versions",
    "dataset_versions of one",
    "dataset_versions_below",
    "newest_dataset_versions",
    "dataset_versions_of",
    "dataset_versions_with",
    "model_versions_with",
    "models",
    "policy",
    "versions",
    "version",
    "versions_of_run",
    "evidence",
    "approvals",
    "promotions",
    "promotions_of_model",
    "policies",
    "aliases",
    "requests",
    "evidence_by_id",
    "approvals_by_id",
    "endpoint",
    "endpoints",
    "next_endpoint_ordinal",
    "revisions",
    "current_revisions",
    "taken_down",
    "activated_revisions",
    "predictions",
    "edges",
];

async fn read(view: &View, what: &str) -> String {
    let default = ProjectName::default_project();
    let (score, dataset) = ("credit-score".parse().unwrap(), "german-credit".parse().unwrap());
    let endpoint = "credit-decision".parse().unwrap();
    let digest = stemma_core::Digest::of(&0u32.to_be_bytes());
    let node = |name: &str| Node::new(NodeKind::DatasetVersion, name);
    match what {
        "projects" => format!("{:?}", view.projects().await),
        "projects_among" => {
            let names = ["project0", "project1"].map(|name| name.parse().unwrap());
            let (one, all) = (view.project_closed(&names[0]).await, view.closed_projects().await);
            format!("{:?} {one:?} {all:?}", view.projects_among(&names).await)
        }
        "rights" => format!("{:?} {:?}", view.roles().await, view.denials().await),
        "principals" => format!("{:?}", view.principals().await),
        "tokens" => format!("{:?}", view.tokens().await),
        "dataset_versions" => format!("{:?}", view.dataset_versions(&default, None).await),
        "dataset_versions of one" => format!("{:?}", view.dataset_versions(&default, Some(&dataset)).await),
        "dataset_versions_below" => {
            let (mut pages, mut page) =
                (Vec::new(), view.dataset_versions_below(&default, &dataset, None, 2).await.unwrap());
            while let Some(lowest) = page.last().map(|last| last.value.number) {
                pages.extend(page);
                page = view.dataset_versions_below(&default, &dataset, Some(lowest), 2).await.unwrap();
            }
            let mut whole = view.dataset_versions(&default, Some(&dataset)).await.unwrap();
            whole.sort_by_key(|one| std::cmp::Reverse(one.value.number));
            assert_eq!(pages, whole);
            format!("{pages:?}")
        }
        "newest_dataset_versions" => {
            let newest = view.newest_dataset_versions(&default).await.unwrap();
            let mut last = std::collections::BTreeMap::new();
            for one in view.dataset_versions(&default, None).await.unwrap() {
                last.insert(one.value.dataset.clone(), one.fact.seq);
            }
            let found: std::collections::BTreeMap<_, _> =
                newest.iter().map(|one| (one.value.dataset.clone(), one.fact.seq)).collect();
            assert_eq!((newest.len(), found), (last.len(), last));
            format!("{newest:?}")
        }
        "dataset_versions_of" => format!("{:?}", view.dataset_versions_of(&default, digest).await),
        "dataset_versions_with" => format!("{:?}", view.dataset_versions_with(&default, &[digest]).await),
        "model_versions_with" => format!("{:?}", view.model_versions_with(&default, &[digest; 30]).await),
        "models" => format!("{:?}", view.models(&default).await),
        "policy" => format!("{:?}", view.policy(&default, &score).await),
        "versions" => format!("{:?}", view.versions(&default, &score).await),
        "version" => {
            let mut said = String::new();
            for which in [
                WhichVersion::Numbered(number(0)),
                WhichVersion::Alias("champion"),
                WhichVersion::Named("campaign-0"),
                WhichVersion::Named("1"),
                WhichVersion::NewestIn(Stage::Production),
                WhichVersion::NewestNotIn(Stage::Production),
            ] {
                said.push_str(&format!("{:?} ", one_of(view, &default, &score, which).await));
            }
            let facts = view.versions_by_facts(&default, &score, digest).await;
            format!("{said}{facts:?}")
        }
        "versions_of_run" => {
            format!("{:?}", view.versions_of_run(&default, stemma_core::id::RunId::from_u128(0)).await)
        }
        "evidence" => format!("{:?}", view.evidence(&default, &score, number(0)).await),
        "approvals" => format!("{:?}", view.approvals(&default, &score, number(0)).await),
        "promotions" => format!("{:?}", view.promotions(&default, &score, number(0)).await),
        "promotions_of_model" => format!("{:?}", view.promotions_of_model(&default, &score).await),
        "policies" => format!("{:?}", view.policies(&default, &score).await),
        "aliases" => format!("{:?}", view.aliases(&default, &score).await),
        "requests" => requests(view, &default, &score).await,
        "evidence_by_id" => {
            format!("{:?}", view.evidence_by_id(&default, &[stemma_core::id::EvidenceId::from_u128(0)]).await)
        }
        "approvals_by_id" => {
            format!("{:?}", view.approvals_by_id(&default, &[stemma_core::id::ApprovalId::from_u128(0)]).await)
        }
        "endpoint" => format!("{:?}", view.endpoint(&"endpoint0".parse().unwrap()).await),
        "endpoints" => format!("{:?} {:?}", view.endpoints(&default).await, view.endpoint_by_ordinal(0).await),
        "next_endpoint_ordinal" => format!("{:?}", view.next_endpoint_ordinal().await),
        "revisions" => {
            let all = view.revisions(&endpoint).await.unwrap();
            let mut newest: Vec<u32> = all.iter().map(|one| one.value.revision.number).collect();
            newest.sort_by_key(|number| std::cmp::Reverse(*number));
            let mut below = Vec::new();
            for from in std::iter::once(None).chain(newest.iter().map(|number| Some(*number))) {
                let page = view.revisions_below(&endpoint, from, 2).await.unwrap();
                let page: Vec<u32> = page.iter().map(|one| one.value.revision.number).collect();
                let behind = newest.iter().copied().filter(|number| from.is_none_or(|from| *number < from));
                assert_eq!(page, behind.take(2).collect::<Vec<_>>());
                below.push(page);
            }
            let one = view.revision(&endpoint, 1).await;
            let by_digest = view.revision_by_digest(stemma_core::Digest::of(b"revision")).await;
            format!("{all:?} {below:?} {one:?} {by_digest:?}")
        }
        "current_revisions" => format!("{:?}", view.current_revisions().await),
        "taken_down" => format!("{:?}", view.taken_down().await),
        "activated_revisions" => format!("{:?}", view.activated_revisions(&endpoint).await),
        "predictions" => format!(
            "{:?} {:?} {:?} {:?}",
            view.log_part(PredictionAddress { segment: 0, endpoint: 0, row: 3 }).await,
            view.log_parts(&endpoint).await,
            view.noted_records(0).await,
            view.has_prediction_notes().await
        ),
        "edges" => {
            let nodes = [node("raw@1")];
            let (from, to) = (
                view.edges(&default, &nodes, Side::From, None, 9).await,
                view.edges(&default, &nodes, Side::To, None, 9).await,
            );
            format!("{from:?} {to:?} {:?} {:?}", view.tombstones(&default).await, view.tombstone(digest).await)
        }
        other => panic!("nothing reads `{other}`"),
    }
}

/// All requests, page by page and one by one; those that wait are told by each way alike.
async fn requests(view: &View, project: &ProjectName, model: &ModelName) -> String {
    let newest_first = view.requests_below(project, None, 9).await.unwrap();
    let mut pages = Vec::new();
    while let Some(one) = view
        .requests_below(project, pages.last().map(|last: &Recorded<RequestRow>| last.value.asked.request), 1)
        .await
        .unwrap()
        .pop()
    {
        assert_eq!(view.request(project, one.value.asked.request).await.unwrap(), Some(one.clone()));
        pages.push(one);
    }
    assert_eq!(pages, newest_first);
    let waiting: Vec<_> = newest_first.iter().rev().filter(|one| one.value.closing.is_none()).cloned().collect();
    assert_eq!(view.open_requests(project, None, 9).await.unwrap(), waiting);
    let first = waiting.first().map(|first| first.value.asked.request);
    let behind = view.open_requests(project, first, 9).await.unwrap();
    assert_eq!(behind, waiting.iter().skip(1).cloned().collect::<Vec<_>>());
    let of_version = view.open_requests_of(project, model, number(0)).await.unwrap();
    let is_of_version = |one: &&Recorded<RequestRow>| one.value.asked.version == number(0);
    assert_eq!(of_version.len(), waiting.iter().filter(is_of_version).count());
    format!("{newest_first:?} {:?}", view.next_request(project).await)
}

/// One version, which must be what all of them say it is.
async fn one_of(
    view: &View,
    project: &ProjectName,
    model: &ModelName,
    which: WhichVersion<'_>,
) -> Option<Recorded<VersionRow>> {
    let is_meant = |row: &Recorded<VersionRow>| match which {
        WhichVersion::Numbered(number) => row.value.version.number == number,
        WhichVersion::Alias(alias) => row.value.aliases.iter().any(|name| name.as_str() == alias),
        WhichVersion::Named(name) => row.value.names.values().any(|of| of == name),
        WhichVersion::NewestIn(stage) => row.value.stage == stage,
        WhichVersion::NewestNotIn(stage) => row.value.stage != stage,
    };
    let found = view.version(project, model, which).await.unwrap();
    // a history made at random may have versions of a model that was never made
    if let Some(all) = view.versions(project, model).await.unwrap() {
        assert_eq!(found, all.into_iter().rfind(is_meant), "{which:?}");
    }
    found
}

/// The seq goes from fact to fact, and a rebuilt history has other times.
fn without_times(said: &str) -> String {
    without(&without(said, "Timestamp(", ')'), "TimestampHash: \"", '"')
}

/// Leaves out what stands between two marks.
fn without(said: &str, from: &str, to: char) -> String {
    let mut parts = said.split(from);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.split_once(to).map_or("", |(_, rest)| rest))
}

/// What all reads say, each after its name.
async fn read_all(view: &View) -> Vec<(&'static str, String)> {
    let mut said = Vec::new();
    for what in READS {
        said.push((what, without_times(&read(view, what).await)));
    }
    said
}

/// An event that no table follows from.
fn harmless() -> Vec<Event> {
    vec![every_kind(0).pop().unwrap()]
}

async fn try_commit(ledger: &Ledger, events: Vec<Event>, premises: Option<Premises>) -> Outcome {
    let commit = Commit { premises, ..change(events) };
    ledger.commit(commit).await.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn what_a_decision_read_changes_only_if_it_is_made_anew(
        before in proptest::collection::vec((0usize..33, 0u32..3), 0..30),
        after in proptest::collection::vec((0usize..33, 0u32..3), 1..4),
    ) {
        on_every_database(async |world| {
            let ledger = world.open().await.unwrap();
            commit(&ledger, harmless()).await;
            for (kind, n) in &before {
                add(&ledger, *kind, *n).await;
            }
            let mut stood = Vec::new();
            for what in READS {
                let (premises, said) = ledger.deciding(read(&ledger.now(), what)).await;
                stood.push((what, premises, said));
            }
            for (kind, n) in &after {
                add(&ledger, *kind, *n).await;
            }
            for (what, premises, said) in stood {
                let is_changed = read(&ledger.now(), what).await != said;
                let moved = matches!(try_commit(&ledger, harmless(), Some(premises)).await, Outcome::Moved(_));
                assert!(moved || !is_changed, "`{what}` says something else now, and a decision on it was committed");
            }
        });
    }

    #[test]
    fn what_was_known_after_an_event_and_at_its_time_is_what_the_events_up_to_it_make(
        picks in proptest::collection::vec((0usize..33, 0u32..3), 1..20),
    ) {
        on_every_database(async |world| {
            let clock = Arc::new(ManualClock::at(Timestamp(1_000_000_000)));
            let ledger = Ledger::open(LedgerOptions { clock: clock.clone(), ..world.options() }).await.unwrap();
            // the same events again, one by one
            let empty = World::new(world.kind);
            let replay = empty.open().await.unwrap();
            for (kind, n) in &picks {
                clock.advance_micros(1_000_000);
                add(&ledger, *kind, *n).await;
            }
            let events = ledger.events(0, 1000).await.unwrap();
            let before = read_all(&ledger.at(Timestamp(1_000_000_000)).await.unwrap()).await;
            assert_eq!(before, read_all(&replay.now()).await, "before the first event");
            for (event, next) in events.iter().zip(events[1..].iter().map(Some).chain([None])) {
                assert!(try_to_add(&replay, event.event.clone()).await.is_some());
                let expected = read_all(&replay.now()).await;
                assert_eq!(read_all(&ledger.after(event.seq)).await, expected, "after event {}", event.seq);
                // several events may be of one time
                if next.is_none_or(|next| next.time > event.time) {
                    let later = Timestamp(event.time.micros() + 999_999);
                    for time in [event.time, later] {
                        assert_eq!(read_all(&ledger.at(time).await.unwrap()).await, expected, "at {time}");
                    }
                }
            }
        });
    }
}

#[test]
fn decisions_about_different_things_are_committed_side_by_side() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        let events = (0..100).map(|n| Event::ModelCreated { project: ProjectName::default_project(), model: model(n) });
        commit(&ledger, events.collect()).await;
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..100 {
            let ledger = ledger.clone();
            tasks.spawn(async move {
                let project = ProjectName::default_project();
                let decision = async {
                    // all have read before one is committed
                    let known = ledger.now().policy(&project, &model(n)).await.unwrap();
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    known
                };
                let (premises, known) = ledger.deciding(decision).await;
                assert_eq!(known, None);
                let set = Event::PolicySet { project, model: model(n), policy: ModelPolicy::default() };
                try_commit(&ledger, vec![set], Some(premises)).await
            });
        }
        let outcomes = tasks.join_all().await;
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Committed { repeated: false, .. })));
        ledger.checkpoint().await.unwrap();
        assert_eq!(ledger.verify().await.first_bad, None);
    });
}

#[test]
fn of_decisions_about_the_same_thing_each_knows_what_the_others_did() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        let other = world.open().await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..20 {
            let ledger = if n % 2 == 0 { ledger.clone() } else { other.clone() };
            tasks.spawn(async move {
                let mut turn = None;
                loop {
                    let (premises, known) =
                        ledger.deciding(async { ledger.now().projects().await.unwrap().len() }).await;
                    match try_commit(&ledger, project(&format!("p{known}")), Some(premises)).await {
                        Outcome::Committed { .. } => return known,
                        Outcome::Moved(premise) => turn = Some(ledger.turn(turn, premise).await),
                    }
                }
            });
        }
        let mut numbers = tasks.join_all().await;
        numbers.sort_unstable();
        assert_eq!(numbers, (0..20).collect::<Vec<_>>());
    });
}

#[test]
fn who_lost_to_another_gets_a_turn_and_does_not_lose_again_and_again() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..60 {
            let ledger = ledger.clone();
            tasks.spawn(async move {
                let (mut turn, mut lost) = (None, 0);
                loop {
                    let (premises, _) = ledger.deciding(ledger.now().projects()).await;
                    match try_commit(&ledger, project(&format!("p{n}")), Some(premises)).await {
                        Outcome::Committed { .. } => return lost,
                        Outcome::Moved(premise) => turn = Some(ledger.turn(turn, premise).await),
                    }
                    lost += 1;
                }
            });
        }
        // once to those who decided at the same time at first, and to those of them who were still on their way
        let lost = tasks.join_all().await;
        assert!(lost.iter().all(|lost| *lost <= 4), "{lost:?}");
    });
}

#[test]
fn a_failure_undoes_nothing_but_itself() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..60u32 {
            let ledger = ledger.clone();
            tasks.spawn(async move {
                let mut events = project(&format!("p{n}"));
                if n % 3 == 1 {
                    // the second can't be stored, after the first was written
                    let label = "a\0b".to_owned();
                    events.push(Event::TokenIssued {
                        token: stemma_core::id::TokenId::from_u128(1),
                        principal: "ada".parse().unwrap(),
                        label,
                        expires: None,
                        check: stemma_core::Digest::of(b""),
                        scope: stemma_core::rights::TokenScope::default(),
                        replaces: None,
                    });
                }
                (n, ledger.commit(change(events)).await)
            });
        }
        for (n, outcome) in tasks.join_all().await {
            match outcome {
                Ok(_) => assert_ne!(n % 3, 1),
                Err(error) => assert!(n % 3 == 1 && matches!(error, LedgerError::Unfit(_)), "{n}: {error}"),
            }
        }
        assert_eq!(ledger.head_seq(), 40);
        ledger.checkpoint().await.unwrap();
        assert_eq!(ledger.verify().await.first_bad, None);
    });
}

#[test]
fn what_waits_is_written_before_a_ledger_is_closed_and_also_if_nobody_waits_for_it() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        let mut waiting: Vec<_> = (0..50).map(|n| Box::pin(ledger.commit(change(project(&format!("p{n}")))))).collect();
        for one in &mut waiting {
            assert!(futures::poll!(one.as_mut()).is_pending());
        }
        drop(waiting);
        ledger.close().await;
        assert!(matches!(ledger.commit(change(project("late"))).await, Err(LedgerError::Closed)));
        assert_eq!(world.open().await.unwrap().now().projects().await.unwrap().len(), 50);
    });
}

#[test]
fn roles_and_rights_to_content_share_the_writer_with_commits() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        let default = ProjectName::default_project();
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..40u32 {
            let (ledger, default) = (ledger.clone(), default.clone());
            tasks.spawn(async move {
                if n % 2 == 0 {
                    ledger.grant_content(&default, Digest::of(&n.to_le_bytes()), 4).await.unwrap();
                } else {
                    let principal = format!("user{n}").parse().unwrap();
                    let (role, edition) = (Role::Owner, Edition::NEWEST);
                    let granted = Event::RoleGranted { principal, project: None, role, endpoint: None, edition };
                    ledger.commit(change(vec![granted])).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        assert_eq!(ledger.seal_rows(&actor()).await.unwrap(), 20);
        assert_eq!(ledger.seal_rows(&actor()).await.unwrap(), 0);
        ledger.checkpoint().await.unwrap();
        assert_eq!(ledger.verify().await.first_bad, None);
    });
}
