//! Content is looked after: what versions take up, what nobody needs, what must go.

use stemma_core::Digest;

use crate::{
    desk::{Desk, Done},
    serving::Serving,
};

fn rows(count: u32) -> String {
    (0..count).map(|row| format!("{row},{}\n", row.wrapping_mul(2_654_435_761))).collect()
}

#[test]
fn versions_say_what_they_have_to_themselves() {
    let desk = Desk::with_home();
    desk.write("data.csv", rows(60_000));
    desk.ok(&["add", "data.csv"]);
    desk.write("data.csv", rows(60_500));
    desk.ok(&["add", "data.csv"]);
    let usage = desk.json(&["du"]);
    let versions = usage["versions"].as_array().unwrap();
    let of = |name: &str| versions.iter().find(|version| version["names"][0] == name).unwrap();
    let (first, second) = (of("data@1"), of("data@2"));
    let number = |row: &serde_json::Value, field: &str| row[field].as_u64().unwrap();
    assert!(number(second, "size") > number(first, "size"));
    assert!(number(second, "own") * 5 < number(second, "stored"), "most of it is shared: {second}");
    assert!(number(&usage, "stored") < number(second, "size"), "{usage}");
    assert!(desk.ok(&["du"]).contains("data@2"));
}

#[test]
fn a_collection_takes_what_nobody_needs_and_nothing_else() {
    let desk = Desk::with_home();
    desk.write("data.csv", rows(1000));
    desk.ok(&["add", "data.csv"]);
    desk.ok(&["run", "--", "sh", "-c", "cat data.csv > out.csv"]);
    let store = stemma_store::Store::open(&desk.work().join(".stemma/content")).unwrap();
    let litter = store.put_bytes(rows(90_000).as_bytes()).unwrap().digest;

    let plan = desk.json(&["gc", "--dry-run", "--grace", "0"]);
    assert_eq!((&plan["dry_run"], &plan["contents"][0]["digest"]), (&true.into(), &litter.to_string().into()));
    assert!(store.contains(&litter));
    let (code, refused) = desk.fails(&["gc", "--grace", "0"]);
    assert_eq!(code, 2);
    assert!(refused.contains("would be removed") && refused.contains("--yes"), "{refused}");

    let waiting = desk.json(&["gc", "--yes"]);
    assert_eq!(waiting["freed"], 0, "its day has not passed: {waiting}");
    let collected = desk.json(&["gc", "--yes", "--grace", "0"]);
    assert!(collected["freed"].as_u64().unwrap() > 100_000, "{collected}");
    assert_eq!(store.missing(&[litter]), [litter]);
    assert!(desk.ok(&["gc"]).starts_with("nothing to collect"), "{}", desk.ok(&["gc"]));
    desk.ok(&["verify"]);
    desk.ok(&["get", "data@1", "-o", "again.csv"]);
    assert_eq!(desk.read("again.csv"), rows(1000));
    let run = desk.json(&["runs"])["items"][0]["id"].as_str().unwrap().to_owned();
    desk.ok(&["show", &run]);
}

#[test]
fn whoever_collects_the_earlier_states_of_the_folder_stay() {
    let desk = Desk::with_home();
    let owner = desk.ok(&["user", "add", "olga@example.org", "--role", "owner"]);
    desk.write("data.csv", rows(1000));
    desk.ok(&["add", "data.csv"]);
    let store = stemma_store::Store::open(&desk.work().join(".stemma/content")).unwrap();
    let [hidden, litter] = [2_000, 90_000].map(|count| store.put_bytes(rows(count).as_bytes()).unwrap().digest);
    // a state of the lock that is longer than 4 MiB; nothing but this state names what it names
    let before = desk.read("stemma.lock");
    let line = |number: u32| format!("{} n{number} far/{number}.csv\n", Digest::of(&number.to_be_bytes()));
    let many: String = (0..55_000).map(line).collect();
    assert!(many.len() > 4 << 20);
    desk.write("stemma.lock", format!("{before}{hidden} hidden hidden.csv\n{many}"));
    desk.write("other.csv", "other\n");
    desk.ok(&["add", "other.csv"]);
    desk.write("stemma.lock", &before);
    // a file that was overwritten, and can be had again
    desk.write("data.csv", "precious");
    desk.ok(&["checkout", "--force", "data.csv"]);

    let serving = Serving::start(&desk);
    let elsewhere = Desk::new();
    for _ in 0..2 {
        let mut collect = elsewhere.command(&["gc", "--yes", "--grace", "0", "--server", &serving.address]);
        let done = Done::of(collect.env("STEMMA_TOKEN", owner.trim()).output().unwrap());
        assert_eq!(done.code, 0, "{done:#?}");
    }
    drop(serving);
    assert_eq!(store.missing(&[hidden, litter]), [litter]);
    desk.ok(&["undo"]);
    assert_eq!(desk.read("data.csv"), "precious");

    // a state that was lost stops the collection
    let journal = stemma_workspace::operations::Journal::read(&desk.work().join(".stemma")).unwrap();
    let state = journal.operations[1].before;
    store.purge(&[state], &mut || Ok(vec![]), std::time::SystemTime::now(), &mut |_| {}).unwrap();
    let (code, refused) = desk.fails(&["gc", "--yes", "--grace", "0"]);
    assert_eq!(code, 8, "{refused}");
    assert!(refused.contains(&format!("names {state}, which is not a lock")), "{refused}");
    assert!(store.contains(&hidden));
}

#[test]
fn content_that_was_purged_is_gone_for_good_and_says_why() {
    let desk = Desk::with_home();
    desk.write("people.csv", rows(40_000));
    desk.write("other.csv", rows(1000));
    desk.ok(&["add", "people.csv"]);
    desk.ok(&["add", "other.csv"]);
    let digest = Digest::of(rows(40_000).as_bytes()).to_string();
    let (code, _) = desk.fails(&["purge", "people@1", "--reason", " "]);
    assert_eq!(code, 2);

    let purged = desk.json(&["purge", "people@1", "--reason", "they asked to be forgotten"]);
    assert_eq!(purged["digest"], digest.as_str());
    assert_eq!(purged["named_by"][0], "people@1");
    assert_eq!(purged["complete"], true, "{purged}");
    assert!(purged["freed"].as_u64().unwrap() > 50_000, "{purged}");

    for asked in ["people@1", &digest] {
        let (code, gone) = desk.fails(&["get", asked, "-o", "again.csv"]);
        assert_eq!(code, 3);
        assert!(gone.contains("they asked to be forgotten") && gone.contains("ada@example.org"), "{gone}");
    }
    let again = desk.json(&["purge", &digest, "--reason", "once more"]);
    assert_eq!(again["reason"], "they asked to be forgotten", "the first reason stands");
    desk.ok(&["get", "other@1", "-o", "other-again.csv"]);
    desk.ok(&["audit", "verify"]);
}
