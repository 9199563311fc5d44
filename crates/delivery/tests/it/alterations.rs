//! Somebody with the database at hand: whatever they alter of a home with a real story, the audit names it.

use std::{fs, path::Path};

use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection};
use stemma_api::types::{
    CloseRequest, CommentOnRequest, Describe, IssueToken, LiftQuarantine, Purge, RequestPromotion, RotateToken,
    SendFeedback, SetPassword, SetQuarantine,
};
use stemma_core::{
    Digest,
    audit::Verdict,
    event::{Event, RequestOutcome},
    id::RequestId,
    meaning::Said,
    policy::Stage,
    rights::{Denial, Edition, Role, TokenScope},
};
use stemma_delivery::audit_home;
use stemma_engine::Layout;

use crate::{
    serving::{ask, deployed},
    world::{World, project, sample},
};

/// Alterations that change nothing anybody is told: (table, column, how), with the reason.
const HARMLESS: [(&str, &str, &str, &str); 5] = [
    ("edge", "target", "exchanged", "both runs ran the same code: exchanged, they are the same two edges"),
    (
        "contract_field",
        "name",
        "exchanged",
        "two fields of one contract that differ in nothing else: the same two rows",
    ),
    ("search_fact", "text", "exchanged", "two facts of one thing that differ in nothing else: the same two rows"),
    ("search_run_fact", "text", "exchanged", "two facts of one run that differ in nothing else: the same two rows"),
    ("search_run_fact", "id", "exchanged", "both runs have the same fact: exchanged, they are the same two rows"),
];

/// Builds an index anew as if it left out the first run.
const WITHOUT_AN_ENTRY: &str = "PRAGMA writable_schema = ON;;\
    UPDATE sqlite_master SET sql = 'CREATE UNIQUE INDEX run_by_id ON run (run) WHERE place > 1' WHERE name = 'run_by_id';;\
    PRAGMA writable_schema = RESET;;REINDEX run_by_id;;PRAGMA writable_schema = ON;;\
    UPDATE sqlite_master SET sql = 'CREATE UNIQUE INDEX run_by_id ON run (run)' WHERE name = 'run_by_id';;\
    PRAGMA writable_schema = RESET";

/// A home in which every table has rows, closed.
async fn story() -> tempfile::TempDir {
    let world = deployed().await;
    for owner in ["risk", "credit board"] {
        let said = Said { owner: Some(owner.into()), ..Said::default() };
        let describe = Describe { of: "model:score".into(), said };
        world.engine().describe(&world.owner, RequestId::generate(), &project(), describe).await.unwrap();
    }
    decide_on_people(&world).await;
    decide_on_versions(&world).await;
    let packages = r#"{"packages": [{"name": "numpy", "version": "2.1.0"}, {"name": "pandas", "version": "2.2.3"}]}"#;
    let environment = world.upload(packages).await.digest;
    let (more, model) =
        (world.add_dataset("more", world.csv(700..720)).await, world.upload(sample("table_logistic")).await);
    world.record_run_in(environment, &[("data/more.csv", more)], model.digest).await;
    let first = ask(&world.delivery, 30.0).await;
    for reward in [1.0, 2.0] {
        let label = (reward == 1.0).then(|| world.classes[0].clone());
        let send = SendFeedback {
            label,
            reward: Some(reward),
            correction: (reward == 2.0).then(|| "a typo".into()),
            ..SendFeedback::default()
        };
        world.delivery.feedback(&world.owner, &first, send).await.unwrap();
    }
    add_early_feedback(&world.home().join("ledger.db"), &first.to_string()).await;
    world.delivery.rotate_predictions().await.unwrap();
    assert_eq!(world.delivery.seal_predictions().await.unwrap(), 1);
    world.delivery.rotate_feedback().await.unwrap();
    assert_eq!(world.delivery.seal_feedback().await.unwrap(), 1);
    let secret = world.upload("secret,1\n").await.digest;
    world.delivery.close().await;
    let World { folder, delivery, owner, .. } = world;
    drop(delivery);
    // another process: what was promised to uploads of the first is over
    let clock = std::sync::Arc::new(stemma_core::SystemClock);
    let delivery = stemma_delivery::Delivery::open(&folder.path().join("home"), clock).await.unwrap();
    let purge = Purge { content: secret.to_string(), reason: "personal".into(), force: false };
    delivery.engine().purge(&owner, RequestId::generate(), &project(), purge).await.unwrap();
    ask(&delivery, 41.0).await;
    let last = ask(&delivery, 52.0).await;
    for key in ["a", "b"] {
        let send = SendFeedback { reward: Some(1.0), key: Some(key.to_owned()), ..SendFeedback::default() };
        delivery.feedback(&owner, &last, send).await.unwrap();
    }
    delivery.close().await;
    drop(delivery);
    folder
}

