//! A ledger that is written down as text and comes back in another database.

use std::{fs, path::PathBuf};

use stemma_core::{Digest, ErrorKind, canonical, id::TokenId, name::ProjectName};
use stemma_ledger::{Ledger, LedgerAtRest, LedgerError, Secret, take_in};

use crate::{
    events::every_kind,
    suite::{on_every_database, ran},
    world::{World, actor, change, commit, kinds},
};

/// A ledger with rows in every table.
async fn filled(world: &World) -> Ledger {
    let ledger = world.open().await.unwrap();
    let mut commit_of_all = change(every_kind(0));
    commit_of_all.secret = Some(Secret::Token(TokenId::from_u128(0), [7; 32]));
    ledger.commit(commit_of_all).await.unwrap();
    let project = ProjectName::default_project();
    for n in 0..3 {
        let run = ran(n, Some(1), &[("a.csv", "x")], &[("model.onnx", "y")]);
        assert!(ledger.insert_run(&run, canonical::digest(&run).unwrap().0).await.unwrap());
    }
    let contents: Vec<(Digest, u64)> = (0..600u32).map(|n| (Digest::of(&n.to_be_bytes()), 4)).collect();
    ledger.grant_contents(&project, &contents).await.unwrap();
    ledger.withdraw_grants(&[contents[5].0]).await.unwrap();
    ledger.grant_contents(&project, &contents[5..6]).await.unwrap();
    ledger.withdraw_grants(&[contents[6].0]).await.unwrap();
    let packages: Vec<(String, String)> = (0..1100).map(|n| (format!("p{n}"), "1.0".to_owned())).collect();
    ledger.insert_packages(&project, Digest::of(b"environment"), &packages).await.unwrap();
    // as a home from before there was a feedback log has it
    let row = r#"(1, 'default', 'pred', '{"label":"é"}')"#;
    world.alter(&format!("INSERT INTO feedback (place, project, prediction, body) VALUES {row}")).await;
    ledger.seal_runs(&actor()).await.unwrap();
    ledger.seal_rows(&actor()).await.unwrap();
    ledger.checkpoint().await.unwrap();
    ledger
}

async fn transcript(world: &World, name: &str) -> PathBuf {
    let path = world.folder.path().join(name);
    let view = LedgerAtRest::open(&world.url()).await.unwrap();
    view.hold().await.unwrap().write(&path).await.unwrap();
    path
}

#[test]
fn a_ledger_comes_back_in_either_database_and_is_what_it_was() {
    on_every_database(async |world| {
        let ledger = filled(&world).await;
        let written = transcript(&world, "one").await;
        assert!(ledger.verify().await.passed);
        for kind in kinds() {
            let other = World::new(kind);
            let header = take_in(&other.url(), &written).await.unwrap();
            assert_eq!(header.events, ledger.head_seq());
            let back = LedgerAtRest::open(&other.url()).await.unwrap();
            let report = back.verify(world.folder.path(), "stemma.example/test").await;
            assert!(report.passed && report.first_bad.is_none(), "{kind:?}: {report:#?}");
            assert_eq!(report.events, ledger.head_seq());
            let again = transcript(&other, "two").await;
            assert!(fs::read(&written).unwrap() == fs::read(again).unwrap(), "{:?} to {kind:?}", world.kind);
            let kept = back.needed_content().await.unwrap();
            assert_eq!(kept, LedgerAtRest::open(&world.url()).await.unwrap().needed_content().await.unwrap());
        }
    });
}

#[test]
fn what_is_written_meanwhile_is_not_in_it() {
    on_every_database(async |world| {
        let ledger = filled(&world).await;
        let before = transcript(&world, "before").await;
        let view = LedgerAtRest::open(&world.url()).await.unwrap();
        let mut moment = view.hold().await.unwrap();
        let needed = moment.needed_content().await.unwrap();
        commit(&ledger, every_kind(1)[1..].to_vec()).await;
        let run = ran(7, Some(1), &[], &[("model.onnx", "z")]);
        assert!(ledger.insert_run(&run, canonical::digest(&run).unwrap().0).await.unwrap());
        let path = world.folder.path().join("meanwhile");
        moment.write(&path).await.unwrap();
        assert!(fs::read(before).unwrap() == fs::read(path).unwrap());
        assert_eq!(moment.needed_content().await.unwrap(), needed);
    });
}

#[test]
fn a_ledger_is_never_put_over_another_one() {
    on_every_database(async |world| {
        filled(&world).await.close().await;
        let written = transcript(&world, "one").await;
        // this very ledger, as after an attempt that was cut short behind it
        take_in(&world.url(), &written).await.unwrap();
        let ledger = world.open().await.unwrap();
        commit(&ledger, every_kind(1)[1..].to_vec()).await;
        ledger.close().await;
        let error = take_in(&world.url(), &written).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        assert!(error.to_string().contains("there is a ledger already, of the home "), "{error}");
    });
}

#[test]
fn a_damaged_transcript_leaves_nothing_and_can_be_tried_again() {
    on_every_database(async |world| {
        filled(&world).await;
        let whole = fs::read_to_string(transcript(&world, "one").await).unwrap();
        let bad = world.folder.path().join("bad");
        let lines: Vec<&str> = whole.lines().collect();
        let without = |number: usize| {
            lines
                .iter()
                .enumerate()
                .filter(|(at, _)| *at != number)
                .map(|(_, line)| format!("{line}\n"))
                .collect::<String>()
        };
        let body = lines.iter().position(|line| line.contains("event_body")).unwrap() + 2;
        let altered = whole.replacen("user0@example.org", "user9@example.org", 1);
        let swapped = whole.replacen(r#"{"table":{"name":"leaf""#, r#"{"table":{"name":"head""#, 1);
        let injected = whole.replacen(r#"["seq","entry","hash"]"#, r#"["seq","entry","hash) --"]"#, 1);
        let damaged = [
            String::new(),
            whole[..whole.len() / 2].to_owned(),
            whole[..whole.len() - 1].to_owned(),
            without(0),
            without(3),
            without(body),
            without(lines.len() - 1),
            without(lines.len() - 2),
            altered,
            swapped,
            injected,
        ];
        let other = World::new(world.kind);
        for (number, text) in damaged.iter().enumerate() {
            fs::write(&bad, text).unwrap();
            let error = take_in(&other.url(), &bad).await.unwrap_err();
            assert!(matches!(error, LedgerError::Damaged(_)), "{number}: {error}");
        }
        fs::write(&bad, whole.replacen("\"v\":1", "\"v\":9", 1)).unwrap();
        assert!(matches!(take_in(&other.url(), &bad).await, Err(LedgerError::UnknownTranscript(9))));
        fs::write(&bad, &whole).unwrap();
        take_in(&other.url(), &bad).await.unwrap();
        assert_eq!(LedgerAtRest::open(&other.url()).await.unwrap().size().await.unwrap(), {
            LedgerAtRest::open(&world.url()).await.unwrap().size().await.unwrap()
        });
    });
}

#[test]
fn a_ledger_of_an_earlier_program_is_not_written_down() {
    on_every_database(async |world| {
        filled(&world).await.close().await;
        world.alter("DELETE FROM migration WHERE number > 3").await;
        let view = LedgerAtRest::open(&world.url()).await.unwrap();
        let Err(error) = view.hold().await else { panic!("it was held") };
        assert!(matches!(error, LedgerError::Older { has: 3, .. }), "{error}");
    });
}
