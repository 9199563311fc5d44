//! Which contents facts name, and in which projects they are.

use std::collections::BTreeMap;

use serde_json::json;
use stemma_core::{
    Digest,
    event::{DatasetVersionAdded, Event},
    id::RunId,
    naming::ContentForm,
    record::RunRecord,
};

use crate::{suite::on_every_database, world::commit};

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn dataset(project: &str, number: u32, content: &str) -> Event {
    Event::DatasetVersionAdded(DatasetVersionAdded {
        project: project.parse().unwrap(),
        dataset: "people".parse().unwrap(),
        number,
        digest: digest(content),
        sha256: None,
        size: 1,
        path: "people.csv".into(),
        source: None,
        why: None,
        derived_from: vec![],
        run: None,
        external: None,
        workspace: None,
        answered_by: Vec::new(),
    })
}

fn run(project: &str) -> RunRecord {
    let record = json!({
        "v": 1, "id": RunId::generate(), "project": project, "kind": "training", "command": ["python"], "directory": "",
        "actor": {"principal": "ada@example.org", "auth": "asserted"}, "exit": {"code": 0}, "started": 1, "ended": 2,
        "code": { "diff": digest("diff") }, "environment": digest("environment"), "cpu_us": 1, "max_rss_bytes": 1,
        "capture": {"level": 4, "method": "ptrace", "environment_files": 0},
        "inputs": [{"path": "a.csv", "digest": digest("input"), "size": 1, "certainty": "observed"}], "outputs": [],
    });
    serde_json::from_value(record).unwrap()
}

#[test]
fn whatever_facts_name_is_told_with_what_it_is() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        let project = "default".parse().unwrap();
        let purged = Event::ContentPurged { project, digest: digest("gone"), reason: "they asked".into() };
        let list = Event::ContentKept { project: "default".parse().unwrap(), list: digest("list"), contents: 1 };
        commit(&ledger, vec![dataset("default", 1, "kept"), dataset("other", 1, "gone"), list, purged]).await;
        let run = run("default");
        ledger.insert_run(&run, digest("record")).await.unwrap();
        let named = ledger.named_content().await.unwrap();
        let found: BTreeMap<Digest, (ContentForm, String)> =
            named.into_iter().map(|content| (content.digest, (content.form, content.what))).collect();
        let of_run = |what: &str| format!("{what} of run {}", run.id);
        let plain = |what: String| (ContentForm::Plain, what);
        let expected = [
            ("kept", plain("people@1".into())),
            ("list", (ContentForm::List, "the list of what was pushed to stay".into())),
            ("record", plain(of_run("the record"))),
            ("environment", (ContentForm::Environment, of_run("the environment"))),
            ("diff", plain(of_run("the code"))),
            ("input", plain(format!("run {} (a.csv)", run.id))),
        ];
        assert_eq!(found, expected.map(|(name, what)| (digest(name), what)).into());
    });
}

#[test]
fn a_project_begins_with_the_first_thing_in_it() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        let names = async || -> Vec<String> {
            ledger.known_projects().await.unwrap().iter().map(ToString::to_string).collect()
        };
        assert_eq!(names().await, [""; 0]);
        commit(&ledger, vec![Event::ProjectCreated { project: "default".parse().unwrap() }]).await;
        commit(&ledger, vec![dataset("of-data", 1, "x"), dataset("a-second", 1, "x"), dataset("of-data", 2, "x")])
            .await;
        for project in ["of-runs", "of-runs", "also-of-runs"] {
            let record = run(project);
            ledger.insert_run(&record, digest(&record.id.to_string())).await.unwrap();
        }
        let owner = |project: Option<&str>| Event::RoleGranted {
            principal: "ada@example.org".parse().unwrap(),
            project: project.map(|project| project.parse().unwrap()),
            role: stemma_core::rights::Role::Owner,
            endpoint: None,
            edition: stemma_core::rights::Edition::First,
        };
        let model = Event::ModelCreated { project: "of-models".parse().unwrap(), model: "m".parse().unwrap() };
        let endpoint = "e".parse().unwrap();
        let endpoint = Event::EndpointCreated { project: "of-endpoints".parse().unwrap(), endpoint, ordinal: 0 };
        commit(&ledger, vec![owner(None), owner(Some("of-people")), model, endpoint]).await;
        let expected =
            ["a-second", "also-of-runs", "default", "of-data", "of-endpoints", "of-models", "of-people", "of-runs"];
        assert_eq!(names().await, expected);
    });
}