/// Roles of before and of now, denials, narrow tokens, closed projects.
async fn decide_on_people(world: &World) {
    let (engine, owner, once) = (world.engine(), &world.owner, RequestId::generate);
    let reviewer = world.reviewer.actor.principal.clone();
    let granted = Event::RoleGranted {
        principal: reviewer.clone(),
        project: None,
        role: Role::Operator,
        endpoint: None,
        edition: Edition::First,
    };
    let before = [granted];
    engine.change(owner, once(), || async { Ok(before.to_vec()) }).await.unwrap();
    let denial = Denial { principal: reviewer.clone(), what: "deploy".parse().unwrap(), project: None };
    engine.deny(owner, once(), denial).await.unwrap();
    let scope = TokenScope { projects: Some([project()].into()), ..TokenScope::default() };
    let issue = IssueToken { principal: reviewer, label: "narrow".into(), expires_days: Some(9), scope };
    let token = engine.issue(owner, once(), issue).await.unwrap().token_id;
    engine.rotate(owner, once(), RotateToken { token, grace_hours: Some(1) }).await.unwrap();
    let password = SetPassword { principal: owner.actor.principal.clone(), password: "correct horse battery".into() };
    engine.set_password(owner, once(), password).await.unwrap();
    let shop = "shop".parse().unwrap();
    engine.create_project(owner, once(), &shop).await.unwrap();
    engine.close_project(owner, once(), &shop, "it moved").await.unwrap();
}

/// A request with a comment that was withdrawn, and a version that was kept back for a while.
async fn decide_on_versions(world: &World) {
    let (engine, owner, once) = (world.engine(), &world.owner, RequestId::generate);
    let version = (&world.model, "1.0.0");
    let ask = RequestPromotion { stage: Stage::Staging, comment: "please".into() };
    let asked = engine.request_promotion(owner, once(), &project(), version, ask).await.unwrap();
    let comment = CommentOnRequest { comment: "not today".into() };
    engine.comment_on_request(owner, once(), &project(), asked.request, comment).await.unwrap();
    let withdrawn = (asked.request, RequestOutcome::Withdrawn);
    engine.close_request(owner, once(), &project(), withdrawn, CloseRequest { reason: "no".into() }).await.unwrap();
    let set = SetQuarantine { reason: "it is looked into".into(), pull: false };
    world.delivery.quarantine(owner, once(), &project(), version, set).await.unwrap();
    let lift = LiftQuarantine { reason: "nothing was found".into() };
    world.delivery.lift_quarantine(owner, once(), &project(), version, lift).await.unwrap();
}

/// What a home from before there was a feedback log has.
async fn add_early_feedback(database: &Path, prediction: &str) {
    let mut connection = connect(database).await;
    for place in [1, 2] {
        let body =
            format!(r#"{{"label":null,"reward":null,"comment":"called","time":{place},"from":"olga@bank.example"}}"#);
        let sql = format!("INSERT INTO feedback VALUES ({place}, 'default', '{prediction}', '{body}')");
        sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

/// The home's database, put back before each alteration.
struct Database<'a> {
    path: &'a Path,
    sound: Vec<u8>,
}

impl Database<'_> {
    async fn alter(&self, sql: &str) -> Result<u64, sqlx::Error> {
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{suffix}", self.path.display()));
        }
        fs::write(self.path, &self.sound).unwrap();
        let mut connection = connect(self.path).await;
        let mut changed = 0;
        for statement in sql.split(";;") {
            changed += sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await?.rows_affected();
        }
        connection.close().await.unwrap();
        Ok(changed)
    }
}

