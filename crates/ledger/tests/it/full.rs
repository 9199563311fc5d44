//! A disk that is full for a while: what could not be written is told, and afterwards everything goes on without a restart.

use std::{path::Path, process::Command};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use stemma_core::{Digest, event::Event};
use stemma_ledger::{Ledger, LedgerError};

use crate::world::{Kind, World, change, commit};

const FOLDER: &str = "STEMMA_LEDGER_FULL_FOLDER";
/// A small disk of its own for the child, in namespaces that end with it.
const ON_SMALL_DISK: &str = r#"mount -t tmpfs -o size=2m tmpfs "$1" && shift && exec "$@""#;
/// A file that may not grow is an error, and not the end of the process.
const WITH_LONG_FILES_REFUSED: &str = r#"trap '' XFSZ; shift; exec "$@""#;

async fn open(folder: &Path) -> Ledger {
    Ledger::open(stemma_ledger::LedgerOptions {
        url: stemma_ledger::LedgerUrl::Sqlite(folder.join("ledger.db")),
        checkpoints: folder.to_owned(),
        signing_key: None,
        origin: "stemma.example/test".to_owned(),
        clock: std::sync::Arc::new(stemma_core::SystemClock),
    })
    .await
    .unwrap()
}

fn event(name: &str, number: usize) -> Vec<Event> {
    vec![Event::ProjectCreated { project: format!("{name}{number}").parse().unwrap() }]
}

/// Commits, and does all else that writes, until nothing more can be written.
async fn write_until_it_fails(ledger: &Ledger) -> LedgerError {
    for number in 0..10_000 {
        if let Err(error) = ledger.commit(change(event("full", number))).await {
            for number in 0..5 {
                ledger.commit(change(event("no", number))).await.unwrap_err();
                ledger.try_to_write().await.unwrap_err();
                let project = "default".parse().unwrap();
                let contents: Vec<_> = (0..3_000u32).map(|n| (Digest::of(&n.to_le_bytes()), 1)).collect();
                ledger.grant_contents(&project, &contents).await.unwrap_err();
            }
            return error;
        }
    }
    panic!("the disk is never full");
}

async fn goes_on(ledger: Ledger) {
    ledger.try_to_write().await.unwrap();
    commit(&ledger, event("again", 1)).await;
    let project = "default".parse().unwrap();
    ledger.grant_content(&project, Digest::of(b"again"), 5).await.unwrap();
    assert_eq!(ledger.verify().await.first_bad, None);
}

fn in_child(test: impl AsyncFnOnce(&Path)) {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(test(Path::new(&folder)));
    println!("it went on");
}

/// Runs only as the child of the test below.
#[test]
fn child_on_a_small_disk() {
    in_child(async |folder| {
        let ledger = open(folder).await;
        commit(&ledger, event("before", 1)).await;
        let balloon = folder.join("balloon");
        while std::fs::write(&balloon, vec![0; 16 << 20]).is_ok() {}
        let error = write_until_it_fails(&ledger).await;
        assert!(matches!(error, LedgerError::DiskFull), "{error:?}");
        std::fs::remove_file(balloon).unwrap();
        goes_on(ledger).await;
    });
}

/// Runs only as the child of the test below.
#[test]
fn child_whose_files_may_not_grow() {
    in_child(async |folder| {
        let ledger = open(folder).await;
        commit(&ledger, event("before", 1)).await;
        let before = getrlimit(Resource::Fsize);
        setrlimit(Resource::Fsize, Rlimit { current: Some(256 << 10), ..before }).unwrap();
        write_until_it_fails(&ledger).await;
        setrlimit(Resource::Fsize, before).unwrap();
        goes_on(ledger).await;
    });
}

fn child(prefix: &[&str], script: &str, test: &str) -> std::process::Output {
    let world = World::new(Kind::Sqlite);
    let folder = world.folder.path();
    let (program, arguments) = prefix.split_first().unwrap();
    let mut command = Command::new(program);
    command.args(arguments).args(["-c", script, "sh"]).arg(folder).arg(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(FOLDER, folder).output().unwrap()
}

fn went_on(output: &std::process::Output) -> bool {
    String::from_utf8_lossy(&output.stdout).contains("it went on")
}

#[test]
fn a_full_disk_is_told_and_needs_no_restart() {
    let can_mount = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
    if !can_mount.is_ok_and(|output| output.status.success()) {
        eprintln!("note: a full disk is not tested, no file system can be mounted here; a refused write is, see below");
        return;
    }
    let output = child(&["unshare", "-rm", "sh"], ON_SMALL_DISK, "full::child_on_a_small_disk");
    assert!(went_on(&output), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn writes_that_are_refused_for_a_while_need_no_restart() {
    let output = child(&["sh"], WITH_LONG_FILES_REFUSED, "full::child_whose_files_may_not_grow");
    assert!(went_on(&output), "{}", String::from_utf8_lossy(&output.stderr));
}
