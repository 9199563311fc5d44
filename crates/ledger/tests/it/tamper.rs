//! Rows altered by hand: verification names the first bad event.

use stemma_core::{
    event::Event,
    id::{RequestId, TokenId},
};
use stemma_ledger::{BadEvent, CheckpointState, Ledger};

use crate::{
    story::{STEPS, Story},
    world::{Kind, World, ada, commit, name, project_created},
};

/// A ledger in which every table has rows, whose last event only adds a project.
async fn full(world: &World) -> Ledger {
    let ledger = world.open().await;
    let token = TokenId::from_u128(1);
    let issued = Event::TokenIssued { token, principal: name("ada"), label: "first".to_owned(), expires: None };
    ledger
        .commit(&ada(), RequestId::generate(), move |tx| {
            tx.put_token_hash(token, [7; 32]);
            Box::pin(async move { Ok((vec![issued], ())) })
        })
        .await
        .unwrap();
    commit(&ledger, Story::whole()).await.unwrap();
    ledger
        .insert_run(&crate::telemetry::run("default", 1), crate::telemetry::run_digest("default", 1), &[])
        .await
        .unwrap();
    ledger.seal_runs(&ada()).await.unwrap();
    commit(&ledger, vec![project_created(1)]).await.unwrap();
    let report = ledger.verify().await.unwrap();
    assert!(report.passed(), "{report:?}");
    ledger
}

async fn bad(ledger: &Ledger) -> BadEvent {
    let report = ledger.verify().await.unwrap();
    report.first_bad.clone().unwrap_or_else(|| panic!("nothing was noticed: {report:?}"))
}

/// Every table with a column to alter and a value for it.
const ALTERATIONS: &[(&str, &str, &str)] = &[
    ("home", "home", "'x'"),
    ("project", "project", "'x'"),
    ("principal", "principal", "'eve@example.org'"),
    ("role_grant", "role", "'owner'"),
    ("token", "principal", "'eve@example.org'"),
    ("token", "expires", "9"),
    ("dataset_version", "size", "size + 1"),
    ("model", "model", "'x'"),
    ("model_policy", "policy", "'{}'"),
    ("model_version", "digest", "facts"),
    ("version_stage", "stage", "'x'"),
    ("model_alias", "number", "'9.9.9'"),
    ("evidence", "passed", "1 - passed"),
    ("approval", "reason", "'because'"),
    ("promotion", "approvals", "'[]'"),
    ("endpoint", "ordinal", "ordinal + 100"),
    ("revision", "revision", "'{}'"),
    ("revision_target", "version", "'9.9.9'"),
    ("log_part", "row_count", "0"),
    ("run_seal", "run_count", "2"),
];

