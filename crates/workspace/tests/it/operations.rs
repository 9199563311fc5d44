//! What was done in a folder is remembered, and can be taken back.

use std::fs;

use stemma_core::{Digest, ErrorKind, Problem, Timestamp};
use stemma_workspace::{
    Author, Overwrite, UndoError, Undone, Workspace, add, checkout,
    operations::{self, Journal, OPERATIONS_FILE},
    travel, undo,
};

use crate::scene::Scene;

fn acting(scene: &Scene, time: i64, command: &[&str]) -> Workspace {
    let author = Author {
        actor: Some("ada@example.org".parse().unwrap()),
        command: command.iter().map(|&word| word.to_owned()).collect(),
        time: Timestamp(time),
    };
    scene.workspace.clone().acting(author)
}

fn add_at(scene: &Scene, time: i64, path: &str, text: &str) -> Digest {
    scene.write(path, text);
    let workspace = acting(scene, time, &["stemma", "add", path]);
    add(&workspace, &scene.store, &[path.into()], None, &mut |_, _| {}).unwrap()[0].digest
}

fn journal(scene: &Scene) -> Journal {
    Journal::read(&scene.workspace.home_dir()).unwrap()
}

fn take_back(scene: &Scene, number: Option<u64>, overwrite: Overwrite) -> Result<Undone, UndoError> {
    undo(&acting(scene, 99, &["stemma", "undo"]), &scene.store, number, overwrite)
}

fn tracked(scene: &Scene, path: &str) -> Option<Digest> {
    scene.workspace.lock().unwrap().get(path).map(|entry| entry.digest)
}

#[test]
fn each_change_of_the_lock_is_one_operation_without_secrets() {
    let scene = Scene::new();
    let first = add_at(&scene, 1, "a.csv", "1\n");
    add_at(&scene, 2, "a.csv", "1\n");
    scene.write("a.csv", "2\n");
    let token = format!("hf_{}", "a".repeat(34));
    let workspace = acting(&scene, 3, &["stemma", "add", "a.csv", "--source", &token]);
    add(&workspace, &scene.store, &["a.csv".into()], None, &mut |_, _| {}).unwrap();

    let Journal { operations, damaged, missing } = journal(&scene);
    assert_eq!(missing, []);
    assert_eq!((operations.len(), damaged), (2, Vec::new()), "the same content again is no operation");
    assert_eq!(operations[0].before, Digest::of(b""));
    assert_eq!((operations[0].number, operations[0].time), (1, Timestamp(1)));
    assert_eq!(operations[1].before, operations[0].after);
    assert_eq!(operations[1].command[4], "«redacted:hugging-face-token»");
    let text = scene.store.read(&operations[0].after, 1000).unwrap();
    assert!(String::from_utf8(text).unwrap().contains(&first.to_string()));
}

#[test]
fn an_operation_is_taken_back_and_that_is_taken_back_too() {
    let scene = Scene::new();
    let one = add_at(&scene, 1, "a.csv", "1\n");
    let two = add_at(&scene, 2, "a.csv", "2\n");
    let undone = take_back(&scene, None, Overwrite::Refuse).unwrap();
    assert_eq!((undone.operation.number, undone.number), (2, Some(3)));
    assert_eq!(undone.lock, [("a.csv".parse().unwrap(), Some(one))]);
    assert_eq!(tracked(&scene, "a.csv"), Some(one));
    assert_eq!(scene.read("a.csv"), "2\n", "adding had not touched the file");
    let undone = take_back(&scene, None, Overwrite::Refuse).unwrap();
    assert_eq!(undone.operation.undoes, Some(2));
    assert_eq!(tracked(&scene, "a.csv"), Some(two));
    assert!(matches!(take_back(&scene, Some(9), Overwrite::Refuse), Err(UndoError::Unknown { newest: 4, .. })));
}

#[test]
fn an_earlier_operation_is_taken_back_without_the_later_ones() {
    let scene = Scene::new();
    add_at(&scene, 1, "a.csv", "1\n");
    let b = add_at(&scene, 2, "b.csv", "b\n");
    take_back(&scene, Some(1), Overwrite::Refuse).unwrap();
    assert_eq!((tracked(&scene, "a.csv"), tracked(&scene, "b.csv")), (None, Some(b)));
    let again = take_back(&scene, Some(1), Overwrite::Refuse).unwrap();
    assert_eq!((again.number, again.lock), (None, Vec::new()), "nothing is left to do");

    add_at(&scene, 3, "b.csv", "c\n");
    let refused = take_back(&scene, Some(2), Overwrite::Refuse).unwrap_err();
    assert!(matches!(&refused, UndoError::LockChanged { number: 2, .. }), "{refused}");
    assert_eq!(Problem::from(refused).kind, ErrorKind::Conflict);
    take_back(&scene, Some(2), Overwrite::Force).unwrap();
    assert_eq!(tracked(&scene, "b.csv"), None);
}

