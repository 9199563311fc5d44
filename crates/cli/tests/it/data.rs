//! Content: added, changed, taken back, got by any of its names, damaged.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::desk::Desk;

#[test]
fn init_makes_a_home_once_and_keeps_the_token_private() {
    let desk = Desk::new();
    let made = desk.json(&["init"]);
    assert_eq!(made["owner"], "ada@example.org");
    assert_eq!(made["changed"], serde_json::json!([".stemma", "stemma.toml", ".gitignore"]));
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("stm_"));
    let kept = desk.work().join("../config/credentials.toml");
    assert!(fs::read_to_string(&kept).unwrap().contains(token));
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);

    let (code, stderr) = desk.fails(&["init"]);
    assert_eq!(code, 5);
    assert_eq!(stderr, "error: `DESK/project/.stemma` is a home already\nhint: see `stemma status`\n");
}

#[test]
fn data_is_added_changed_and_taken_back() {
    let desk = Desk::with_project();
    let first = desk.ok(&["add", "data/applications.csv", "--source", "https://example.org/a.csv"]);
    let digest = "b3:c456e5dd53fffc3dc8cf5ab87bae183c4c5fa24daa25d5062d6225b81717b30c";
    assert_eq!(first, format!("applications@1  {digest}  data/applications.csv  24 B\n"));
    assert!(desk.ok(&["add", "data/applications.csv"]).trim_end().ends_with("unchanged"));

    desk.write("data/applications.csv", "age,risk\n");
    assert!(desk.ok(&["status"]).starts_with("modified  data/applications.csv  applications\n"));
    let (code, stderr) = desk.fails(&["checkout"]);
    assert_eq!(code, 5, "{stderr}");
    desk.ok(&["add", "data/applications.csv", "--why", "emptied", "--derived-from", "applications@1"]);
    let shown = desk.json(&["show", "applications@2"]);
    assert_eq!(shown["derived_from"], serde_json::json!(["applications@1"]));
    assert_eq!(shown["why"], "emptied");

    let got = desk.ok(&["get", "applications@1", "-o", "old/"]);
    assert!(got.contains("old/applications.csv"), "{got}");
    assert_eq!(desk.read("old/applications.csv"), "age,risk\n30,good\n41,bad\n");
    let (code, stderr) = desk.fails(&["get", "applications@1", "-o", "old/"]);
    assert_eq!(code, 5);
    assert!(stderr.contains("is there already"), "{stderr}");
    desk.ok(&["get", "applications@2", "-o", "old/applications.csv", "--force"]);
    assert_eq!(desk.read("old/applications.csv"), "age,risk\n");

    fs::remove_file(desk.work().join("data/applications.csv")).unwrap();
    assert!(desk.ok(&["checkout"]).starts_with("restored  data/applications.csv"));
    assert!(desk.ok(&["verify"]).contains("all as it was"));
}

#[test]
fn content_has_several_names() {
    let desk = Desk::with_project();
    let model = desk.read("data/applications.csv");
    let version = &desk.json(&["add", "data/applications.csv"])[0]["version"];
    for name in [&version["digest"], &version["sha256"]] {
        let name = name.as_str().unwrap();
        desk.ok(&["get", name, "-o", "copy.csv", "--force"]);
        assert_eq!(desk.read("copy.csv"), model);
        assert!(desk.ok(&["show", name]).contains("24 B"));
    }
    let (code, stderr) = desk.fails(&["get", "b3:12"]);
    assert_eq!(code, 2);
    assert!(stderr.starts_with("error: `b3:12` is not a digest"), "{stderr}");
    let (code, _) = desk.fails(&["get", &format!("b3:{}", "0".repeat(64))]);
    assert_eq!(code, 3);
}

