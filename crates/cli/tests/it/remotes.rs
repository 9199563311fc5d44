//! Content that goes to a remote and comes back into a fresh clone.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::{
        ffi::OsStringExt as _,
        fs::{PermissionsExt as _, symlink},
    },
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    thread,
};

use serde_json::json;

use crate::{desk::Desk, serving::Serving};

/// What a fresh clone gets from Git: the project's files without its home.
fn clone(from: &Desk) -> Desk {
    let clone = Desk::new();
    for name in ["stemma.toml", "stemma.lock"] {
        clone.write(name, from.read(name));
    }
    clone
}

fn git(desk: &Desk, args: &[&str]) {
    let identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main"];
    let status = Command::new("git").current_dir(desk.work()).args(identity).args(args).output().unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
}

#[test]
fn content_goes_to_a_folder_and_comes_back_into_a_fresh_clone() {
    let desk = Desk::with_project();
    let shared = desk.work().join("../team");
    let url = fs::canonicalize(desk.work()).unwrap().parent().unwrap().join("team");
    git(&desk, &["init", "-q"]);
    desk.ok(&["add", "data/applications.csv"]);
    git(&desk, &["add", "stemma.toml", "stemma.lock"]);
    git(&desk, &["commit", "-qm", "one"]);
    let first = desk.read("data/applications.csv");
    desk.write("data/applications.csv", format!("{first}50,good\n"));
    desk.ok(&["add", "data/applications.csv"]);

    let (code, stderr) = desk.fails(&["push"]);
    assert_eq!((code, stderr.contains("stemma remote add")), (7, true), "{stderr}");
    desk.ok(&["remote", "add", "origin", url.to_str().unwrap()]);
    assert!(desk.ok(&["remote", "list"]).contains("origin"));
    let planned = desk.json(&["push", "--dry-run"]);
    assert_eq!(planned["contents"], 2, "the content and the state of stemma.lock");
    assert!(!shared.join("packs").exists(), "nothing was sent");
    let pushed = desk.json(&["push", "origin"]);
    assert_eq!((&pushed["contents"], pushed["bytes"].as_u64().unwrap() > 0), (&planned["contents"], true));
    assert_eq!(desk.ok(&["push"]), "`origin` has everything\n");
    assert!(shared.join("refs").is_dir());

    let clone = clone(&desk);
    let pulled = clone.json(&["pull"]);
    assert_eq!((&pulled["contents"], &pulled["absent"]), (&serde_json::json!(1), &serde_json::json!([])));
    clone.ok(&["checkout"]);
    assert_eq!(clone.read("data/applications.csv"), desk.read("data/applications.csv"));
    assert!(clone.ok(&["pull"]).contains("is here"));

    // what earlier commits name goes only when asked for
    let absent = clone.json(&["push", "--dry-run"]);
    assert_eq!(absent["contents"], 0);
    assert_eq!(desk.json(&["push", "--all-commits"])["contents"], 1);
    desk.ok(&["remote", "remove", "origin"]);
    assert!(!desk.read("stemma.toml").contains("[remote"));
}

#[test]
fn what_a_remote_lacks_or_has_damaged_is_said_by_path() {
    let desk = Desk::with_project();
    let url = fs::canonicalize(desk.work()).unwrap().parent().unwrap().join("team");
    desk.ok(&["add", "data/applications.csv"]);
    desk.ok(&["remote", "add", "origin", url.to_str().unwrap()]);
    fs::create_dir(&url).unwrap();
    let fresh = clone(&desk);
    let done = fresh.run(&["pull"]);
    assert_eq!(done.code, 3, "{done:#?}");
    assert!(done.stdout.ends_with("neither here nor at the remote: data/applications.csv\n"), "{done:#?}");

    desk.ok(&["push", "data/applications.csv"]);
    for entry in fs::read_dir(url.join("packs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "pack") {
            let mut bytes = fs::read(&path).unwrap();
            bytes[100] ^= 1;
            fs::write(&path, bytes).unwrap();
        }
    }
    let (code, stderr) = fresh.fails(&["pull"]);
    assert_eq!(code, 8);
    assert!(stderr.contains(".pack"), "{stderr}");

    for secret in ["s3://key:hunter2@bucket/x", "https://me:hunter2@host/"] {
        let (code, stderr) = desk.fails(&["remote", "add", "other", secret]);
        assert_eq!((code, stderr.contains("hunter2")), (2, false), "{stderr}");
    }
    let (code, stderr) = desk.fails(&["push", "orgin"]);
    assert_eq!(code, 3, "{stderr}");
}

