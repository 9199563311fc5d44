//! What a ledger must do on every database.

use proptest::prelude::*;
use stemma_core::{
    Digest, Timestamp,
    event::Event,
    id::{RunId, WorkspaceId},
    lineage::{
        EdgeKind, Node, NodeKind,
        origin::{FileUse, FileWrite},
    },
    name::ProjectName,
    record::RunRecord,
};
use stemma_ledger::{Access, LedgerError, Outcome, Side, VersionRow, WhichVersion};

use crate::{
    events::{add, every_kind, later_kinds, number},
    world::{World, change, commit, kinds},
};

pub fn on_every_database(test: impl AsyncFn(World)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for kind in kinds() {
        runtime.block_on(test(World::new(kind)));
    }
}

#[test]
fn events_become_rows_with_who_and_when() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        commit(&ledger, every_kind(0)).await;
        let project = ProjectName::default_project();
        let versions = ledger.now().versions(&project, &"credit-score".parse().unwrap()).await.unwrap();
        // the model itself was never created by these events
        assert_eq!(versions, None);
        let created = Event::ModelCreated { project: project.clone(), model: "credit-score".parse().unwrap() };
        commit(&ledger, vec![created]).await;
        let versions = ledger.now().versions(&project, &"credit-score".parse().unwrap()).await.unwrap().unwrap();
        let [version] = versions.as_slice() else { panic!("{versions:?}") };
        assert_eq!(version.value.stage.as_str(), "production");
        // it was its alias until that was removed, and was in quarantine until that was lifted
        let at = |kind: &str| every_kind(0).iter().position(|event| event.kind() == kind).unwrap() as u64;
        let then = async |seq: u64| {
            let model = "credit-score".parse().unwrap();
            let found = ledger.after(seq).version(&project, &model, WhichVersion::Numbered(number(0))).await;
            let VersionRow { aliases, quarantine, .. } = found.unwrap().unwrap().value;
            (aliases.len(), quarantine.map(|one| one.value))
        };
        assert_eq!(then(at("alias_removed")).await, (1, None));
        assert_eq!(then(at("alias_removed") + 1).await, (0, None));
        assert_eq!(then(at("version_quarantined") + 1).await, (0, Some("it leaks".to_owned())));
        assert_eq!((version.value.aliases.as_slice(), &version.value.quarantine), (&[][..], &None));
        assert_eq!(version.fact.actor.principal.as_str(), "ada@example.org");
        assert_eq!(version.fact.seq, 11);
        let events = ledger.events(0, 100).await.unwrap();
        assert_eq!(events.len(), every_kind(0).len() + 1);
        assert_eq!(events[10].event.kind(), "version_registered");
        assert_eq!(
            ledger.now().evidence(&project, &"credit-score".parse().unwrap(), number(0)).await.unwrap().len(),
            1
        );
    });
}

#[test]
fn a_request_is_done_once_and_a_stale_decision_not_at_all() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        let first = change(vec![Event::ProjectCreated { project: "one".parse().unwrap() }]);
        let once = ledger.commit(first.clone()).await.unwrap();
        let twice = ledger.commit(first.clone()).await.unwrap();
        assert!(matches!(once, Outcome::Committed { first: 1, repeated: false, .. }), "{once:?}");
        assert_eq!(twice, Outcome::Committed { first: 1, events: first.events.clone(), repeated: true });
        let (premises, projects) = ledger.deciding(ledger.now().projects()).await;
        assert_eq!(projects.unwrap().len(), 1);
        commit(&ledger, vec![Event::ProjectCreated { project: "two".parse().unwrap() }]).await;
        let mut stale = change(vec![Event::ProjectCreated { project: "three".parse().unwrap() }]);
        stale.premises = Some(premises);
        assert!(matches!(ledger.commit(stale.clone()).await.unwrap(), Outcome::Moved(_)));
        stale.premises = Some(ledger.deciding(ledger.now().projects()).await.0);
        assert!(matches!(ledger.commit(stale).await.unwrap(), Outcome::Committed { first: 3, .. }));
        assert!(matches!(ledger.commit(change(vec![])).await, Err(LedgerError::Size(0))));
        assert_eq!(ledger.head_seq(), 3);
    });
}

