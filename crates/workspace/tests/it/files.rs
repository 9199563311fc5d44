//! Adding, comparing and bringing back tracked files.

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use stemma_core::{Digest, ErrorKind, Problem, Sha256, name::DatasetName};
use stemma_workspace::{AddError, CheckoutError, LockError, Overwrite, PathError, State, add, checkout, status};

use crate::scene::{Scene, git};

fn states(scene: &Scene) -> Vec<(String, State)> {
    let entries = status(&scene.workspace).unwrap();
    entries.into_iter().map(|entry| (entry.path.to_string(), entry.state)).collect()
}

fn try_add(scene: &Scene, path: &str) -> AddError {
    let added = add(&scene.workspace, &scene.store, &[path.into()], None, &mut |_, _| {});
    let error = added.expect_err(path);
    assert!(scene.workspace.lock().unwrap().get(path).is_none(), "the lock is as it was");
    error
}

#[test]
fn a_file_is_added_changed_and_brought_back() {
    let scene = Scene::new();
    scene.write("data/german_credit.csv", "age\n30\n");
    let first = scene.add("data/german_credit.csv");
    assert_eq!(first.name.as_str(), "german-credit");
    assert_eq!(first.digest, Digest::of(b"age\n30\n"));
    assert_eq!(first.sha256, Some(Sha256::of(b"age\n30\n")));
    assert!(!first.unchanged);
    assert!(scene.add("data/german_credit.csv").unchanged);
    let line = format!("{} german-credit data/german_credit.csv\n", first.digest);
    assert!(scene.read("stemma.lock").ends_with(&line));

    scene.write("data/german_credit.csv", "age\n31\n");
    let path = "data/german_credit.csv".to_owned();
    assert_eq!(states(&scene), [(path.clone(), State::Modified)]);
    let refused = checkout(&scene.workspace, &scene.store, &[], Overwrite::Refuse);
    assert!(matches!(refused, Err(CheckoutError::Modified(paths)) if paths.len() == 1));
    assert_eq!(scene.read(&path), "age\n31\n");

    let done = checkout(&scene.workspace, &scene.store, &[], Overwrite::Force).unwrap();
    assert_eq!((done.len(), done[0].was), (1, State::Modified));
    assert_eq!(scene.read(&path), "age\n30\n");

    fs::remove_dir_all(scene.path("data")).unwrap();
    assert_eq!(states(&scene), [(path.clone(), State::Missing)]);
    checkout(&scene.workspace, &scene.store, &["data".into()], Overwrite::Refuse).unwrap();
    assert_eq!(states(&scene), [(path, State::Unchanged)]);
}

#[test]
fn switching_between_versions_that_are_kept_needs_no_force() {
    let scene = Scene::new();
    scene.write("a.csv", "1\n");
    scene.add("a.csv");
    let lock = scene.read("stemma.lock");
    scene.write("a.csv", "2\n");
    scene.add("a.csv");
    scene.write("stemma.lock", lock);
    checkout(&scene.workspace, &scene.store, &[], Overwrite::Refuse).unwrap();
    assert_eq!(scene.read("a.csv"), "1\n");
}

#[test]
fn nothing_is_written_if_some_content_is_not_here() {
    let scene = Scene::new();
    scene.write("a.csv", "1\n");
    scene.add("a.csv");
    let foreign = format!("{} b b.csv\n", Digest::of(b"elsewhere"));
    let lock = scene.read("stemma.lock") + &foreign;
    scene.write("stemma.lock", lock);
    fs::remove_file(scene.path("a.csv")).unwrap();
    let refused = checkout(&scene.workspace, &scene.store, &[], Overwrite::Force).unwrap_err();
    assert!(matches!(&refused, CheckoutError::NotHere(paths) if paths[0].as_str() == "b.csv"));
    assert!(!scene.path("a.csv").exists());
    assert_eq!(Problem::from(refused).kind, ErrorKind::NotFound);
}

#[test]
fn a_mistyped_path_gets_a_near_one() {
    let scene = Scene::new();
    scene.write("data/train.csv", "");
    match try_add(&scene, "data/trian.csv") {
        AddError::Path(PathError::NotFound { near, .. }) => assert_eq!(near, ["data/train.csv"]),
        other => panic!("{other:?}"),
    }
    scene.add("data/train.csv");
    let wanted = [PathBuf::from("data/trian.csv")];
    let error = checkout(&scene.workspace, &scene.store, &wanted, Overwrite::Refuse);
    let problem = Problem::from(error.unwrap_err());
    assert_eq!(problem.hint.unwrap(), "did you mean `data/train.csv`?");
}

#[test]
fn what_must_not_be_tracked_is_refused() {
    let scene = Scene::new();
    scene.git(&["init", "-q"]);
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("x"), "x").unwrap();
    symlink(outside.path(), scene.path("folder")).unwrap();
    symlink(outside.path().join("x"), scene.path("file")).unwrap();
    symlink(".git/config", scene.path("config")).unwrap();
    symlink("nowhere", scene.path("dangling")).unwrap();
    std::os::unix::net::UnixListener::bind(scene.path("socket")).unwrap();
    scene.write("a;b", "");
    scene.write("a\u{1}b", "");
    let outside = outside.path().join("x").display().to_string();
    for path in [
        outside.as_str(),
        "folder/x",
        "file",
        "config",
        "dangling",
        "socket",
        "../x",
        "data/../../x",
        ".git/config",
        ".GIT/config",
        ".stemma/stat-cache",
        "stemma.lock",
        ".",
        "..",
        "",
        "/",
        "/dev/null",
        "a;b",
        "a\u{1}b",
        "nowhere/at/all",
    ] {
        let error = try_add(&scene, path);
        assert!(matches!(error, AddError::Path(_)), "{path}: {error:?}");
    }
    assert!(!scene.path("stemma.lock").exists());
}

