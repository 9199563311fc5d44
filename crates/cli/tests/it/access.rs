//! The access log: what is refused and what is read, through a kill, into content that an audit checks.

use std::fs;

use serde_json::Value;

use crate::{
    desk::Desk,
    serving::Serving,
    web::{ask, get},
};

fn entries<'a>(found: &'a Value, kind: &str) -> Vec<&'a Value> {
    found["items"].as_array().unwrap().iter().filter(|one| one["entry"] == kind).collect()
}

#[test]
fn what_is_refused_and_read_is_told_after_a_kill_and_an_altered_part_is_found() {
    let desk = Desk::with_project();
    desk.ok(&["add", "data/applications.csv"]);
    let owner = desk.ok(&["user", "add", "olga@example.org", "--role", "owner"]);
    let reader = desk.ok(&["user", "add", "rita@example.org", "--role", "reader"]);
    let content = desk.json(&["add", "data/applications.csv"]);
    let digest = content.to_string().split("b3:").nth(1).unwrap().chars().take(64).collect::<String>();
    let path = format!("/api/v1/projects/default/content/b3:{digest}");
    let other = format!("stm_{}", "q5".repeat(26));

    let serving = Serving::start_with(&desk, &["--require-token"]);
    assert_eq!(get(&serving, &path, reader.trim()).status, 200);
    assert_eq!(ask(&serving, "POST", "/api/v1/audit/key", reader.trim(), "{}").status, 403);
    // T21: a token that is typed into an address, and one that nobody has
    assert_eq!(get(&serving, &format!("/api/v1/projects/{}/runs", reader.trim()), "").status, 401);
    assert_eq!(get(&serving, &format!("/projects/default?token={}", reader.trim()), &other).status, 401);
    // health and lists are nobody's reading
    assert_eq!(get(&serving, "/api/v1/projects/default/runs", reader.trim()).status, 200);
    let found: Value = serde_json::from_str(&get(&serving, "/api/v1/audit/access", owner.trim()).text).unwrap();
    let items = entries(&found, "access");
    assert_eq!(items.len(), 4, "{found}");
    let brief = |one: &Value| format!("{} {} {}", one["by"], one["action"], one["outcome"]);
    let told: Vec<String> = items.iter().map(|one| brief(one)).collect();
    assert_eq!(told[2], r#""rita@example.org" "manage_rights" "forbidden""#, "{found}");
    assert_eq!(told[3], r#""rita@example.org" "read" "allowed""#, "{found}");
    assert!(told[0].ends_with(r#""unauthenticated""#) && told[1].ends_with(r#""unauthenticated""#), "{told:?}");
    assert_eq!((items[3]["thing"].as_str(), items[3]["from"].as_str()), (Some(path.as_str()), Some("127.0.0.1")));
    assert!(items[3]["token"].is_string(), "{found}");
    for secret in [reader.trim(), other.as_str()] {
        assert!(!found.to_string().contains(secret), "{found}");
    }
    // asking was on disk before it was answered; dropping kills
    drop(serving);

    let refused = desk.json(&["audit", "access", "--refused"]);
    assert_eq!(entries(&refused, "access").len(), 3, "{refused}");
    let serving = Serving::start(&desk);
    let read = desk.json(&["audit", "access", "--who", "rita@example.org", "--action", "read"]);
    assert_eq!(entries(&read, "access").len(), 1, "{read}");
    let page = get(&serving, "/ledger/access?refused=true", owner.trim());
    assert!(page.status == 200 && page.text.contains("rita@example.org"), "{}", page.text);
    assert_eq!(serving.stop(), Some(0));

    // it is content by now, and no open segment has it
    let sealed = desk.json(&["audit", "events", "--kind", "access_log_sealed"]);
    assert!(!sealed["items"].as_array().unwrap().is_empty(), "{sealed}");
    assert_eq!(entries(&desk.json(&["audit", "access", "--refused"]), "access").len(), 3);
    let first = desk.json(&["audit", "access", "--limit", "1"]);
    let next = first["next"].as_str().unwrap();
    let second = desk.json(&["audit", "access", "--limit", "1", "--after", next]);
    assert_ne!(first["items"], second["items"]);
    let audited = desk.run(&["audit", "verify"]);
    assert!(audited.code == 0 && audited.stdout.contains("access log: "), "{audited:#?}");

    // somebody with the files takes the content away
    fs::remove_dir_all(desk.work().join(".stemma/content/packs")).unwrap();
    let audited = desk.run(&["audit", "verify"]);
    assert!(audited.code == 8 && audited.stdout.contains("access log: "), "{audited:#?}");
}

#[test]
fn a_stranger_who_knocks_without_end_is_a_number() {
    let desk = Desk::with_home();
    let owner = desk.ok(&["user", "add", "olga@example.org", "--role", "owner"]);
    let serving = Serving::start_with(&desk, &["--require-token"]);
    for _ in 0..300 {
        assert_eq!(ask(&serving, "POST", "/v2/models/x/infer", "", "{}").status / 100, 4);
        assert_eq!(get(&serving, "/api/v1/audit/events", "").status, 401);
    }
    assert_eq!(serving.stop(), Some(0));
    let found = desk.json(&["audit", "access", "--refused", "--limit", "1000"]);
    // the knocking may have lasted over the end of a minute
    let (written, numbers) = (entries(&found, "access").len() as u64, entries(&found, "unwritten"));
    assert!(written <= 60, "{written}");
    let counted: u64 = numbers.iter().map(|one| one["count"].as_u64().unwrap()).sum();
    assert!(written + counted >= 300, "{written} and {counted}");
    let events = desk.json(&["audit", "events", "--kind", "access_log_sealed"]);
    assert_eq!(events["items"].as_array().unwrap().len(), 1, "{events}");
    assert!(!owner.is_empty());
}
