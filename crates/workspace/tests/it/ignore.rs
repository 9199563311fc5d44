//! What Stemma keeps does not go into Git by accident.

use std::{fs, os::unix::fs::symlink};

use stemma_workspace::{InGit, Overwrite, add, undo};

use crate::scene::{Scene, git};

/// A repository with a commit, and what `git add -A` puts into it after each act.
fn repository() -> Scene {
    let scene = Scene::new();
    scene.commit_all();
    scene
}

fn staged(scene: &Scene) -> Vec<String> {
    scene.git(&["add", "-A"]);
    let names = scene.git(&["ls-files"]);
    scene.git(&["reset", "-q"]);
    names.lines().map(str::to_owned).filter(|name| !name.starts_with("stemma.")).collect()
}

#[test]
fn data_that_is_added_stays_out_of_git() {
    let scene = repository();
    scene.write("big.bin", "0");
    scene.write("data/images/a/1.png", "1");
    scene.write("data/odd [1].csv", "2");
    scene.write("data/odd 1.csv", "not tracked, and not the same name");
    for path in ["big.bin", "data/images", "data/odd [1].csv"] {
        assert_eq!(scene.add(path).in_git, InGit::LeftOut, "{path}");
        assert_eq!(scene.add(path).in_git, InGit::AsItWas, "{path}");
    }
    assert_eq!(scene.read(".gitignore"), ".stemma/\n/big.bin\n");
    assert_eq!(scene.read("data/.gitignore"), "/images\n/odd \\[1].csv\n");
    assert_eq!(staged(&scene), [".gitignore", "data/.gitignore", "data/odd 1.csv"]);
}

#[test]
fn what_a_person_wrote_for_git_counts() {
    let scene = Scene::new();
    scene.write(".gitignore", ".stemma/\n*.bin\n/sets/\n!/kept.bin");
    scene.commit_all();
    for path in ["a.bin", "sets/x/b.csv", "kept.bin"] {
        scene.write(path, path);
        assert_eq!(scene.add(path).in_git, InGit::AsItWas, "{path}");
    }
    assert_eq!(scene.read(".gitignore"), ".stemma/\n*.bin\n/sets/\n!/kept.bin");
    assert!(!scene.path("sets/x/.gitignore").exists());
    assert_eq!(staged(&scene), [".gitignore", "kept.bin"]);
}

#[test]
fn what_git_has_already_stays_there_and_is_told() {
    let scene = repository();
    for path in ["small.csv", "all/a.txt", "some/.gitkeep"] {
        scene.write(path, path);
    }
    scene.commit_all();
    scene.write("some/b.txt", "b");
    assert_eq!(scene.add("small.csv").in_git, InGit::Kept);
    assert_eq!(scene.add("all").in_git, InGit::Kept);
    assert_eq!(scene.add("some").in_git, InGit::KeptInPart);
    assert_eq!(scene.read(".gitignore"), ".stemma/\n/some\n");
    assert_eq!(staged(&scene), [".gitignore", "all/a.txt", "small.csv", "some/.gitkeep"]);

    // the way that is told
    scene.git(&["rm", "-q", "--cached", "small.csv"]);
    assert_eq!(scene.add("small.csv").in_git, InGit::LeftOut);
    assert_eq!(staged(&scene), [".gitignore", "all/a.txt", "some/.gitkeep"]);
}

#[test]
fn without_a_repository_nothing_is_written() {
    let scene = Scene::new();
    scene.write("data/a.csv", "1");
    assert_eq!(scene.add("data/a.csv").in_git, InGit::AsItWas);
    assert!(!scene.path("data/.gitignore").exists());
}

#[test]
fn where_git_can_not_be_asked_or_told_that_is_said() {
    let scene = Scene::new();
    scene.write("a.csv", "1");
    scene.write(".git", "gitdir: /nowhere");
    let InGit::Unknown(why) = scene.add("a.csv").in_git else { panic!("Git was asked") };
    assert!(why.contains("git"), "{why}");
    fs::remove_file(scene.path(".git")).unwrap();

    fs::remove_file(scene.path(".gitignore")).unwrap();
    scene.git(&["init", "-q"]);
    symlink("/etc/hostname", scene.path(".gitignore")).unwrap();
    assert!(matches!(scene.add("a.csv").in_git, InGit::Unknown(_)));
}

#[test]
fn worktrees_and_submodules_get_lines_of_their_own() {
    let scene = repository();
    git(&scene.path(""), &["init", "-q", "module"]);
    scene.write("module/a.txt", "a");
    git(&scene.path("module"), &["add", "-A"]);
    git(&scene.path("module"), &["commit", "-qm", "a"]);
    scene.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "./module", "module"]);
    scene.commit_all();
    scene.write("module/data.csv", "1");
    assert_eq!(scene.add("module/data.csv").in_git, InGit::LeftOut);
    assert_eq!(scene.read("module/.gitignore"), "/data.csv\n");
    assert_eq!(git(&scene.path("module"), &["status", "--porcelain"]), "?? .gitignore");

    scene.git(&["worktree", "add", "-q", "tree", "-b", "other"]);
    scene.write("tree/other.csv", "1");
    assert_eq!(scene.add("tree/other.csv").in_git, InGit::LeftOut);
    assert!(scene.read("tree/.gitignore").ends_with("\n/other.csv\n"));
    assert_eq!(scene.read(".gitignore"), ".stemma/\n");
}

#[test]
fn of_a_link_what_is_behind_it_is_left_out() {
    let scene = repository();
    scene.write("data/2026.csv", "1");
    symlink("data/2026.csv", scene.path("current.csv")).unwrap();
    assert_eq!(scene.add("current.csv").in_git, InGit::LeftOut);
    assert_eq!(staged(&scene), [".gitignore", "current.csv", "data/.gitignore"]);
}

#[test]
fn taking_back_takes_back_the_line_and_nothing_else() {
    let scene = repository();
    for path in ["a.csv", "b.csv", "sub/c.csv"] {
        scene.write(path, "1");
    }
    let both = ["a.csv".into(), "sub/c.csv".into()];
    add(&scene.workspace, &scene.store, &both, None, &mut |_, _| {}).unwrap();
    scene.add("b.csv");
    scene.write(".gitignore", format!("{}# mine\n", scene.read(".gitignore")));

    undo(&scene.workspace, &scene.store, Some(1), Overwrite::Refuse).unwrap();
    assert_eq!(scene.read(".gitignore"), ".stemma/\n/b.csv\n# mine\n");
    assert!(!scene.path("sub/.gitignore").exists());
    undo(&scene.workspace, &scene.store, None, Overwrite::Refuse).unwrap();
    assert_eq!(scene.read(".gitignore"), ".stemma/\n/b.csv\n# mine\n/a.csv\n");
    assert_eq!(scene.read("sub/.gitignore"), "/c.csv\n");

    // a second version is no reason to let go of the line
    scene.write("b.csv", "2");
    scene.add("b.csv");
    undo(&scene.workspace, &scene.store, None, Overwrite::Refuse).unwrap();
    assert!(scene.read(".gitignore").contains("/b.csv\n"));
}
