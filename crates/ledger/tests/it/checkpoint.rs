//! Signed heads, and what they catch.

use std::{fs, os::unix::fs::PermissionsExt as _};

use data_encoding::BASE64;
use stemma_core::ErrorKind;
use stemma_ledger::{Checkpoint, LedgerError, TreeHash, VerifierKey, verify_inclusion};

use crate::world::{Kind, commit, project_created};

on_both! {
    async fn a_checkpoint_is_verified_with_its_key_alone(world) {
        let ledger = world.open().await;
        commit(&ledger, vec![project_created(1), project_created(2)]).await.unwrap();
        let signed = ledger.checkpoint().await.unwrap();
        let key: VerifierKey = signed.key.parse().unwrap();
        let opened = Checkpoint::open(&signed.note, &key).unwrap();
        assert_eq!((opened.size, opened.origin.as_str()), (2, "stemma.example/audit"));
        assert_eq!(opened.root, ledger.head().await.unwrap().root());
        assert_eq!(ledger.checkpoint().await.unwrap(), signed);
        assert_eq!(ledger.last_checkpoint().unwrap(), Some(signed));
    }

    async fn key_and_checkpoint_are_for_their_owner_only(world) {
        let ledger = world.open().await;
        ledger.checkpoint().await.unwrap();
        for file in ["ledger.key", "checkpoint"] {
            let mode = fs::metadata(world.checkpoints().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        assert_eq!(fs::metadata(world.checkpoints()).unwrap().permissions().mode() & 0o777, 0o700);
        if world.kind == Kind::Sqlite {
            for file in ["ledger.db", "ledger.db-wal"] {
                let mode = fs::metadata(world.folder.path().join(file)).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600, "{file}");
            }
        }
    }

    async fn the_key_stays_the_same(world) {
        let first = world.open().await.checkpoint().await.unwrap();
        let second = world.open().await.checkpoint().await.unwrap();
        assert_eq!(first, second);
        fs::remove_file(world.checkpoints().join("ledger.key")).unwrap();
        let error = world.try_open().await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("missing"), "{error}");
    }

    async fn a_proof_is_checked_without_the_ledger(world) {
        let ledger = world.open().await;
        commit(&ledger, (0..11).map(project_created).collect()).await.unwrap();
        let proof = ledger.prove(4).await.unwrap();
        let (hashes, note) = proof.split_once("\n\n").unwrap();
        let lines: Vec<&str> = hashes.lines().collect();
        assert_eq!(lines[..2], ["c2sp.org/tlog-proof@v1", "index 3"]);
        let hashes: Vec<TreeHash> =
            lines[2..].iter().map(|line| TreeHash(BASE64.decode(line.as_bytes()).unwrap().try_into().unwrap())).collect();
        let key = ledger.last_checkpoint().unwrap().unwrap().key.parse().unwrap();
        let checkpoint = Checkpoint::open(note, &key).unwrap();
        let leaf = ledger.leaf(4).await.unwrap().unwrap();
        let checked = verify_inclusion(TreeHash::leaf(leaf.as_bytes()), 3, checkpoint.size, &hashes, checkpoint.root);
        assert_eq!(checked, Ok(()));
        assert!(ledger.prove(12).await.is_err());
    }

    async fn a_rewritten_history_is_not_signed_and_not_opened(world) {
        let ledger = world.open().await;
        commit(&ledger, (0..5).map(project_created).collect()).await.unwrap();
        ledger.checkpoint().await.unwrap();
        commit(&ledger, vec![project_created(9)]).await.unwrap();
        // the subtree over the first four events, which the signed head was made of
        let zeros = match world.kind {
            Kind::Sqlite => "zeroblob(32)",
            Kind::Postgres => "decode(repeat('00', 32), 'hex')",
        };
        world.by_hand(&format!("UPDATE tree_hash SET hash = {zeros} WHERE level = 2")).await;
        assert!(matches!(ledger.checkpoint().await, Err(LedgerError::Rewritten { signed: 5 })));
        ledger.close().await;
        let error = world.try_open().await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Corrupt);

        let audit = stemma_ledger::Ledger::open_for_audit(world.options()).await.unwrap();
        assert_eq!(audit.verify().await.unwrap().first_bad.unwrap().seq, 4);
        assert!(commit(&audit, vec![project_created(10)]).await.is_err());
    }

    async fn an_audit_changes_nothing(world) {
        let ledger = world.open().await;
        commit(&ledger, vec![project_created(1)]).await.unwrap();
        ledger.close().await;
        world.by_hand("DELETE FROM ledger_head").await;
        assert!(world.try_open().await.is_err());
        let audit = stemma_ledger::Ledger::open_for_audit(world.options()).await.unwrap();
        let bad = audit.verify().await.unwrap().first_bad.unwrap();
        assert_eq!((bad.seq, bad.what.as_str()), (1, "the head of the ledger is missing"));
        assert_eq!(world.by_hand("DELETE FROM ledger_head").await, 0);

        let nothing = crate::world::World::new(world.kind);
        if nothing.kind == Kind::Sqlite {
            assert!(stemma_ledger::Ledger::open_for_audit(nothing.options()).await.is_err());
            assert!(!nothing.file().exists());
        }
    }

    async fn a_shortened_history_is_recognised(world) {
        let ledger = world.open().await;
        commit(&ledger, (0..5).map(project_created).collect()).await.unwrap();
        ledger.checkpoint().await.unwrap();
        ledger.close().await;
        let all = ["ledger_head", "event", "event_body", "tree_hash", "project"];
        for table in all {
            world.by_hand(&format!("DELETE FROM {table}")).await;
        }
        let error = world.try_open().await.err().unwrap();
        assert!(matches!(error, LedgerError::RolledBack { signed: 5, found: 0 }), "{error}");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.hint().unwrap().contains("backup"));
    }
}

#[test]
fn a_restored_backup_is_recognised() {
    crate::world::play(Kind::Sqlite, async |world| {
        let ledger = world.open().await;
        commit(&ledger, vec![project_created(1)]).await.unwrap();
        ledger.close().await;
        fs::copy(world.file(), world.folder.path().join("backup")).unwrap();

        let ledger = world.open().await;
        commit(&ledger, vec![project_created(2)]).await.unwrap();
        ledger.checkpoint().await.unwrap();
        ledger.close().await;
        fs::copy(world.folder.path().join("backup"), world.file()).unwrap();

        let error = world.try_open().await.err().unwrap();
        assert!(matches!(error, LedgerError::RolledBack { signed: 2, found: 1 }), "{error}");
        let audit = stemma_ledger::Ledger::open_for_audit(world.options()).await.unwrap();
        let bad = audit.verify().await.unwrap().first_bad.unwrap();
        assert_eq!((bad.seq, bad.what.as_str()), (2, "it is missing: a head of 2 events was signed"));

        // another history of the same length is not it, either
        fs::rename(world.checkpoints().join("checkpoint"), world.folder.path().join("signed")).unwrap();
        let ledger = world.open().await;
        commit(&ledger, vec![project_created(3)]).await.unwrap();
        ledger.close().await;
        fs::rename(world.folder.path().join("signed"), world.checkpoints().join("checkpoint")).unwrap();
        let error = world.try_open().await.err().unwrap();
        assert!(matches!(error, LedgerError::Rewritten { signed: 2 }), "{error}");
    });
}