async fn connect(path: &Path) -> SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).foreign_keys(false);
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// Tables with their columns.
async fn tables(path: &Path) -> Vec<(String, Vec<String>)> {
    let mut connection = connect(path).await;
    let sql = "SELECT m.name, p.name FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' ORDER BY m.name, p.cid";
    let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
    let mut tables: Vec<(String, Vec<String>)> = Vec::new();
    for row in rows {
        let (table, column): (String, String) = (row.get(0), row.get(1));
        match tables.last_mut().filter(|(last, _)| *last == table) {
            Some((_, columns)) => columns.push(column),
            None => tables.push((table, vec![column])),
        }
    }
    tables
}

/// What is tried on a column: how it is called, and the statements.
fn on_column(table: &str, column: &str) -> Vec<(&'static str, String)> {
    let row = if table == "content_grant" { "digest" } else { "rowid" };
    let first = format!("(SELECT MIN({row}) FROM {table})");
    let other = format!(
        "(SELECT MIN({row}) FROM {table} WHERE {column} IS NOT (SELECT {column} FROM {table} WHERE {row} = {first}))"
    );
    let set = |to: &str, at: &str| format!("UPDATE {table} SET {column} = {to} WHERE {row} = {at}");
    let grown = format!(
        "CASE typeof({column}) WHEN 'integer' THEN {column} + 1 WHEN 'null' THEN 1 \
         WHEN 'blob' THEN CAST({column} || x'01' AS BLOB) ELSE {column} || 'x' END"
    );
    let keep = format!(
        "CREATE TEMP TABLE kept AS SELECT a.{column} AS one, b.{column} AS two, a.{row} AS at, b.{row} AS there FROM {table} a, {table} b \
         WHERE a.{row} = {first} AND b.{row} = {other}"
    );
    let exchange = [
        keep,
        format!(
            "UPDATE {table} SET {column} = CASE typeof({column}) WHEN 'integer' THEN -99 ELSE 'between' END WHERE {row} = (SELECT at FROM kept)"
        ),
        format!("UPDATE {table} SET {column} = (SELECT one FROM kept) WHERE {row} = (SELECT there FROM kept)"),
        format!("UPDATE {table} SET {column} = (SELECT two FROM kept) WHERE {row} = (SELECT at FROM kept)"),
    ];
    let mut tried = vec![
        ("altered", set(&grown, &first)),
        ("with a blank", format!("{} AND typeof({column}) = 'text'", set(&format!("{column} || ' '"), &first))),
    ];
    // a key that others are found by can't be exchanged by itself
    if column != row {
        tried.push(("exchanged", exchange.join(";;")));
    }
    tried
}

