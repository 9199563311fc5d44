//! What a folder needs of its content, however long its states are and whatever Git is told about them.

use std::{fs, time::SystemTime};

use stemma_core::{Digest, ErrorKind, Problem};
use stemma_workspace::{operations::Journal, references};

use crate::scene::Scene;

/// Lines of a lock beside those that it has, together more than 4 MiB.
fn many_lines() -> String {
    let line = |number: u32| format!("{} filler-{number} filler/{number}.csv\n", Digest::of(&number.to_be_bytes()));
    (0..50_000).map(line).collect()
}

/// Makes a state of the lock that has more lines than the one before, and one line for some content; returns the text.
fn add_beside(scene: &Scene, content: Digest, lines: &str) -> Digest {
    let before = scene.read("stemma.lock");
    scene.write("stemma.lock", format!("{before}{content} hidden hidden.csv\n{lines}"));
    scene.write("other.csv", "other\n");
    scene.add("other.csv");
    let state = Journal::of(&scene.workspace).unwrap().operations.last().unwrap().before;
    // nothing names it from here on but that state
    scene.write("stemma.lock", before);
    scene.write("third.csv", "third\n");
    scene.add("third.csv");
    assert!(!scene.read("stemma.lock").contains("hidden"));
    state
}

#[test]
fn a_state_of_more_than_4_mib_keeps_what_it_names() {
    let scene = Scene::new();
    scene.write("a.csv", "a\n");
    scene.add("a.csv");
    let hidden = scene.store.put_bytes(b"in one state only").unwrap().digest;
    let state = add_beside(&scene, hidden, &many_lines());
    assert!(scene.store.info(&state).unwrap().unwrap().size > 4 << 20);
    let needed = references(&scene.workspace).unwrap();
    assert!(needed.contains(&state) && needed.contains(&hidden));
    assert!(needed.contains(&Digest::of(&49_999_u32.to_be_bytes())));
}

#[test]
fn a_state_that_can_not_be_read_is_named_instead_of_left_out() {
    let scene = Scene::new();
    scene.write("a.csv", "a\n");
    scene.add("a.csv");
    let hidden = scene.store.put_bytes(b"in one state only").unwrap().digest;
    let state = add_beside(&scene, hidden, "");
    let lost = scene.store.purge(&[state], &mut || Ok(vec![]), SystemTime::now(), &mut |_| {}).unwrap();
    assert_eq!(lost.removed, [state]);
    let refused = Problem::from(references(&scene.workspace).unwrap_err());
    assert_eq!(refused.kind, ErrorKind::Corrupt);
    let message = format!("operation 2 names {state}, which is not a lock");
    assert_eq!(refused.message, message);
}

#[test]
fn operations_that_are_gone_stop_whoever_asks_what_is_needed() {
    let scene = Scene::new();
    for name in ["a.csv", "b.csv"] {
        scene.write(name, name);
        scene.add(name);
    }
    let home = scene.workspace.home_dir();
    fs::remove_file(home.join("operations")).unwrap();
    let refused = Problem::from(references(&scene.workspace).unwrap_err());
    assert_eq!(refused.kind, ErrorKind::Corrupt);
    assert!(refused.message.ends_with("operations` has lost the operations 1 to 2"), "{refused:?}");
    // that they are given up is said by a person
    fs::remove_file(home.join("operations.last")).unwrap();
    assert_eq!(references(&scene.workspace).unwrap().len(), 2);
}

#[test]
fn what_a_commit_of_any_branch_names_is_needed_whatever_git_shows_of_it() {
    let scene = Scene::new();
    scene.write("a.csv", "a\n");
    scene.add("a.csv");
    scene.write(".gitattributes", "*.lock -diff merge=ours\n");
    scene.commit_all();
    let lock = scene.read("stemma.lock");
    let of_branch = Digest::of(b"of a branch that was merged and removed");
    scene.git(&["checkout", "-q", "-b", "side"]);
    // half merged: no lock that anybody could read
    let conflict = format!("{lock}<<<<<<< ours\n{of_branch} side side.csv\n=======\n");
    fs::write(scene.path("stemma.lock"), conflict).unwrap();
    scene.commit_all();
    fs::write(scene.path("stemma.lock"), lock).unwrap();
    scene.write("notes.txt", "the lock is as it was\n");
    scene.commit_all();
    scene.git(&["checkout", "-q", "main"]);
    scene.write("more.txt", "so that it is merged\n");
    scene.commit_all();
    scene.git(&["merge", "-q", "--no-edit", "side"]);
    scene.git(&["branch", "-D", "side"]);
    scene.git(&["reflog", "expire", "--expire=now", "--all"]);
    assert!(references(&scene.workspace).unwrap().contains(&of_branch));
}