#[test]
fn a_forced_checkout_can_be_taken_back() {
    let scene = Scene::new();
    add_at(&scene, 1, "a.csv", "1\n");
    add_at(&scene, 2, "data/b.csv", "b\n");
    scene.write("a.csv", "precious");
    fs::remove_dir_all(scene.path("data")).unwrap();
    let workspace = acting(&scene, 3, &["stemma", "checkout", "--force"]);
    checkout(&workspace, &scene.store, &[], Overwrite::Force).unwrap();
    assert_eq!((scene.read("a.csv"), scene.read("data/b.csv")), ("1\n".into(), "b\n".into()));

    scene.write("data/b.csv", "changed since");
    let refused = take_back(&scene, None, Overwrite::Refuse).unwrap_err();
    assert!(matches!(&refused, UndoError::Modified { number: 3, paths } if paths.len() == 1), "{refused}");
    assert_eq!(scene.read("a.csv"), "1\n", "nothing was written");
    take_back(&scene, None, Overwrite::Force).unwrap();
    assert_eq!(scene.read("a.csv"), "precious");
    assert!(!scene.path("data/b.csv").exists());
    take_back(&scene, None, Overwrite::Refuse).unwrap();
    assert_eq!((scene.read("a.csv"), scene.read("data/b.csv")), ("1\n".into(), "changed since".into()));
}

#[test]
fn what_others_did_to_the_lock_is_noticed() {
    let scene = Scene::new();
    let a = add_at(&scene, 1, "a.csv", "1\n");
    let text = scene.read("stemma.lock");
    let outside = Digest::of(b"elsewhere");
    scene.write("stemma.lock", format!("{text}{outside} z z.csv\n"));
    add_at(&scene, 5, "b.csv", "b\n");
    let operations = journal(&scene).operations;
    let seen: Vec<(u64, bool)> = operations.iter().map(|one| (one.number, one.is_noticed())).collect();
    assert_eq!(seen, [(1, false), (2, true), (3, false)]);
    take_back(&scene, None, Overwrite::Refuse).unwrap();
    take_back(&scene, Some(2), Overwrite::Refuse).unwrap();
    assert_eq!((tracked(&scene, "a.csv"), tracked(&scene, "z.csv")), (Some(a), None));
    // another spelling of the same lock is no change
    scene.write("stemma.lock", scene.read("stemma.lock").trim_end());
    add_at(&scene, 6, "c.csv", "c\n");
    assert!(!journal(&scene).operations.iter().rev().nth(1).unwrap().is_noticed());
}

#[test]
fn the_history_of_a_path_and_what_must_be_kept_for_it() {
    let scene = Scene::new();
    assert_eq!(operations::digests(&scene.workspace.home_dir()).unwrap(), []);
    let one = add_at(&scene, 10, "a.csv", "1\n");
    add_at(&scene, 20, "b.csv", "b\n");
    let two = add_at(&scene, 30, "a.csv", "2\n");
    take_back(&scene, Some(1), Overwrite::Force).unwrap();
    let home = scene.workspace.home_dir();
    let versions = operations::versions_of_path(&scene.workspace, &scene.store, &"a.csv".parse().unwrap()).unwrap();
    let found: Vec<_> = versions.iter().map(|since| (since.time.0, since.digest)).collect();
    assert_eq!(found, [(10, Some(one)), (30, Some(two)), (99, None)]);

    let keep = operations::digests(&home).unwrap();
    let texts = journal(&scene).operations.into_iter().flat_map(|operation| [operation.before, operation.after]);
    for digest in texts.chain([one, two]) {
        assert!(keep.contains(&digest));
    }
    let late = operations::digests_since(&home, Timestamp(99)).unwrap();
    assert!(!late.contains(&one) && late.contains(&two), "the state before the undo had the second content");

    let path = home.join(OPERATIONS_FILE);
    fs::write(&path, fs::read_to_string(&path).unwrap().replacen("\"number\":2", "\"number\":4", 1)).unwrap();
    assert_eq!(Problem::from(operations::digests(&home).unwrap_err()).kind, ErrorKind::Corrupt);
}

#[test]
fn a_path_travels_in_the_lock_and_on_disk_and_back() {
    let scene = Scene::new();
    let one = add_at(&scene, 1, "a.csv", "1\n");
    let two = add_at(&scene, 2, "a.csv", "2\n");
    let workspace = acting(&scene, 3, &["stemma", "checkout", "a.csv@1"]);
    let to = |path: &str, digest| [(path.parse().unwrap(), digest)];
    let done = travel(&workspace, &scene.store, &to("a.csv", one), Overwrite::Refuse).unwrap();
    assert_eq!((done.len(), scene.read("a.csv"), tracked(&scene, "a.csv")), (1, "1\n".into(), Some(one)));
    assert!(travel(&workspace, &scene.store, &to("a.csv", one), Overwrite::Refuse).unwrap().is_empty());
    take_back(&scene, None, Overwrite::Refuse).unwrap();
    assert_eq!((scene.read("a.csv"), tracked(&scene, "a.csv")), ("2\n".into(), Some(two)));

    scene.write("a.csv", "precious");
    let refused = travel(&workspace, &scene.store, &to("a.csv", one), Overwrite::Refuse).unwrap_err();
    assert_eq!(Problem::from(refused).kind, ErrorKind::Conflict);
    assert_eq!((scene.read("a.csv"), tracked(&scene, "a.csv")), ("precious".into(), Some(two)));
    travel(&workspace, &scene.store, &to("a.csv", one), Overwrite::Force).unwrap();
    take_back(&scene, None, Overwrite::Refuse).unwrap();
    assert_eq!(scene.read("a.csv"), "precious");
    for (path, digest) in [("b.csv", one), ("a.csv", Digest::of(b"elsewhere"))] {
        let refused = travel(&workspace, &scene.store, &to(path, digest), Overwrite::Force).unwrap_err();
        assert_eq!(Problem::from(refused).kind, ErrorKind::NotFound, "{path}");
    }
}