#[test]
fn a_remote_that_is_gone_is_not_made_again_in_silence() {
    let desk = Desk::with_project();
    let base = fs::canonicalize(desk.work()).unwrap().parent().unwrap().to_owned();
    let (disk, url) = (base.join("disk"), base.join("disk/team"));
    fs::create_dir(&disk).unwrap();
    desk.ok(&["add", "data/applications.csv"]);
    desk.ok(&["remote", "add", "origin", url.to_str().unwrap()]);
    desk.ok(&["push"]);
    assert_eq!(fs::read_dir(url.join("id")).unwrap().count(), 1);

    // the disk is not mounted
    fs::rename(&disk, base.join("unmounted")).unwrap();
    fs::create_dir(&disk).unwrap();
    for arguments in [&["push"][..], &["push"], &["push", "--dry-run"]] {
        let (code, stderr) = desk.fails(arguments);
        assert_eq!(code, 5, "{stderr}");
        assert!(stderr.contains("`origin` was pushed to before, and is not there any more"), "{stderr}");
        assert!(stderr.contains("--create"), "{stderr}");
        assert!(!url.exists());
    }
    let (code, stderr) = clone(&desk).fails(&["pull"]);
    assert_eq!((code, stderr.contains("is not there")), (3, true), "{stderr}");

    // another disk is
    fs::create_dir(&url).unwrap();
    assert!(desk.fails(&["push"]).1.contains("is empty now"));
    let other = Desk::with_project();
    other.ok(&["add", "train.py"]);
    other.ok(&["remote", "add", "origin", url.to_str().unwrap()]);
    other.ok(&["push"]);
    assert!(desk.fails(&["push"]).1.contains("is another one now"));

    // with the right one all is as it was
    fs::remove_dir_all(&disk).unwrap();
    fs::rename(base.join("unmounted"), &disk).unwrap();
    desk.ok(&["push"]);

    // who wants another one says so, or calls it another
    fs::remove_dir_all(&url).unwrap();
    desk.ok(&["push", "--create"]);
    desk.ok(&["push"]);
    fs::remove_dir_all(&url).unwrap();
    desk.ok(&["remote", "remove", "origin"]);
    desk.ok(&["remote", "add", "origin", url.to_str().unwrap()]);
    desk.ok(&["push"]);
    assert_eq!(clone(&desk).json(&["pull"])["absent"], json!([]));
}

#[test]
fn a_server_with_another_home_is_not_the_remote_that_was() {
    let desk = Desk::with_project();
    desk.ok(&["add", "data/applications.csv"]);
    let (first, second) = (Desk::with_home(), Desk::with_home());
    let serving = Serving::start(&first);
    desk.ok(&["remote", "add", "origin", &serving.address]);
    desk.ok(&["push"]);
    desk.ok(&["push"]);
    let other = Serving::start(&second);
    desk.write("stemma.toml", desk.read("stemma.toml").replace(&serving.address, &other.address));
    let (code, stderr) = desk.fails(&["push"]);
    assert_eq!((code, stderr.contains("is another one now")), (5, true), "{stderr}");
    desk.ok(&["push", "--create"]);
    desk.ok(&["push"]);
}

