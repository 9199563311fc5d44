//! Folders that are tracked as a whole.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::PathBuf,
};

use stemma_core::{Digest, Problem};
use stemma_store::Store;
use stemma_workspace::{
    AddError, CheckoutError, InsideState, Overwrite, State, StatusEntry, add, checkout, status, undo,
};

use crate::scene::Scene;

/// A folder with a bit of everything, tracked.
fn with_images() -> Scene {
    let scene = Scene::new();
    scene.write("images/cats/1.png", "cat one");
    scene.write("images/cats/2.png", "cat two");
    scene.write("images/run.sh", "#!/bin/sh\n");
    fs::set_permissions(scene.path("images/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(scene.path("images/empty")).unwrap();
    symlink("cats/1.png", scene.path("images/best")).unwrap();
    scene
}

fn only(scene: &Scene) -> StatusEntry {
    let [entry] = <[StatusEntry; 1]>::try_from(status(&scene.workspace).unwrap()).unwrap();
    entry
}

fn inside(scene: &Scene) -> Vec<(String, InsideState)> {
    let changes = only(scene).inside.unwrap_or_default().changes;
    changes.into_iter().map(|change| (change.path.to_string(), change.state)).collect()
}

fn bring_back(scene: &Scene, overwrite: Overwrite) -> Result<usize, CheckoutError> {
    checkout(&scene.workspace, &scene.store, &[], overwrite).map(|written| written.len())
}

#[test]
fn a_folder_is_one_line_and_comes_back_whole() {
    let scene = with_images();
    let added = scene.add("images");
    assert!(added.is_folder && added.sha256.is_none());
    assert_eq!(added.size, 7 + 7 + 10);
    assert!(scene.read("stemma.lock").ends_with(&format!("{} images images\n", added.digest)));
    assert!(scene.add("images").unchanged);
    assert_eq!(only(&scene).state, State::Unchanged);

    fs::remove_dir_all(scene.path("images")).unwrap();
    assert_eq!(only(&scene).state, State::Missing);
    assert_eq!(bring_back(&scene, Overwrite::Refuse).unwrap(), 1);
    assert_eq!(only(&scene).state, State::Unchanged);
    assert_eq!(scene.read("images/best"), "cat one");
    assert!(scene.path("images/best").is_symlink() && scene.path("images/empty").is_dir());
    assert_ne!(fs::metadata(scene.path("images/run.sh")).unwrap().permissions().mode() & 0o100, 0);
}

#[test]
fn status_names_what_differs_and_checkout_takes_it_back() {
    let scene = with_images();
    scene.add("images");
    scene.write("images/cats/1.png", "dog");
    fs::remove_file(scene.path("images/cats/2.png")).unwrap();
    fs::set_permissions(scene.path("images/run.sh"), fs::Permissions::from_mode(0o644)).unwrap();
    scene.write("images/new/3.png", "new");
    let expected = [
        ("cats/1.png", InsideState::Modified),
        ("cats/2.png", InsideState::Deleted),
        ("new/3.png", InsideState::Added),
        ("run.sh", InsideState::Modified),
    ];
    assert_eq!(inside(&scene), expected.map(|(path, state)| (path.to_owned(), state)));

    let refused = bring_back(&scene, Overwrite::Refuse);
    assert!(matches!(refused, Err(CheckoutError::Modified(paths)) if paths[0].as_str() == "images"));
    assert_eq!(scene.read("images/cats/1.png"), "dog");
    bring_back(&scene, Overwrite::Force).unwrap();
    assert_eq!(only(&scene).state, State::Unchanged);
    assert!(!scene.path("images/new").exists());

    // what was overwritten by force was kept, and is taken back with the operation
    undo(&scene.workspace, &scene.store, None, Overwrite::Refuse).unwrap();
    assert_eq!(inside(&scene).len(), 4);
    assert_eq!(scene.read("images/new/3.png"), "new");
}

#[test]
fn switching_between_versions_of_a_folder_needs_no_force() {
    let scene = with_images();
    scene.add("images");
    let lock = scene.read("stemma.lock");
    // a file becomes a folder, a folder a file
    fs::remove_file(scene.path("images/run.sh")).unwrap();
    scene.write("images/run.sh/inner", "deep");
    fs::remove_dir_all(scene.path("images/cats")).unwrap();
    fs::remove_file(scene.path("images/best")).unwrap();
    scene.write("images/cats", "no folder any more");
    fs::remove_dir(scene.path("images/empty")).unwrap();
    scene.write("images/empty", "full");
    scene.add("images");
    let later = scene.read("stemma.lock");
    for (lock, path, text) in [(&lock, "images/cats/2.png", "cat two"), (&later, "images/run.sh/inner", "deep")] {
        scene.write("stemma.lock", lock);
        let overwrite = if lock == &later { Overwrite::Force } else { Overwrite::Refuse };
        bring_back(&scene, overwrite).unwrap();
        assert_eq!(only(&scene).state, State::Unchanged);
        assert_eq!(scene.read(path), text);
    }
}

#[test]
fn a_second_look_reads_only_what_changed() {
    let scene = Scene::new();
    for number in 0..300 {
        scene.write(&format!("many/{}/{number}", number % 7), format!("{number}"));
    }
    let first = scene.add("many");
    let before = scene.store.usage().unwrap();
    scene.write("many/0/7", "changed");
    let second = scene.add("many");
    assert_ne!(first.digest, second.digest);
    let after = Store::open(&scene.workspace.content_dir()).unwrap().usage().unwrap();
    assert_eq!((after.trees - before.trees, second.unchanged), (1, false));
    // the content in the same tick is seen, too
    for round in 0..10 {
        scene.write("many/0/7", format!("{round:07}"));
        assert_eq!(inside(&scene), [("0/7".to_owned(), InsideState::Modified)]);
    }
    scene.write("many/0/7", "changed");
    assert_eq!(only(&scene).state, State::Unchanged);
}

#[test]
fn a_cache_that_lies_about_what_is_stored_costs_time_only() {
    let scene = with_images();
    scene.add("images");
    status(&scene.workspace).unwrap();
    // content that is remembered, but gone
    fs::remove_dir_all(scene.workspace.content_dir().join("packs")).unwrap();
    let store = Store::open(&scene.workspace.content_dir()).unwrap();
    let paths = [PathBuf::from("images")];
    let added = add(&scene.workspace, &store, &paths, None, &mut |_, _| {}).unwrap().remove(0);
    store.require_tree(&added.digest).unwrap();
    assert_eq!(store.read(&Digest::of(b"cat one"), 100).unwrap(), b"cat one");
}

#[test]
fn a_path_is_tracked_once() {
    let scene = with_images();
    scene.add("images/cats/1.png");
    let error = add(&scene.workspace, &scene.store, &["images".into()], None, &mut |_, _| {}).unwrap_err();
    assert!(matches!(&error, AddError::Around { tracked, .. } if tracked.as_str() == "images/cats/1.png"));
    fs::remove_file(scene.path("stemma.lock")).unwrap();
    scene.add("images");
    let error = add(&scene.workspace, &scene.store, &["images/cats".into()], None, &mut |_, _| {}).unwrap_err();
    assert!(matches!(&error, AddError::Inside { folder, .. } if folder.as_str() == "images"));
    assert_eq!(Problem::from(error).hint.unwrap(), "`stemma add images`");
}

#[test]
fn what_can_t_be_kept_is_named_with_what_to_do() {
    for (make, reason, hint) in [
        ("mkdir -p images/sub/.git", "tool's own folder", "move it out"),
        ("ln -s /etc/passwd images/link", "leads out", "put what it points at"),
        ("touch 'images/a:b'", "it has a `:`", ""),
        ("printf x > \"images/$(printf 'a\\nb')\"", "control character", ""),
    ] {
        let scene = with_images();
        scene.add("images");
        let lock = scene.read("stemma.lock");
        let made = std::process::Command::new("sh").args(["-c", make]).current_dir(scene.workspace.root()).status();
        assert!(made.unwrap().success());
        let error = add(&scene.workspace, &scene.store, &["images".into()], None, &mut |_, _| {}).unwrap_err();
        let problem = Problem::from(error);
        assert!(problem.message.contains(reason), "{}", problem.message);
        assert!(problem.hint.unwrap_or_default().contains(hint));
        assert_eq!(scene.read("stemma.lock"), lock);
        let entry = only(&scene);
        assert_eq!(entry.state, State::Modified);
        assert!(entry.inside.unwrap().refused.unwrap().contains(reason));
    }
}

#[test]
fn nothing_of_a_folder_is_written_if_some_of_it_is_not_here() {
    let scene = with_images();
    let added = scene.add("images");
    fs::remove_dir_all(scene.path("images")).unwrap();
    // only the tree itself
    let node = scene.store.tree_node(&added.digest).unwrap();
    fs::remove_dir_all(scene.workspace.content_dir().join("packs")).unwrap();
    let store = Store::open(&scene.workspace.content_dir()).unwrap();
    let mut batch = store.batch();
    batch.put_tree_node(&added.digest, node).unwrap();
    batch.commit().unwrap();
    let refused = checkout(&scene.workspace, &store, &[], Overwrite::Force);
    assert!(matches!(refused, Err(CheckoutError::NotHere(_))), "{refused:?}");
    assert!(!scene.path("images").exists());
}