#[test]
fn a_ledger_verifies_after_it_was_opened_again() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        commit(&ledger, every_kind(0)).await;
        for n in 1..5 {
            commit(&ledger, later_kinds(n)).await;
        }
        let signed = ledger.checkpoint().await.unwrap();
        let kinds = later_kinds(0).len() as u64;
        assert_eq!(signed.size(), 5 * kinds + 1);
        ledger.close().await;
        let ledger = world.open().await.unwrap();
        commit(&ledger, later_kinds(5)).await;
        let report = ledger.verify().await;
        assert_eq!((report.first_bad, report.events), (None, 6 * kinds + 1));
        assert_eq!(ledger.checkpoint().await.unwrap().size(), 6 * kinds + 1);
        assert_eq!(ledger.head().await.unwrap().root, report.root);
    });
}

/// (what is done by hand, the event that must be named)
const ALTERATIONS: [(&str, u64); 34] = [
    ("UPDATE event SET actor = 'eve@example.org' WHERE seq = 9", 9),
    ("UPDATE event SET request = 'x' WHERE seq = 27", 27),
    ("UPDATE event SET project = NULL WHERE seq = 9", 9),
    ("DELETE FROM event WHERE seq = 5", 5),
    ("INSERT INTO token_hash SELECT token, (SELECT hash FROM leaf WHERE seq = 1) FROM token", 6),
    ("UPDATE event_body SET body = replace(body, 'looks right', 'looks wrong') WHERE seq = 13", 13),
    ("DELETE FROM event_body WHERE seq = 7", 7),
    ("UPDATE leaf SET entry = replace(entry, 'ada@', 'eve@') WHERE seq = 9", 9),
    ("DELETE FROM leaf WHERE seq = 4", 4),
    ("DELETE FROM leaf WHERE seq = 20", 20),
    ("UPDATE head SET size = 19", 49),
    (
        "UPDATE subtree SET hash = (SELECT hash FROM subtree WHERE level = 0 AND place = 0) WHERE level = 1 AND place = 3",
        7,
    ),
    ("UPDATE model_version SET digest = 'b3:00'", 11),
    ("UPDATE model_version SET body = replace(body, 'model.onnx', 'other.onnx')", 11),
    ("UPDATE stage SET stage = 'archived' WHERE to_seq IS NULL", 14),
    ("DELETE FROM approval", 13),
    ("INSERT INTO approval SELECT project, model, number, 'forged', body, 3, to_seq FROM approval", 3),
    ("UPDATE evidence SET kind = 'evaluation'", 12),
    ("UPDATE alias SET number = '9.9.9'", 15),
    ("UPDATE version_name SET number = '9.9.9' WHERE scheme = 'label'", 30),
    ("UPDATE version_name SET name = 'v20200101000000_00000000' WHERE scheme = 'timestamp-hash'", 11),
    ("DELETE FROM version_name WHERE scheme = 'run'", 11),
    ("UPDATE role_grant SET to_seq = NULL", 4),
    ("UPDATE token SET principal = 'eve@example.org'", 6),
    ("UPDATE dataset_version SET number = 2", 8),
    ("UPDATE revision SET reason = 'never'", 17),
    ("UPDATE live_revision SET number = 9 WHERE to_seq IS NULL", 26),
    ("UPDATE log_part SET last_row = 8", 18),
    ("UPDATE search_entry SET stage = 'production' WHERE stage = 'development'", 11),
    ("UPDATE search_entry SET registrant = 'eve@example.org' WHERE realm = 'datasets'", 8),
    ("DELETE FROM search_entry WHERE to_seq IS NULL AND realm = 'versions'", 14),
    ("UPDATE search_fact SET text = 'failed' WHERE kind = 'gate'", 12),
    ("UPDATE search_fact SET id = 8 WHERE kind = 'alias'", 15),
    (
        "INSERT INTO search_fact SELECT -1, kind, name, text, rank, from_seq, to_seq FROM search_fact WHERE kind = 'gate'",
        12,
    ),
];

#[test]
fn t44_an_alteration_by_hand_is_noticed_and_its_event_named() {
    on_every_database(async |first| {
        for (sql, seq) in ALTERATIONS {
            let world = World::new(first.kind);
            let ledger = world.open().await.unwrap();
            commit(&ledger, every_kind(0)).await;
            assert_eq!(ledger.verify().await.first_bad, None);
            assert!(world.alter(sql).await > 0, "{sql}");
            let report = ledger.verify().await;
            let bad = report.first_bad.unwrap_or_else(|| panic!("not noticed: {sql}"));
            assert_eq!(bad.seq, seq, "{sql}: {}", bad.what);
            ledger.close().await;
        }
    });
}