#[tokio::test(flavor = "multi_thread")]
async fn t44_whatever_is_altered_in_any_table_is_named() {
    let folder = story().await;
    let home = folder.path().join("home");
    let path = home.join("ledger.db");
    let sound = audit_home(&Layout::new(&home)).await;
    assert_eq!(sound.verdict, Verdict::Passed, "{sound:#?}");
    let database = Database { path: &path, sound: fs::read(&path).unwrap() };
    let mut unnoticed = Vec::new();
    for (table, columns) in tables(&path).await {
        let row = if table == "content_grant" { "digest" } else { "rowid" };
        let names = columns.join(", ");
        let mut tried = vec![
            (String::new(), "removed", format!("DELETE FROM {table} WHERE {row} = (SELECT MIN({row}) FROM {table})")),
            (String::new(), "all removed", format!("DELETE FROM {table}")),
            (String::new(), "doubled", format!("INSERT INTO {table} ({names}) SELECT {names} FROM {table} LIMIT 1")),
        ];
        for column in &columns {
            tried.extend(on_column(&table, column).into_iter().map(|(how, sql)| (column.clone(), how, sql)));
            let others: Vec<String> = columns
                .iter()
                .map(|name| {
                    if name == column {
                        format!("CASE typeof({name}) WHEN 'integer' THEN {name} + 1000 ELSE {name} || '1' END")
                    } else {
                        name.clone()
                    }
                })
                .collect();
            let insert = format!("INSERT INTO {table} ({names}) SELECT {} FROM {table} LIMIT 1", others.join(", "));
            tried.push((column.clone(), "inserted", insert));
        }
        let mut done = 0;
        for (column, how, sql) in tried {
            // a key may forbid it
            let Ok(1..) = database.alter(&sql).await else { continue };
            done += 1;
            let is_harmless =
                HARMLESS.iter().any(|(t, c, h, _)| (*t, *c, *h) == (table.as_str(), column.as_str(), how));
            if audit_home(&Layout::new(&home)).await.passed != is_harmless {
                unnoticed.push(format!("{table}.{column} {how}: {sql}"));
            }
        }
        assert!(done > 2, "table `{table}` has no rows in this story: add some");
    }
    assert_eq!(unnoticed, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_opened_is_told_and_what_is_around_it() {
    let folder = story().await;
    let home = folder.path().join("home");
    let path = home.join("ledger.db");
    let database = Database { path: &path, sound: fs::read(&path).unwrap() };
    let failed = async |name: &str, what: &str| {
        let report = audit_home(&Layout::new(&home)).await;
        assert!(!report.passed, "{what}");
        let check = report.check(name).unwrap_or_else(|| panic!("{what}: {report:#?}"));
        assert!(check.faults.iter().any(|fault| fault.what.contains(what)), "{what}: {check:#?}");
    };
    for (sql, name, what) in [
        ("DROP INDEX run_by_id", "schema", "run_by_id"),
        ("CREATE TRIGGER quiet AFTER INSERT ON leaf BEGIN DELETE FROM approval; END", "schema", "quiet"),
        ("CREATE VIEW other AS SELECT 1", "schema", "other"),
        (WITHOUT_AN_ENTRY, "database", "missing from index run_by_id"),
        ("INSERT INTO content_grant VALUES ('p2', 'b3:00', 9)", "content grants", "nothing that was sealed lets it"),
        ("DELETE FROM held_role", "tables", "held_role"),
    ] {
        database.alter(sql).await.unwrap();
        failed(name, what).await;
    }
    for (bytes, what) in
        [(Vec::new(), "is empty"), (b"no database at all, whatever it says".repeat(200), "not a database")]
    {
        database.alter("SELECT 1").await.unwrap();
        fs::write(&path, bytes).unwrap();
        failed("ledger", what).await;
    }
    let mut torn = database.sound.clone();
    // not where the tables are named: then nothing can be read at all
    let place = torn.len() / 4 * 3;
    torn[place..place + 8192].fill(0xee);
    fs::write(&path, torn).unwrap();
    failed("database", "").await;
    fs::remove_file(&path).unwrap();
    failed("ledger", "No such file").await;

    database.alter("SELECT 1").await.unwrap();
    assert!(audit_home(&Layout::new(&home)).await.passed);
    let altered = |name: &str, bytes: Option<&[u8]>| {
        let path = home.join(name);
        let kept = fs::read(&path).unwrap();
        match bytes {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        move || fs::write(&path, kept).unwrap()
    };
    let put_back = altered("prediction.key", Some(&[7; 32]));
    failed("predictions", "not the key").await;
    put_back();
    let put_back = altered("prediction.key", None);
    failed("predictions", "bring it back").await;
    put_back();
    let put_back = altered("home.json", Some(b"{"));
    failed("home", "is damaged").await;
    put_back();
    let put_back = altered("home.json", None);
    failed("home", "missing").await;
    put_back();
    let put_back = altered("checkpoints/last.checkpoint", None);
    failed("signed head", "was removed").await;
    put_back();
    let content = home.join("content");
    fs::rename(&content, home.join("elsewhere")).unwrap();
    failed("packages", "").await;
    fs::rename(home.join("elsewhere"), content).unwrap();
    assert_eq!(audit_home(&Layout::new(&home)).await.verdict, Verdict::Passed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_and_is_gone_from_the_open_log_is_noticed() {
    let folder = story().await;
    let home = folder.path().join("home");
    let (segment, sound) = open_segment(&home, "predictions");
    let record = damage_is_noticed(&home, "predictions", &segment, &sound).await;

    // what opening makes of a cut segment does not hide the cut
    fs::write(&segment, &sound[..record - 40]).unwrap();
    let clock = std::sync::Arc::new(stemma_core::SystemClock);
    let delivery = stemma_delivery::Delivery::open(&home, clock).await.unwrap();
    delivery.seal_predictions().await.unwrap();
    delivery.close().await;
    drop(delivery);
    let fault = first_fault(&home, "predictions").await;
    assert!(fault.contains("only 1 were sealed"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn feedback_that_was_told_and_is_gone_from_its_log_is_noticed() {
    let folder = story().await;
    let home = folder.path().join("home");
    let (segment, sound) = open_segment(&home, "feedback");
    let record = damage_is_noticed(&home, "feedback log", &segment, &sound).await;

    fs::write(&segment, &sound[..record - 40]).unwrap();
    let clock = std::sync::Arc::new(stemma_core::SystemClock);
    let delivery = stemma_delivery::Delivery::open(&home, clock).await.unwrap();
    delivery.seal_feedback().await.unwrap();
    delivery.close().await;
    drop(delivery);
    let fault = first_fault(&home, "feedback log").await;
    assert!(fault.contains("only 1 were sealed"), "{fault}");
}

/// The one segment of a log that holds two records and is not sealed, and its bytes.
fn open_segment(home: &Path, log: &str) -> (std::path::PathBuf, Vec<u8>) {
    let mut files = fs::read_dir(home.join(log)).unwrap().map(|entry| entry.unwrap().path());
    let segment = files.find(|path| path.extension().is_some_and(|end| end == "seg")).unwrap();
    let sound = fs::read(&segment).unwrap();
    (segment, sound)
}

async fn first_fault(home: &Path, check: &str) -> String {
    let report = audit_home(&Layout::new(home)).await;
    let check = report.check(check).unwrap();
    check.faults.first().map(|fault| fault.what.clone()).unwrap_or_default()
}

/// Cuts, flips and removes a segment; returns where its mark of the end lies.
async fn damage_is_noticed(home: &Path, check: &str, segment: &Path, sound: &[u8]) -> usize {
    let fault = async || first_fault(home, check).await;
    assert_eq!(fault().await, "");
    let record = sound.windows(4).rposition(|four| four == b"\xffSF\xfe").unwrap();
    for cut in [sound.len() - 1, record, record - 1, sound.len() / 2, 32, 0] {
        fs::write(segment, &sound[..cut]).unwrap();
        let told = fault().await;
        // the mark of the end alone is no record
        assert_eq!(told.contains("it was cut"), cut < record, "cut at {cut}: {told}");
    }
    for at in [40, sound.len() / 2, record - 3] {
        let mut flipped = sound.to_vec();
        flipped[at] ^= 1;
        fs::write(segment, flipped).unwrap();
        assert!(!fault().await.is_empty(), "flipped at {at}");
    }
    fs::remove_file(segment).unwrap();
    assert!(fault().await.contains("it is missing, and 2 records"), "{}", fault().await);
    fs::write(segment, sound).unwrap();
    assert_eq!(fault().await, "");
    record
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_facts_need_is_named_with_who_needs_it() {
    let folder = story().await;
    let home = folder.path().join("home");
    let needs = stemma_delivery::home_needs(&Layout::new(&home)).await.unwrap();
    assert_eq!((needs.predictions.verdict, needs.feedback.verdict), (Verdict::Passed, Verdict::Passed));
    let all: Vec<String> = needs.content.values().flatten().cloned().collect();
    for who in [
        "score@1.0.0",
        "train@1",
        "test@1",
        "revision decision#1",
        "1 sealed predictions of decision",
        "2 sealed feedbacks on decision",
    ] {
        assert!(all.iter().any(|by| by == who), "{who} is not in {all:#?}");
    }
    for begins in ["the record of run ", "the environment of run ", "evidence "] {
        assert!(all.iter().any(|by| by.starts_with(begins)), "{begins} is not in {all:#?}");
    }
    // what was purged is needed no more, and all else is here
    assert!(!needs.content.contains_key(&Digest::of(b"secret,1\n")));
    let store = stemma_store::Store::open(&home.join("content")).unwrap();
    let absent: Vec<_> = needs.content.iter().filter(|(digest, _)| !store.contains(digest)).collect();
    assert_eq!(absent, []);
}