#[test]
fn damaged_content_is_found_and_repaired_from_the_file() {
    let desk = Desk::with_project();
    desk.ok(&["add", "data/applications.csv"]);
    let packs = desk.work().join(".stemma/content/packs");
    for pack in fs::read_dir(packs).unwrap() {
        let path = pack.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let at = find(&bytes, b"30,good");
        if let Some(at) = at {
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
        }
    }
    let done = desk.run(&["verify"]);
    assert_eq!(done.code, 8, "{done:#?}");
    assert!(done.stdout.contains("the content of a tracked file is damaged: data/applications.csv"), "{done:#?}");
    let (code, stderr) = desk.fails(&["get", "applications@1", "-o", "copy.csv"]);
    assert_eq!(code, 8, "{stderr}");
    assert!(!desk.work().join("copy.csv").exists());

    assert!(done.stdout.contains("needed by data/applications.csv, applications@1"), "{done:#?}");
    let sampled = desk.run(&["verify", "--sample", "1GiB", "--json"]);
    assert_eq!(sampled.code, 8, "{sampled:#?}");
    let sampled: serde_json::Value = serde_json::from_str(&sampled.stdout).unwrap();
    assert!(sampled["damaged"].as_array().unwrap().iter().any(|one| one["versions"][0] == "applications@1"));

    let done = desk.run(&["verify", "--repair"]);
    assert_eq!(done.code, 0, "{done:#?}");
    assert!(done.stdout.contains("repaired from the file: data/applications.csv"), "{done:#?}");
    assert!(!done.stdout.contains("tracked file is damaged"), "{done:#?}");
    desk.ok(&["get", "applications@1", "-o", "copy.csv"]);
    assert!(desk.ok(&["verify"]).contains("all as it was"));
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}

#[test]
fn a_folder_is_one_version_with_all_that_is_in_it() {
    let desk = Desk::with_project();
    for number in 0..40 {
        desk.write(&format!("images/{}/{number}.txt", number % 3), format!("picture {number}\n"));
    }
    std::os::unix::fs::symlink("0/0.txt", desk.work().join("images/best")).unwrap();
    let added = desk.ok(&["add", "images"]);
    assert!(added.starts_with("images@1  b3:"), "{added}");
    assert!(desk.ok(&["add", "images"]).trim_end().ends_with("unchanged"));
    assert!(desk.ok(&["status"]).contains("all as in stemma.lock"));

    desk.write("images/0/0.txt", "another picture\n");
    desk.write("images/new.txt", "new\n");
    fs::remove_file(desk.work().join("images/1/1.txt")).unwrap();
    let status = desk.ok(&["status"]);
    for line in ["  modified  images/0/0.txt", "  deleted   images/1/1.txt", "  added     images/new.txt"] {
        assert!(status.contains(line), "{status}");
    }
    desk.ok(&["add", "images", "--why", "better"]);
    let versions = [desk.json(&["show", "images@1"]), desk.json(&["show", "images@2"])];
    assert_ne!(versions[0]["digest"], versions[1]["digest"]);

    desk.ok(&["get", "images@1", "-o", "old"]);
    assert_eq!(desk.read("old/0/0.txt"), "picture 0\n");
    assert_eq!(desk.read("old/best"), "picture 0\n");
    assert!(!desk.work().join("old/new.txt").exists());
    // a folder that is there is one to put it into, as for files
    desk.ok(&["get", "images@2", "-o", "old"]);
    assert_eq!(desk.read("old/images/new.txt"), "new\n");
    let (code, _) = desk.fails(&["get", "images@2", "-o", "old"]);
    assert_eq!(code, 5);
    // every file in it is content of the project, too
    let digest = stemma_core::Digest::of(b"picture 7\n").to_string();
    desk.ok(&["get", &digest, "-o", "seven.txt"]);
    assert_eq!(desk.read("seven.txt"), "picture 7\n");

    fs::remove_dir_all(desk.work().join("images")).unwrap();
    assert!(desk.ok(&["checkout"]).starts_with("restored  images"));
    assert_eq!(desk.read("images/0/0.txt"), "another picture\n");
}