#[test]
fn a_rewritten_history_does_not_continue_what_was_signed() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        commit(&ledger, every_kind(0)).await;
        ledger.checkpoint().await.unwrap();
        ledger.close().await;
        // the same key and folder, but another history of the same length
        let other = World::new(world.kind);
        for name in ["signing.key", "last.checkpoint"] {
            std::fs::copy(world.folder.path().join(name), other.folder.path().join(name)).unwrap();
        }
        let rewound = other.open().await;
        let all = every_kind(0).len() as u64;
        assert!(matches!(rewound, Err(LedgerError::Rewound { signed, found: 0 }) if signed == all));
        std::fs::remove_file(other.folder.path().join("last.checkpoint")).unwrap();
        let forged = other.open().await.unwrap();
        commit(&forged, every_kind(1)).await;
        std::fs::copy(world.folder.path().join("last.checkpoint"), other.folder.path().join("last.checkpoint"))
            .unwrap();
        assert!(forged.verify().await.first_bad.is_some());
        assert!(matches!(forged.checkpoint().await, Err(LedgerError::Checkpoint(_))));
    });
}

#[test]
fn t47_many_writers_get_a_dense_history() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        let second = world.open().await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..200u32 {
            let ledger = if n % 2 == 0 { ledger.clone() } else { second.clone() };
            let event = Event::ProjectCreated { project: format!("p{n}").parse().unwrap() };
            tasks.spawn(async move { commit(&ledger, vec![event]).await });
        }
        let mut seqs = tasks.join_all().await;
        seqs.sort_unstable();
        assert_eq!(seqs, (1..=200).collect::<Vec<u64>>());
        assert_eq!(ledger.verify().await.first_bad, None);
    });
}

#[test]
fn edges_of_events_are_found_from_both_ends_until_withdrawn() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        let project = ProjectName::default_project();
        let events = every_kind(0);
        let withdrawn = events.iter().position(|event| event.kind() == "edge_withdrawn").unwrap();
        commit(&ledger, events[..withdrawn].to_vec()).await;
        let raw = Node::new(NodeKind::DatasetVersion, "raw@1");
        // more nodes than fit into one query
        let mut nodes: Vec<Node> = (0..900).map(|n| Node::new(NodeKind::DatasetVersion, format!("none@{n}"))).collect();
        nodes.push(raw.clone());
        let (found, cut) = ledger.now().edges(&project, &nodes, Side::From, None, 10).await.unwrap();
        assert_eq!(found.iter().map(|edge| edge.to.key.as_str()).collect::<Vec<_>>(), ["german-credit@1"]);
        assert!(!cut && found[0].certainty.as_str() == "declared");
        commit(&ledger, events[withdrawn..].to_vec()).await;
        assert_eq!(ledger.now().edges(&project, &[raw], Side::From, None, 10).await.unwrap().0, []);

        let version = [Node::new(NodeKind::ModelVersion, "credit-score@1.0.0")];
        let (above, _) = ledger.now().edges(&project, &version, Side::To, None, 10).await.unwrap();
        let kinds: Vec<&str> = above.iter().map(|edge| edge.from.kind.as_str()).collect();
        assert_eq!(kinds, ["content", "run", "evidence", "approval"]);
        let (one, cut) = ledger.now().edges(&project, &version, Side::To, None, 1).await.unwrap();
        assert!(one.len() == 1 && cut);
        let (names, _) = ledger.now().edges(&project, &version, Side::To, Some(EdgeKind::VersionOf), 10).await.unwrap();
        assert_eq!(names.len(), 1);
        let (below, _) = ledger.now().edges(&project, &version, Side::From, None, 10).await.unwrap();
        assert_eq!(below[0].to, Node::new(NodeKind::Revision, "credit-decision#1"));
        let other = "other".parse().unwrap();
        assert_eq!(ledger.now().edges(&other, &version, Side::To, None, 10).await.unwrap().0, []);
        assert_eq!(ledger.verify().await.first_bad, None);
    });
}

#[test]
fn packages_lead_to_environments_of_their_project() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        let (ours, theirs): (ProjectName, ProjectName) = ("ours".parse().unwrap(), "theirs".parse().unwrap());
        let environment = Digest::of(b"environment");
        let packages: Vec<(String, String)> = (0..450).map(|n| (format!("p{n}"), "1.0".to_owned())).collect();
        for _ in 0..2 {
            ledger.insert_packages(&ours, environment, &packages).await.unwrap();
        }
        let found = ledger.environments_with(&ours, "p449", Some("1.0")).await.unwrap();
        assert_eq!(found, [("1.0".to_owned(), environment)]);
        assert!(ledger.environments_with(&ours, "p449", Some("1.1")).await.unwrap().is_empty());
        assert!(ledger.environments_with(&theirs, "p449", None).await.unwrap().is_empty());
        assert!(ledger.has_packages(&ours, environment).await.unwrap());
        assert!(!ledger.has_packages(&theirs, environment).await.unwrap());
    });
}