on_both! {
    async fn an_altered_row_names_its_event(world) {
        let ledger = full(&world).await;
        for (table, column, value) in ALTERATIONS {
            // the first row by its event, put back afterwards
            let first = format!("from_seq = (SELECT MIN(from_seq) FROM {table})");
            world.by_hand(&format!("CREATE TABLE kept AS SELECT * FROM {table} WHERE {first}")).await;
            let seq = kept_seq(&ledger, table, &world).await;
            assert_eq!(world.by_hand(&format!("UPDATE {table} SET {column} = {value} WHERE {first}")).await, 1, "{table}");
            let found = bad(&ledger).await;
            assert_eq!(found.seq, seq, "{table}.{column}: {}", found.what);
            assert_eq!(found.what, format!("its row in table `{table}` was changed: `{column}`"));

            assert_eq!(world.by_hand(&format!("DELETE FROM {table} WHERE {first}")).await, 1);
            let found = bad(&ledger).await;
            assert_eq!((found.seq, found.what), (seq, format!("its row in table `{table}` is missing")));

            // under another number it is lost where it belongs
            world.by_hand(&format!("INSERT INTO {table} SELECT * FROM kept")).await;
            assert!(ledger.verify().await.unwrap().passed(), "{table}");
            world.by_hand(&format!("UPDATE {table} SET from_seq = from_seq + 500 WHERE {first}")).await;
            assert_eq!(bad(&ledger).await.seq, seq, "{table}");
            world.by_hand(&format!("UPDATE {table} SET from_seq = from_seq - 500 WHERE from_seq = {seq} + 500")).await;
            world.by_hand("DROP TABLE kept").await;
        }
        assert!(ledger.verify().await.unwrap().passed());
    }

    async fn an_added_row_names_the_event_that_did_not_make_it(world) {
        let ledger = full(&world).await;
        let size = ledger.head_seq();
        let added = [
            ("role_grant", "INSERT INTO role_grant (principal, role, from_seq) VALUES ('eve', 'owner', 1)"),
            ("model_alias", "INSERT INTO model_alias (project, model, alias, number, from_seq) VALUES ('p', 'm', 'a', '1.0.0', 1)"),
            ("principal", "INSERT INTO principal (principal, from_seq) VALUES ('eve', 1)"),
        ];
        for (table, sql) in added {
            world.by_hand(sql).await;
            let found = bad(&ledger).await;
            assert_eq!((found.seq, found.what), (1, format!("table `{table}` has a row that it did not make")));
            world.by_hand(&format!("DELETE FROM {table} WHERE from_seq = 1")).await;
        }
        for seq in [0, 5000] {
            world.by_hand(&format!("INSERT INTO project (project, from_seq) VALUES ('eve', {seq})")).await;
            let found = bad(&ledger).await;
            assert_eq!(found.seq, size);
            assert_eq!(found.what, format!("table `project` has a row that says it was made by event {seq}"));
            world.by_hand(&format!("DELETE FROM project WHERE from_seq = {seq}")).await;
        }
        assert!(ledger.verify().await.unwrap().passed());
    }

    async fn an_ended_row_names_its_event(world) {
        let ledger = full(&world).await;
        world.by_hand("CREATE TABLE kept AS SELECT * FROM role_grant WHERE to_seq IS NULL").await;
        let seq = kept_seq(&ledger, "role_grant", &world).await;
        world.by_hand(&format!("UPDATE role_grant SET to_seq = {seq} + 1 WHERE from_seq = {seq}")).await;
        let found = bad(&ledger).await;
        assert_eq!((found.seq, found.what.as_str()), (seq, "its row in table `role_grant` was changed: `to_seq`"));
    }

    async fn an_altered_event_is_named(world) {
        let ledger = full(&world).await;
        let alterations = [
            ("UPDATE event SET actor = 'eve' WHERE seq = 5", "`actor` in its row is not the one in its leaf"),
            ("UPDATE event SET time = time - 1 WHERE seq = 5", "`time` in its row is not the one in its leaf"),
            ("UPDATE event SET subject = 'eve' WHERE seq = 5", "`subject` in its row is not the one in its leaf"),
            ("UPDATE event SET leaf = 'x' WHERE seq = 5", "its leaf is damaged"),
            ("UPDATE event SET leaf = leaf || ' ' WHERE seq = 5", "its leaf is not in canonical form"),
            ("UPDATE event SET leaf = REPLACE(leaf, 'ada@', 'eve@'), actor = REPLACE(actor, 'ada@', 'eve@') WHERE seq = 5",
                "its leaf is not the one in the tree"),
            ("UPDATE event_body SET body = 'x' WHERE seq = 5",
                "its body is not an event"),
            ("UPDATE event_body SET body = body || ' ' WHERE seq = 5", "its body was altered"),
            ("UPDATE event_body SET salt = (SELECT salt FROM event_body WHERE seq = 6) WHERE seq = 5",
                "its body was altered"),
            ("DELETE FROM event_body WHERE seq = 5", "its body is missing"),
            ("DELETE FROM event WHERE seq = 5", "it is missing"),
            ("UPDATE event SET seq = -5 WHERE seq = 5", "there is an event with the number -5"),
            ("DELETE FROM tree_hash WHERE level = 0 AND idx = 4", "its leaf is not the one in the tree"),
            ("UPDATE tree_hash SET hash = (SELECT hash FROM tree_hash WHERE level = 0 AND idx = 3) WHERE level = 0 AND idx = 4",
                "its leaf is not the one in the tree"),
        ];
        for table in ["event", "event_body", "tree_hash"] {
            world.by_hand(&format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}")).await;
        }
        for (sql, what) in alterations {
            assert_eq!(world.by_hand(sql).await, 1, "{sql}");
            let found = bad(&ledger).await;
            assert!(found.what.starts_with(what), "{sql}: {}", found.what);
            assert_eq!(found.seq, if sql.contains("-5") { 1 } else { 5 }, "{sql}");
            for table in ["event", "event_body", "tree_hash"] {
                world.by_hand(&format!("DELETE FROM {table}")).await;
                world.by_hand(&format!("INSERT INTO {table} SELECT * FROM kept_{table}")).await;
            }
        }
        assert!(ledger.verify().await.unwrap().passed());
    }

    async fn a_moved_event_is_named(world) {
        let ledger = full(&world).await;
        world.by_hand("UPDATE event SET seq = 7000 WHERE seq = 5; UPDATE event SET seq = 5 WHERE seq = 6;
            UPDATE event SET seq = 6 WHERE seq = 7000").await;
        assert_eq!(bad(&ledger).await.seq, 5);
    }

    async fn altered_inner_hashes_name_the_event_that_completed_them(world) {
        let ledger = full(&world).await;
        world.by_hand("UPDATE tree_hash SET hash = (SELECT hash FROM tree_hash WHERE level = 0 AND idx = 0)
            WHERE level = 2 AND idx = 1").await;
        let found = bad(&ledger).await;
        assert_eq!((found.seq, found.what.as_str()), (8, "the tree hash 1 of level 2 is not that of its leaves"));
    }

    async fn an_altered_head_names_the_last_event(world) {
        let ledger = full(&world).await;
        let size = ledger.head_seq();
        let leaf = "(SELECT hash FROM tree_hash WHERE level = 0 AND idx = 0)";
        let alterations = [
            ("UPDATE ledger_head SET size = size - 1".to_owned(), size, "it is beyond the head of"),
            ("UPDATE ledger_head SET size = size + 1".to_owned(), size + 1, "it is missing: the head has"),
            (format!("UPDATE ledger_head SET root = {leaf}"), size, "the head of the ledger is not"),
            (format!("UPDATE ledger_head SET frontier = {leaf}"), size, "the head of the ledger is not"),
            ("UPDATE ledger_head SET time = time + 1".to_owned(), size, "the head of the ledger is not"),
            ("DELETE FROM ledger_head".to_owned(), size, "the head of the ledger is missing"),
        ];
        world.by_hand("CREATE TABLE kept AS SELECT * FROM ledger_head").await;
        for (sql, seq, what) in alterations {
            assert_eq!(world.by_hand(&sql).await, 1, "{sql}");
            let found = bad(&ledger).await;
            assert!(found.seq == seq && found.what.starts_with(what), "{sql}: {found:?}");
            world.by_hand("DELETE FROM ledger_head; INSERT INTO ledger_head SELECT * FROM kept").await;
        }
        assert!(ledger.verify().await.unwrap().passed());
    }

    async fn what_no_event_made_is_noticed(world) {
        let ledger = full(&world).await;
        let size = ledger.head_seq();
        let (salt, token) = match world.kind {
            Kind::Sqlite => ("zeroblob(32)", "X'01'"),
            Kind::Postgres => ("'\\x00'", "'\\x01'"),
        };
        let added = [
            (format!("INSERT INTO event_body (seq, salt, body) VALUES (5000, {salt}, '')"), "DELETE FROM event_body WHERE seq = 5000"),
            (format!("INSERT INTO tree_hash (level, idx, hash) VALUES (0, 5000, {salt})"), "DELETE FROM tree_hash WHERE idx = 5000"),
            (format!("INSERT INTO tree_hash (level, idx, hash) VALUES (40, 0, {salt})"), "DELETE FROM tree_hash WHERE level = 40"),
            (format!("INSERT INTO token_hash (token, hash) VALUES ('eve', {token})"), "DELETE FROM token_hash WHERE token = 'eve'"),
        ];
        for (sql, undo) in added {
            assert_eq!(world.by_hand(&sql).await, 1);
            assert_eq!(bad(&ledger).await.seq, size, "{sql}");
            world.by_hand(undo).await;
        }
        assert!(ledger.verify().await.unwrap().passed());
    }

    async fn a_replaced_token_hash_names_the_event_that_issued_it(world) {
        let ledger = full(&world).await;
        let token = TokenId::from_u128(1);
        let other = match world.kind {
            Kind::Sqlite => "zeroblob(32)",
            Kind::Postgres => "decode(repeat('00', 32), 'hex')",
        };
        assert_eq!(world.by_hand(&format!("UPDATE token_hash SET hash = {other} WHERE token = '{token}'")).await, 1);
        let found = bad(&ledger).await;
        assert_eq!((found.seq, found.what.as_str()), (1, "its body or the hash of its token was altered"));
        world.by_hand("DELETE FROM token_hash").await;
        assert_eq!(bad(&ledger).await.seq, 1);
    }

    async fn an_altered_run_names_its_seal(world) {
        let ledger = full(&world).await;
        let seal = ledger.head_seq() - 1;
        world.by_hand("UPDATE run SET record = REPLACE(record, 'train.py', 'trojan.py')").await;
        let found = bad(&ledger).await;
        assert!(found.seq == seal && found.what.contains("the record of run"), "{found:?}");
        world.by_hand("DELETE FROM run_param; DELETE FROM run_metric; DELETE FROM run_file; DELETE FROM run").await;
        let found = bad(&ledger).await;
        assert!(found.seq == seal && found.what.contains("runs 1..=1"), "{found:?}");
    }

    async fn a_history_rewritten_whole_is_caught_by_the_signed_head(world) {
        let ledger = world.open().await;
        commit(&ledger, vec![project_created(1), project_created(2)]).await.unwrap();
        let signed = ledger.checkpoint().await.unwrap();
        assert_eq!(ledger.verify().await.unwrap().checkpoint, CheckpointState::Consistent { size: 2 });
        ledger.close().await;

        // another history with no mistake in it, of the same length
        let other = World::new(world.kind);
        let ledger = other.open().await;
        commit(&ledger, vec![project_created(1), project_created(3)]).await.unwrap();
        assert_eq!(ledger.verify().await.unwrap().checkpoint, CheckpointState::Unsigned);
        ledger.close().await;
        std::fs::copy(world.checkpoints().join("ledger.key"), other.checkpoints().join("ledger.key")).unwrap();
        std::fs::write(other.checkpoints().join("checkpoint"), &signed.note).unwrap();
        let audit = Ledger::open_for_audit(other.options()).await.unwrap();
        let report = audit.verify().await.unwrap();
        assert_eq!(report.checkpoint, CheckpointState::Inconsistent { size: 2 });
        assert_eq!(report.first_bad.unwrap().seq, 2);
    }
}

/// The event of the first row of a table, found in the copy of that row.
async fn kept_seq(ledger: &Ledger, table: &str, world: &World) -> u64 {
    for seq in 1..=ledger.head_seq() {
        let sql = format!("UPDATE kept SET from_seq = from_seq WHERE from_seq = {seq}");
        if world.by_hand(&sql).await > 0 {
            return seq;
        }
    }
    panic!("table {table} has no row");
}

#[test]
fn every_step_of_a_story_is_told() {
    let mut story = Story::default();
    let told = (0..3).flat_map(|pick| (0..STEPS).map(move |step| (step, pick)));
    assert!(told.filter_map(|(step, pick)| story.next(step, pick)).count() > 30);
}