#[test]
fn a_link_inside_the_workspace_is_followed() {
    let scene = Scene::new();
    scene.write("real/a.csv", "1\n");
    symlink("real/a.csv", scene.path("a.csv")).unwrap();
    assert_eq!(scene.add("a.csv").digest, Digest::of(b"1\n"));
    symlink("real", scene.path("linked")).unwrap();
    scene.write("real/b.csv", "2\n");
    let added = scene.add("linked/b.csv");
    assert_eq!(added.path.as_str(), "real/b.csv");
}

#[test]
fn one_name_for_two_paths_is_refused_before_anything_is_stored() {
    let scene = Scene::new();
    scene.write("a/train.csv", "1\n");
    scene.write("b/train.csv", "2\n");
    scene.add("a/train.csv");
    let taken = try_add(&scene, "b/train.csv");
    assert!(matches!(taken, AddError::Lock(LockError::NameTaken { .. })));
    assert!(!scene.store.contains(&Digest::of(b"2\n")));

    let name = DatasetName::new("train-b").unwrap();
    let paths = [PathBuf::from("b/train.csv")];
    let added = add(&scene.workspace, &scene.store, &paths, Some(&name), &mut |_, _| {});
    assert_eq!(added.unwrap()[0].name, name);
    // the name stays when the content changes
    scene.write("b/train.csv", "3\n");
    assert_eq!(scene.add("b/train.csv").name, name);
}

#[test]
fn branches_that_add_different_files_merge_and_a_conflict_is_named() {
    let scene = Scene::new();
    for name in ["a.csv", "k.csv", "z.csv"] {
        scene.write(name, name);
        scene.add(name);
    }
    scene.write(".gitignore", "*.csv\n.stemma/\n");
    scene.commit_all();
    let change = |branch: &str, path: &str, text: &str| {
        scene.git(&["switch", "-q", "-c", branch, "main"]);
        scene.write(path, text);
        scene.add(path);
        scene.commit_all();
    };
    change("first", "a.csv", "a2");
    change("second", "z.csv", "z2");
    change("third", "a.csv", "a3");
    scene.git(&["switch", "-q", "first"]);
    scene.git(&["merge", "-q", "second", "-m", "merge"]);
    let lock = scene.workspace.lock().unwrap();
    assert_eq!(lock.get("a.csv").unwrap().digest, Digest::of(b"a2"));
    assert_eq!(lock.get("z.csv").unwrap().digest, Digest::of(b"z2"));

    let merged =
        std::process::Command::new("git").args(["merge", "-q", "third"]).current_dir(scene.workspace.root()).output();
    assert!(!merged.unwrap().status.success());
    let error = scene.workspace.lock().unwrap_err();
    assert!(matches!(error, LockError::Conflict { .. }));
    assert!(status(&scene.workspace).is_err());
    git(scene.workspace.root(), &["checkout", "-q", "--theirs", "stemma.lock"]);
    let lock = scene.workspace.lock().unwrap();
    assert_eq!(lock.get("a.csv").unwrap().digest, Digest::of(b"a3"));
}

#[test]
fn many_adds_at_once_lose_no_line() {
    let scene = Scene::new();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let scene = &scene;
            scope.spawn(move || {
                scene.write(&format!("f{n}.csv"), n.to_string());
                scene.add(&format!("f{n}.csv"));
            });
        }
    });
    assert_eq!(scene.workspace.lock().unwrap().entries().len(), 8);
    assert!(states(&scene).iter().all(|(_, state)| *state == State::Unchanged));
}

#[test]
fn a_change_of_the_same_length_right_after_is_seen() {
    let scene = Scene::new();
    for round in 0..20 {
        scene.write("a.csv", format!("{round:04}"));
        scene.add("a.csv");
        assert_eq!(states(&scene)[0].1, State::Unchanged);
        scene.write("a.csv", format!("{:04}", round + 1000));
        assert_eq!(states(&scene)[0].1, State::Modified);
    }
}

/// Whether the workspace remembers what was read of a file.
fn is_remembered(scene: &Scene, path: &str) -> bool {
    fs::read_to_string(scene.path(".stemma/stat-cache")).is_ok_and(|text| text.contains(&format!("/{path}\n")))
}

#[test]
fn a_file_that_was_added_too_early_is_read_once_more_and_then_remembered() {
    let scene = Scene::new();
    scene.write("a.csv", "age\n30\n");
    scene.add("a.csv");
    let looks = (0..100_000).take_while(|_| {
        assert_eq!(states(&scene)[0].1, State::Unchanged);
        !is_remembered(&scene, "a.csv")
    });
    assert!(looks.count() < 100_000);
}

#[test]
fn a_long_file_that_was_just_written_is_added_so_that_it_need_not_be_read_again() {
    let scene = Scene::new();
    let mut long = vec![7; 17 << 20];
    scene.write("long.bin", &long);
    scene.add("long.bin");
    assert!(is_remembered(&scene, "long.bin"));
    assert_eq!(states(&scene)[0].1, State::Unchanged);

    long[1 << 20] = 8;
    write_in_place(&scene, "long.bin", &long);
    assert_eq!(states(&scene)[0].1, State::Modified, "changed in place, with the same length");
}

fn write_in_place(scene: &Scene, path: &str, bytes: &[u8]) {
    use std::io::Write as _;
    let mut file = fs::File::options().write(true).open(scene.path(path)).unwrap();
    file.write_all(bytes).unwrap();
}