#[test]
fn content_is_granted_per_project() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        let (ours, theirs): (ProjectName, ProjectName) = ("ours".parse().unwrap(), "theirs".parse().unwrap());
        let digests: Vec<Digest> = (0..1200u32).map(|n| Digest::of(&n.to_be_bytes())).collect();
        ledger.grant_content(&ours, digests[3], 4).await.unwrap();
        ledger.grant_content(&ours, digests[3], 4).await.unwrap();
        assert_eq!(ledger.ungranted(&ours, &digests).await.unwrap().len(), 1199);
        assert_eq!(ledger.ungranted(&theirs, &digests[3..4]).await.unwrap(), [digests[3]]);
        let contents: Vec<(Digest, u64)> = digests.iter().map(|digest| (*digest, 4)).collect();
        ledger.grant_contents(&theirs, &contents).await.unwrap();
        assert_eq!(ledger.ungranted(&theirs, &digests).await.unwrap(), []);
        assert_eq!(ledger.ungranted(&ours, &digests).await.unwrap().len(), 1199);
    });
}

#[test]
fn hostile_text_is_only_text() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        let mut events = every_kind(0);
        let nasty = "'; DROP TABLE leaf; -- \" \\ ü \u{1F600} <script>$1</script>";
        for event in &mut events {
            if let Event::Approved(approved) = event {
                approved.reason = nasty.to_owned();
            }
        }
        commit(&ledger, events).await;
        let approvals = ledger
            .now()
            .approvals(&ProjectName::default_project(), &"credit-score".parse().unwrap(), number(0))
            .await
            .unwrap();
        assert_eq!(approvals[0].value.reason, nasty);
        assert_eq!(ledger.verify().await.first_bad, None);
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn replaying_any_history_gives_equal_tables(picks in proptest::collection::vec((0usize..27, 0u32..4), 1..60)) {
        on_every_database(async |world| {
            let ledger = world.open().await.unwrap();
            for (kind, n) in &picks {
                add(&ledger, *kind, *n).await;
            }
            ledger.checkpoint().await.unwrap();
            let report = ledger.verify().await;
            // tokens have no hashes here, for one may be issued twice
            assert_eq!(report.check("tables").unwrap().faults, []);
            ledger.close().await;
        });
    }
}

#[test]
fn an_endpoint_that_was_taken_down_begins_anew() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        let endpoint = "credit-decision".parse().unwrap();
        let of_kind = |n: u32, kind: &str| every_kind(n).into_iter().find(|event| event.kind() == kind).unwrap();
        commit(&ledger, vec![of_kind(0, "revision_deployed")]).await;
        commit(&ledger, vec![of_kind(1, "revision_deployed")]).await;
        assert_eq!(ledger.now().taken_down().await.unwrap(), []);
        let down = of_kind(0, "endpoint_taken_down");
        commit(&ledger, vec![down.clone()]).await;
        let found = ledger.now().taken_down().await.unwrap();
        assert_eq!((found.len(), &found[0].value, found[0].fact.seq), (1, &down, 3));
        assert_eq!(found[0].fact.actor.principal.as_str(), "ada@example.org");
        assert!(ledger.now().current_revisions().await.unwrap().is_empty());
        assert_eq!(ledger.now().activated_revisions(&endpoint).await.unwrap(), [1, 2]);
        commit(&ledger, vec![of_kind(2, "revision_deployed")]).await;
        assert_eq!(ledger.now().taken_down().await.unwrap(), []);
        assert_eq!(ledger.now().activated_revisions(&endpoint).await.unwrap(), [3]);
        assert!(ledger.verify().await.first_bad.is_none());
    });
}