/// What lies in a folder: each path with its kind, its bytes and whether it can be executed.
fn listing(root: &Path) -> BTreeMap<PathBuf, (char, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let what = match meta.file_type() {
                kind if kind.is_dir() => ('d', Vec::new()),
                kind if kind.is_symlink() => ('l', fs::read_link(&path).unwrap().into_os_string().into_vec()),
                _ if meta.permissions().mode() & 0o100 != 0 => ('x', fs::read(&path).unwrap()),
                _ => ('f', fs::read(&path).unwrap()),
            };
            if what.0 == 'd' {
                folders.push(path.clone());
            }
            found.insert(path.strip_prefix(root).unwrap().to_owned(), what);
        }
    }
    found
}

/// A folder with everything that a folder may hold, some of it several hundred times.
fn fill_folder(desk: &Desk) {
    for n in 0..300 {
        desk.write(&format!("images/class-{}/{n}.txt", n % 7), format!("picture {n}\n").repeat(1 + n % 5));
    }
    desk.write("images/deep/er/run.sh", "#!/bin/sh\necho hello\n");
    let images = desk.work().join("images");
    fs::set_permissions(images.join("deep/er/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("er/run.sh", images.join("deep/link")).unwrap();
    fs::create_dir(images.join("empty")).unwrap();
    desk.write("images/long.bin", noise(3 << 20));
}

/// Bytes that don't compress, always the same.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length / 8).flat_map(|_| next()).collect()
}

#[test]
fn a_folder_goes_to_a_server_and_comes_back_elsewhere_in_a_few_requests() {
    let (home, desk) = (Desk::with_home(), Desk::with_project());
    let serving = Serving::start(&home);
    fill_folder(&desk);
    desk.ok(&["add", "data/applications.csv", "images"]);
    desk.ok(&["remote", "add", "origin", &serving.address]);

    let planned = desk.json(&["push", "--dry-run"]);
    let pushed = desk.json(&["push"]);
    assert_eq!((&pushed["contents"], &pushed["bytes"]), (&planned["contents"], &planned["bytes"]));
    assert!(pushed["contents"].as_u64().unwrap() > 300, "{pushed}");
    assert!(pushed["requests"].as_u64().unwrap() < 10, "{pushed}");
    let again = desk.json(&["push"]);
    assert_eq!((&again["contents"], &again["bytes"]), (&json!(0), &json!(0)));

    let first = clone(&desk);
    let pulled = first.json(&["pull"]);
    assert_eq!((&pulled["contents"], &pulled["absent"]), (&pushed["contents"], &json!([])));
    assert!(pulled["requests"].as_u64().unwrap() < 10, "{pulled}");
    first.ok(&["checkout"]);
    assert_eq!(listing(&first.work().join("images")), listing(&desk.work().join("images")));
    assert_eq!(first.read("data/applications.csv"), desk.read("data/applications.csv"));

    // of a second version only what is new goes: one file, and the nodes above it
    desk.write("images/class-3/3.txt", "another picture\n");
    desk.ok(&["add", "images"]);
    let pushed = desk.json(&["push"]);
    assert!((2..=4).contains(&pushed["contents"].as_u64().unwrap()), "{pushed}");
    assert!(pushed["bytes"].as_u64().unwrap() < 100_000, "{pushed}");
    assert!(pushed["requests"].as_u64().unwrap() < 6, "{pushed}");
    first.write("stemma.lock", desk.read("stemma.lock"));
    let pulled = first.json(&["pull"]);
    assert_eq!((&pulled["contents"], &pulled["bytes"]), (&pushed["contents"], &pushed["bytes"]));
    first.ok(&["checkout"]);
    assert_eq!(listing(&first.work().join("images")), listing(&desk.work().join("images")));
}

#[test]
fn what_one_project_sent_to_a_server_is_not_there_for_another() {
    let (home, desk) = (Desk::with_home(), Desk::with_project());
    let serving = Serving::start(&home);
    desk.write("images/a.txt", "a");
    desk.ok(&["add", "images"]);
    desk.ok(&["remote", "add", "origin", &serving.address]);
    home.ok(&["project", "create", "other"]);
    let pushed = desk.json(&["push"]);
    assert_eq!(desk.json(&["push", "--project", "other", "--dry-run"])["contents"], pushed["contents"]);
    let stranger = clone(&desk);
    let done = stranger.run(&["pull", "--project", "other"]);
    assert_eq!((done.code, done.stdout.ends_with("neither here nor at the remote: images\n")), (3, true), "{done:#?}");
    assert_eq!(stranger.json(&["pull"])["absent"], json!([]));
}

/// A way to a server on which only so many bytes pass in each direction, until it is mended.
struct Cable {
    address: String,
    left: Arc<AtomicI64>,
}

impl Cable {
    fn to(server: &str, bytes: i64) -> Self {
        let (listener, server) = (TcpListener::bind("127.0.0.1:0").unwrap(), server.replace("http://", ""));
        let address = format!("http://{}", listener.local_addr().unwrap());
        let left = Arc::new(AtomicI64::new(bytes));
        let passes = left.clone();
        thread::spawn(move || {
            for here in listener.incoming() {
                let (here, there) = (here.unwrap(), TcpStream::connect(&server).unwrap());
                for (from, to) in [(&here, &there), (&there, &here)] {
                    let (from, to, passes) = (from.try_clone().unwrap(), to.try_clone().unwrap(), passes.clone());
                    thread::spawn(move || pass(&from, &to, &passes));
                }
            }
        });
        Self { address, left }
    }

    fn set(&self, bytes: i64) {
        self.left.store(bytes, Ordering::SeqCst);
    }
}

fn pass(mut from: &TcpStream, mut to: &TcpStream, left: &AtomicI64) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if left.fetch_sub(read as i64, Ordering::SeqCst) < read as i64 || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

#[test]
fn a_transfer_that_was_cut_goes_on_where_it_was() {
    let (home, desk) = (Desk::with_home(), Desk::with_project());
    let serving = Serving::start(&home);
    let bytes = noise(20 << 20);
    for (n, part) in bytes.chunks(512 << 10).enumerate() {
        desk.write(&format!("parts/{n}.bin"), part);
    }
    desk.ok(&["add", "parts"]);
    let cable = Cable::to(&serving.address, 12 << 20);
    desk.ok(&["remote", "add", "origin", &cable.address]);
    let (code, stderr) = desk.fails(&["push"]);
    assert_eq!(code, 9, "{stderr}");
    cable.set(i64::MAX);
    let rest = desk.json(&["push"]);
    assert!((5 << 20..14 << 20).contains(&rest["bytes"].as_u64().unwrap()), "{rest}");

    let other = clone(&desk);
    cable.set(12 << 20);
    let done = other.run(&["pull"]);
    assert_eq!(done.code, 9, "{done:#?}");
    cable.set(i64::MAX);
    let rest = other.json(&["pull"]);
    assert!((5 << 20..10 << 20).contains(&rest["bytes"].as_u64().unwrap()), "{rest}");
    other.ok(&["checkout"]);
    assert_eq!(listing(&other.work().join("parts")), listing(&desk.work().join("parts")));
}

#[test]
fn what_was_pushed_to_a_server_is_no_garbage_there() {
    let (home, desk) = (Desk::with_home(), Desk::with_project());
    desk.write("images/a.txt", "a");
    desk.ok(&["add", "data/applications.csv", "images"]);
    let serving = Serving::start(&home);
    desk.ok(&["remote", "add", "origin", &serving.address]);
    desk.ok(&["push"]);
    let events = || home.json(&["audit", "verify"])["events"].clone();
    let once = events();
    desk.ok(&["push"]);
    assert_eq!(events(), once, "that it stays is one fact");
    drop(serving);
    for _ in 0..3 {
        home.ok(&["gc", "--yes", "--grace", "0"]);
    }
    let serving = Serving::start(&home);
    let clone = clone(&desk);
    clone.write("stemma.toml", format!("[remote.origin]\nurl = \"{}\"\n", serving.address));
    assert_eq!(clone.json(&["pull"])["absent"], json!([]));
    clone.ok(&["checkout"]);
    assert_eq!(clone.read("images/a.txt"), "a");
}