#[test]
fn feedback_of_old_homes_is_found_by_prediction_and_page_by_page() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        assert!(!ledger.has_feedback_rows().await.unwrap());
        for (place, prediction, body) in [(1, "one", "a"), (2, "two", "b"), (3, "one", "c")] {
            let sql = format!(
                "INSERT INTO feedback (place, project, prediction, body) VALUES ({place}, 'default', '{prediction}', '{body}')"
            );
            assert_eq!(world.alter(&sql).await, 1);
        }
        assert!(ledger.has_feedback_rows().await.unwrap());
        let row = |prediction: &str, body: &str| (prediction.to_owned(), body.to_owned());
        let asked: Vec<String> = (0..2_500).map(|n| format!("p{n}")).chain(["one".to_owned()]).collect();
        assert_eq!(ledger.feedback_rows(&asked).await.unwrap(), [row("one", "a"), row("one", "c")]);
        let first = ledger.page_of_feedback_rows("default", 0, 2).await.unwrap();
        assert_eq!(first.iter().map(|(place, _, _)| *place).collect::<Vec<_>>(), [1, 2]);
        let rest = ledger.page_of_feedback_rows("default", 2, 2).await.unwrap();
        assert_eq!(rest, [(3, "one".to_owned(), "c".to_owned())]);
    });
}

/// A run as its record tells it.
pub fn ran(started: i64, workspace: Option<u128>, inputs: &[(&str, &str)], outputs: &[(&str, &str)]) -> RunRecord {
    let files = |files: &[(&str, &str)]| -> Vec<serde_json::Value> {
        let file = |(path, bytes): &(&str, &str)| serde_json::json!({"path": path, "digest": Digest::of(bytes.as_bytes()), "size": 1, "certainty": "observed"});
        files.iter().map(file).collect()
    };
    let record = serde_json::json!({
        "v": 1, "id": RunId::generate(), "project": "default", "kind": "training", "command": ["python"], "directory": "",
        "actor": {"principal": "ada@example.org", "auth": "asserted"}, "exit": {"code": 0},
        "started": started, "ended": started + 1, "workspace": workspace.map(WorkspaceId::from_u128), "code": {},
        "environment": Digest::of(b"environment"), "cpu_us": 1, "max_rss_bytes": 1,
        "capture": {"level": 4, "method": "ptrace", "environment_files": 0},
        "inputs": files(inputs), "outputs": files(outputs),
    });
    serde_json::from_value(record).unwrap()
}

#[test]
fn a_use_finds_the_writes_it_may_go_back_to() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        let project = ProjectName::default_project();
        let here = Some(1);
        let runs = [
            ran(10, here, &[], &[("a.csv", "x")]),
            ran(20, here, &[("a.csv", "x")], &[("copy.csv", "x")]),
            ran(30, Some(2), &[], &[("a.csv", "y")]),
            ran(40, here, &[], &[("a.csv", "z")]),
            ran(50, here, &[("a.csv", "x")], &[("a.csv", "x"), ("d/b.csv", "w")]),
        ];
        for run in &runs {
            let digest = stemma_core::canonical::digest(run).unwrap().0;
            assert!(ledger.insert_run(run, digest).await.unwrap());
        }
        let used = |since: i64, until: i64| FileUse {
            path: "a.csv".into(),
            digest: Digest::of(b"x"),
            workspace: here.map(WorkspaceId::from_u128),
            since: Timestamp(since),
            until: Timestamp(until),
            run: Some(runs[4].id),
        };
        let uses = [used(12, 13), used(35, 36), used(60, 61), used(5, 11), FileUse { run: None, ..used(60, 61) }];
        let found = ledger.candidates(&project, &uses).await.unwrap();
        let told = |write: &Option<FileWrite>| {
            write.as_ref().and_then(|write| runs.iter().position(|run| run.id == write.run))
        };
        let told: Vec<_> =
            found.iter().map(|one| (told(&one.before), told(&one.meanwhile), told(&one.elsewhere))).collect();
        let expected = [
            (Some(0), None, Some(0)),
            (Some(0), None, Some(0)),
            // a run does not go back to itself, nor to who only copied
            (Some(3), None, Some(0)),
            (None, Some(0), None),
            (Some(4), None, Some(0)),
        ];
        assert_eq!(told, expected);
        let (below, cut) = ledger.files_below(&project, "d", &[Access::Output], 10).await.unwrap();
        assert_eq!((below.len(), below[0].path.as_str(), cut), (1, "d/b.csv", false));
        let (files, cut) = ledger.files_with(&project, &[Digest::of(b"x")], &[Access::Output], 2).await.unwrap();
        assert_eq!((files.len(), cut), (2, true));
        assert_eq!(ledger.runs_like(&project, &runs[0].id.to_string()[..32], 5).await.unwrap(), [runs[0].id]);
    });
}
