//! A home that is backed up while it is used, destroyed, and brought back.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};
use stemma_core::Digest;
use stemma_store::Store;

use crate::{
    by_command,
    desk::{Desk, Done, new_database, path},
    onnx,
    serving::Serving,
};

/// A desk whose model answers behind an endpoint, and the folder where its backups go.
fn desk() -> (Desk, String) {
    let desk = Desk::with_project();
    desk.ok(&["add", "data/applications.csv"]);
    desk.ok(&["register", "m", "model.onnx"]);
    desk.deploy("m");
    let target = vault(&desk);
    (desk, target)
}

fn vault(desk: &Desk) -> String {
    path(&fs::canonicalize(desk.work()).unwrap().parent().unwrap().join("vault")).to_owned()
}

fn predict(desk: &Desk) -> String {
    let answer = desk.json(&["predict", "credit-offer", "--data", r#"{"x": 2}"#]);
    answer["parameters"]["prediction_id"].as_str().unwrap().to_owned()
}

fn destroy(desk: &Desk) {
    fs::remove_dir_all(desk.work().join(".stemma")).unwrap();
}

/// Brings the newest backup to a machine that has never seen the home; whatever lies in a database comes into the folder.
fn elsewhere(target: &str) -> Desk {
    let other = Desk::new();
    other.ok(&["restore", target, "--in-folder"]);
    other
}

/// All files of a folder, with their sizes.
fn files(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.clone(), path.metadata().unwrap().len())),
        }
    }
    found.sort();
    found
}

fn holds(folder: &Path, bytes: &[u8]) -> bool {
    files(folder).iter().any(|(path, _)| fs::read(path).unwrap().windows(bytes.len()).any(|found| found == bytes))
}

/// Bytes that no codec shortens, the same for the same seed.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

#[test]
fn a_home_that_was_destroyed_comes_back_and_answers_the_same() {
    let (desk, target) = desk();
    let id = predict(&desk);
    desk.ok(&["feedback", &id, "--label", "5"]);
    let (why, log) = (desk.ok(&["why", &id]), desk.ok(&["log"]));
    let made = desk.json(&["backup", &target, "--with-keys"]);
    assert_eq!(made["keys"], "included");
    for (file, _) in files(Path::new(&target)) {
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }

    destroy(&desk);
    let restored = desk.ok(&["restore", &target, "--in-folder"]);
    assert!(restored.starts_with(&format!("restored backup {} of ", made["id"].as_str().unwrap())), "{restored}");
    assert!(!restored.contains("can't be opened") && !restored.contains("accept-head"), "{restored}");
    assert!(!desk.work().join(".stemma.restoring").exists());
    for (file, _) in files(&desk.work().join(".stemma")) {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{}", file.display());
    }
    let verified = desk.run(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{verified:#?}");
    assert_eq!(desk.ok(&["why", &id]), why);
    assert_eq!(desk.ok(&["log"]), log);
    assert!(desk.ok(&["replay", &id]).starts_with("same bits: "));
    assert!(desk.ok(&["verify"]).contains("all as it was"));
    // it is used on, as before
    desk.write("data/applications.csv", "age,risk\n");
    assert!(desk.ok(&["add", "data/applications.csv"]).starts_with("applications@2"));
    predict(&desk);
}

#[test]
fn what_is_there_already_is_not_sent_again() {
    let (desk, target) = desk();
    desk.write("big.bin", noise(1, 3 << 20));
    desk.ok(&["add", "big.bin"]);
    let first = desk.json(&["backup", &target, "--with-keys"]);
    assert!(first["sent_bytes"].as_u64().unwrap() > 3 << 20);
    let before = files(Path::new(&target));

    let id = predict(&desk);
    desk.write("small.bin", noise(2, 10 << 10));
    desk.ok(&["add", "small.bin"]);
    let second = desk.json(&["backup", &target, "--with-keys"]);
    let after = files(Path::new(&target));
    assert!(before.iter().all(|file| after.contains(file)), "nothing that was there is touched");
    let new: u64 = after.iter().filter(|file| !before.contains(file)).map(|(_, len)| len).sum();
    let sent = second["sent_bytes"].as_u64().unwrap();
    assert!((10 << 10..200 << 10).contains(&sent), "{sent}");
    // the manifest comes to it
    assert!((sent..sent + (10 << 10)).contains(&new), "{new} bytes are new, and {sent} were sent");

    let listed = desk.json(&["backup", &target, "--list"]);
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!((&listed[0]["id"], &listed[1]["id"]), (&first["id"], &second["id"]));
    let (old, new) = (Desk::new(), elsewhere(&target));
    old.ok(&["restore", &target, ".", "--in-folder", "--backup", &first["id"].as_str().unwrap()[..6]]);
    assert!(new.ok(&["why", &id]).contains("m@1.0.0"));
    // its id is one of this home, so it was answered once; the older backup does not have it
    let (code, stderr) = old.fails(&["why", &id]);
    assert!(code == 8 && stderr.contains("lost"), "{code}: {stderr}");
    assert!(desk.ok(&["backup", &target, "--verify"]).contains("can be restored"));
}

#[test]
fn a_backup_beside_a_server_has_all_that_was_answered_before_it() {
    let (desk, target) = desk();
    let serving = Serving::start(&desk);
    let body = r#"{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [2]}]}"#;
    let ask = || {
        let answer = serving.post("/v2/models/credit-offer/infer", "application/json", body);
        let json: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        json["parameters"]["prediction_id"].as_str().unwrap().to_owned()
    };
    let stop = std::sync::atomic::AtomicBool::new(false);
    let goes_on = || !stop.load(std::sync::atomic::Ordering::Relaxed);
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut ids = Vec::new();
            while goes_on() {
                ids.push(ask());
            }
            ids
        });
        let adding = scope.spawn(|| {
            let mut number = 0;
            while goes_on() {
                desk.write("more.bin", noise(number, 50 << 10));
                desk.ok(&["add", "more.bin"]);
                number += 1;
            }
            number
        });
        for round in 0..3 {
            let before = ask();
            desk.ok(&["backup", &target, "--with-keys"]);
            let other = elsewhere(&target);
            let why = other.run(&["why", &before]);
            assert_eq!(why.code, 0, "round {round}: {why:#?}");
            let verified = other.run(&["audit", "verify"]);
            assert_eq!(verified.code, 0, "round {round}: {verified:#?}");
            assert!(other.ok(&["verify"]).contains("all as it was"));
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(asking.join().unwrap().len() > 10);
        assert!(adding.join().unwrap() > 0);
    });
    assert_eq!(serving.stop(), Some(0));
}

#[test]
fn whatever_is_cut_short_is_no_backup_and_no_home() {
    let (desk, target) = desk();
    desk.ok(&["backup", &target, "--with-keys"]);
    let cut = |arguments: &[&str], at: &Desk, after: u64| {
        let mut child = at.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(after));
        let _ = child.kill();
        child.wait().unwrap().success()
    };
    let mut whole = 1;
    for (number, after) in [2, 8, 15, 25, 40, 60, 90, 150].into_iter().enumerate() {
        desk.write("more.bin", noise(number as u64, 2 << 20));
        desk.ok(&["add", "more.bin"]);
        whole += usize::from(cut(&["backup", &target, "--with-keys"], &desk, after));
        let listed = desk.json(&["backup", &target, "--list"]);
        let there = listed.as_array().unwrap().len();
        // one that was killed behind its last write is there
        assert!(there == whole || there == whole + 1, "{there} of {whole} after {after} ms");
        whole = there;
    }
    assert!(desk.ok(&["backup", &target, "--verify"]).contains("can be restored"));
    desk.ok(&["backup", &target, "--with-keys"]);

    for after in [2, 10, 20, 40, 60, 90, 140] {
        let other = Desk::new();
        cut(&["restore", &target, "--in-folder"], &other, after);
        if other.work().join(".stemma").exists() {
            assert_eq!(other.run(&["audit", "verify"]).code, 0, "after {after} ms");
        } else {
            assert_ne!(other.run(&["models"]).code, 0, "after {after} ms there is no home");
            other.ok(&["restore", &target, "--in-folder"]);
            assert!(!other.work().join(".stemma.restoring").exists());
        }
        assert!(other.ok(&["models"]).contains("1.0.0"));
    }
}

#[test]
fn damage_is_found_before_anything_is_put_in_place() {
    let (desk, target) = desk();
    desk.write("big.bin", noise(1, 300 << 10));
    desk.ok(&["add", "big.bin"]);
    let first = desk.json(&["backup", &target, "--with-keys"]);
    let packs: Vec<PathBuf> = files(Path::new(&target)).into_iter().map(|(path, _)| path).collect();
    let packs: Vec<&PathBuf> =
        packs.iter().filter(|path| path.extension().is_some_and(|kind| kind == "pack")).collect();
    let other = Desk::new();
    let fails = |what: &str| {
        for arguments in [&["restore", &target, "--in-folder"][..], &["backup", &target, "--verify"]] {
            let failed = other.run(arguments);
            assert_eq!(failed.code, 8, "{what}: {failed:#?}");
            assert!(failed.stderr.contains("the backup is damaged: "), "{what}: {failed:#?}");
            assert!(!other.work().join(".stemma").exists(), "{what}");
        }
    };
    for pack in &packs {
        let whole = fs::read(pack).unwrap();
        let mut altered = whole.clone();
        let middle = altered.len() / 2;
        altered[middle] ^= 1;
        fs::write(pack, &altered).unwrap();
        fails("a bit of a pack");
        fs::write(pack, &whole[..middle]).unwrap();
        fails("a cut pack");
        fs::remove_file(pack).unwrap();
        fails("a lost pack");
        fs::write(pack, whole).unwrap();
    }

    // the next one's manifest
    desk.ok(&["backup", &target, "--with-keys"]);
    let manifests = files(&Path::new(&target).join("backups"));
    let newest = &manifests.last().unwrap().0;
    let whole = fs::read_to_string(newest).unwrap();
    fs::write(newest, whole.replace("included", "left_out")).unwrap();
    fails("a manifest");
    let listed = other.run(&["backup", &target, "--list"]);
    assert_eq!(listed.code, 8);
    assert!(listed.stdout.contains("damaged: its bytes are not what they were"), "{listed:#?}");
    other.ok(&["restore", &target, "--in-folder", "--backup", first["id"].as_str().unwrap()]);
    assert_eq!(other.run(&["audit", "verify"]).code, 0);
}

#[test]
fn keys_go_along_or_stay_as_it_is_said() {
    let (desk, target) = desk();
    let id = predict(&desk);
    desk.ok(&["models"]);
    let home = desk.work().join(".stemma");
    let keys: Vec<Vec<u8>> =
        ["checkpoints/signing.key", "prediction.key"].iter().map(|key| fs::read(home.join(key)).unwrap()).collect();
    let made = desk.ok(&["backup", &target, "--without-keys"]);
    assert!(made.contains("not in it: checkpoints/signing.key, prediction.key; keep them elsewhere"), "{made}");
    assert!(keys.iter().all(|key| !holds(Path::new(&target), key)));

    let other = Desk::new();
    let restored = other.ok(&["restore", &target, "--in-folder"]);
    let hint = "it can't be opened before these are in it: checkpoints/signing.key, prediction.key";
    assert!(restored.contains(hint), "{restored}");
    let opened = other.run(&["models"]);
    assert!(opened.code == 7 && opened.stderr.contains("signing.key"), "{opened:#?}");
    let verified = other.run(&["audit", "verify"]);
    assert!(verified.code == 8 && verified.stdout.contains("signing key: 1 fault"), "{verified:#?}");

    let folder = desk.work().join("../keys");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("signing.key"), &keys[0]).unwrap();
    let with_keys = |at: &Desk| at.run(&["restore", &target, "--in-folder", "--keys", path(&folder)]);
    let lacking = with_keys(&Desk::new());
    assert!(lacking.code == 7 && lacking.stderr.contains("must hold `prediction.key`"), "{lacking:#?}");
    fs::write(folder.join("prediction.key"), &keys[0]).unwrap();
    let wrong = with_keys(&Desk::new());
    assert!(wrong.code == 7 && wrong.stderr.contains("`prediction.key` from "), "{wrong:#?}");
    assert!(wrong.stderr.contains("is no key of this home"), "{wrong:#?}");
    fs::write(folder.join("prediction.key"), &keys[1]).unwrap();
    let whole = Desk::new();
    assert_eq!(with_keys(&whole).code, 0);
    assert!(whole.ok(&["why", &id]).contains("m@1.0.0"));

    let made = desk.ok(&["backup", &target, "--with-keys"]);
    assert!(made.contains("whoever can read") && keys.iter().all(|key| holds(Path::new(&target), key)), "{made}");
}

#[test]
fn a_home_that_went_back_is_told_and_accepted() {
    let (desk, target) = desk();
    desk.ok(&["backup", &target, "--with-keys"]);
    desk.write("data/applications.csv", "age,risk\n");
    desk.ok(&["add", "data/applications.csv"]);
    destroy(&desk);
    let restored = desk.ok(&["restore", &target, "--in-folder"]);
    let went_back = "the home went back: it had ";
    assert!(restored.contains(went_back) && restored.contains("stemma audit accept-head --reason"), "{restored}");
    let verified = desk.run(&["audit", "verify"]);
    assert_eq!(verified.code, 8, "{verified:#?}");
    assert!(verified.stdout.contains(went_back), "{verified:#?}");
    assert!(
        verified.stdout.contains("the home agrees with itself, and others remember another history"),
        "{verified:#?}"
    );
    desk.ok(&["audit", "accept-head", "--reason", "the disk broke; the backup of the night is back"]);
    let verified = desk.run(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{verified:#?}");
}

#[test]
fn what_would_go_wrong_is_refused() {
    let (desk, target) = desk();
    let (code, stderr) = desk.fails(&["backup", &target]);
    assert!(code == 2 && stderr.contains("--with-keys"), "{stderr}");
    let (code, stderr) = desk.fails(&["backup", ".stemma/x", "--with-keys"]);
    assert!(code == 2 && stderr.contains("lies in the home"), "{stderr}");
    let (code, stderr) = desk.fails(&["backup", "http://a.b", "--with-keys"]);
    assert!(code == 2 && stderr.contains("is a server"), "{stderr}");
    let (code, stderr) = desk.fails(&["backup", &target, "--with-keys", "--server", "http://127.0.0.1:1"]);
    assert!(code == 2 && stderr.contains("where its files are"), "{stderr}");
    let (code, stderr) = desk.fails(&["backup", &target, "--list"]);
    assert!(code == 7 || code == 3, "{stderr}");
    assert!(!Path::new(&target).exists(), "looking makes nothing");

    desk.ok(&["backup", &target, "--with-keys"]);
    let (code, stderr) = desk.fails(&["restore", &target, "--in-folder"]);
    assert!(code == 5 && stderr.contains("is the home ") && stderr.contains("never put over anything"), "{stderr}");
    let (code, stderr) = desk.fails(&["restore", &target, "../new", "--in-folder", "--backup", "ffffffffffff"]);
    assert!(code == 3 && stderr.contains("there is no backup `ffffffffffff`"), "{stderr}");
    assert!(!desk.work().join("../new/.stemma").exists());

    // somebody else's home in the same place
    let other = Desk::with_home();
    let (code, stderr) = other.fails(&["backup", &target, "--with-keys"]);
    assert!(code == 5 && stderr.contains("backups of another home"), "{stderr}");
    let manifests = files(&Path::new(&target).join("backups"));
    let whole: Vec<_> = manifests.iter().map(|(path, _)| (path, fs::read(path).unwrap())).collect();
    for (path, bytes) in &whole {
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    }
    for _ in 0..2 {
        let (code, stderr) = other.fails(&["backup", &target, "--with-keys"]);
        assert!(code == 5 && stderr.contains("so whose they are is not known"), "{stderr}");
    }
    for (path, bytes) in whole {
        fs::write(path, bytes).unwrap();
    }

    // the disk is not mounted
    fs::rename(&target, format!("{target}-away")).unwrap();
    let (code, stderr) = desk.fails(&["backup", &target, "--with-keys"]);
    assert!(code == 5 && stderr.contains("mount its disk") && !Path::new(&target).exists(), "{stderr}");
    fs::create_dir(&target).unwrap();
    let (code, stderr) = desk.fails(&["backup", &target, "--with-keys"]);
    assert!(code == 5 && stderr.contains("is empty now"), "{stderr}");
    desk.ok(&["backup", &target, "--with-keys", "--create"]);

    // no backup is made of what is lost or damaged
    let packs = files(&desk.work().join(".stemma/content/packs"));
    let whole = fs::read(&packs[0].0).unwrap();
    fs::remove_file(&packs[0].0).unwrap();
    let (code, stderr) = desk.fails(&["backup", &target, "--with-keys"]);
    assert!(code == 8 && stderr.contains("no backup is made of it"), "{stderr}");
    fs::write(&packs[0].0, whole).unwrap();
    desk.ok(&["backup", &target, "--with-keys"]);
    let head = desk.work().join(".stemma/checkpoints/last.checkpoint");
    let whole = fs::read(&head).unwrap();
    fs::write(&head, "a head of somebody else").unwrap();
    let (code, stderr) = desk.fails(&["backup", &target, "--with-keys"]);
    assert!(code == 8 && stderr.contains("the home is not what it was (signed head): "), "{stderr}");
    fs::write(&head, whole).unwrap();
    assert_eq!(desk.json(&["backup", &target, "--list"]).as_array().unwrap().len(), 2);
}

#[test]
fn purged_content_keeps_nobody_from_a_backup() {
    let desk = Desk::with_home();
    let target = vault(&desk);
    desk.write("folder/a.bin", noise(1, 100_000));
    desk.write("folder/b.bin", noise(2, 100_000));
    desk.write("alone.bin", noise(3, 100_000));
    desk.ok(&["add", "folder", "alone.bin"]);
    let digest = format!("b3:{}", blake3::hash(&noise(1, 100_000)).to_hex());
    desk.ok(&["purge", &digest, "--reason", "a person asked for it"]);
    desk.ok(&["backup", &target, "--with-keys"]);
    let other = elsewhere(&target);
    assert_eq!(other.run(&["audit", "verify"]).code, 0);
    assert!(!holds(&other.work(), &noise(1, 1000)));
    assert!(other.ok(&["show", "folder@1"]).contains("folder"));
    other.ok(&["get", "alone@1", "-o", "out.bin"]);
    assert!(fs::read(other.work().join("out.bin")).unwrap() == noise(3, 100_000));
}

/// Takes content out of a home's store, as a disk would: no fact says so.
fn lose(desk: &Desk, digest: Digest) {
    let store = Store::open(&desk.work().join(".stemma/content")).unwrap();
    let removed = store.purge(&[digest], &mut || Ok(Vec::new()), SystemTime::now(), &mut |_| {}).unwrap();
    assert_eq!(removed.removed, [digest]);
}

fn lacks(desk: &Desk, target: &str, digest: Digest) {
    let (code, stderr) = desk.fails(&["backup", target, "--with-keys"]);
    let message = format!("the home lacks content that its facts need: `{digest}`");
    assert!(code == 8 && stderr.contains(&message), "{stderr}");
    let listed = desk.run(&["backup", target, "--list"]);
    assert!(!listed.stdout.contains("included"), "{listed:#?}");
}

#[test]
fn a_folder_without_one_of_its_files_is_not_whole() {
    let desk = Desk::with_home();
    let target = vault(&desk);
    desk.write("folder/inner/a.bin", noise(1, 100_000));
    desk.write("folder/b.bin", noise(2, 100_000));
    desk.ok(&["add", "folder"]);
    let digest = Digest::of(&noise(1, 100_000));
    lose(&desk, digest);
    lacks(&desk, &target, digest);
    // what is gone by a fact keeps nobody from it
    desk.ok(&["add", "folder"]);
    desk.ok(&["purge", &digest.to_string(), "--reason", "a person asked for it"]);
    desk.ok(&["backup", &target, "--with-keys"]);
}

#[test]
fn what_documents_name_is_needed_too() {
    let desk = by_command::desk();
    let target = vault(&desk);
    by_command::train(&desk, "first");
    let report = desk.json(&["register", "digits", "model.onnx"])["evaluation"].clone();
    let predictions: Digest = report["predictions"].as_str().unwrap().parse().unwrap();
    desk.ok(&["backup", &target, "--with-keys"]);
    lose(&desk, predictions);
    let other = vault(&desk) + "-2";
    lacks(&desk, &other, predictions);

    // a lock file is named by the environment; one that was never kept is not missed
    let desk = Desk::with_home();
    let target = vault(&desk);
    desk.write("uv.lock", "version = 1\n");
    desk.write("train.py", "open('model.bin', 'w').write('x')");
    desk.ok(&["run", "--", "python3", "train.py"]);
    let lock = Digest::of(b"version = 1\n");
    lose(&desk, lock);
    lacks(&desk, &target, lock);
}

type Change<'c> = Box<dyn Fn(&mut Value) + 'c>;

/// Puts another manifest beside those of a place, which is newer.
fn forge(target: &str, change: impl Fn(&mut Value)) -> PathBuf {
    let newest = files(&Path::new(target).join("backups")).pop().unwrap().0;
    let mut manifest: Value = serde_json::from_slice(&fs::read(&newest).unwrap()).unwrap();
    change(&mut manifest);
    let made = manifest["made"].as_i64().unwrap() + 1;
    manifest["made"] = json!(made);
    let text = manifest.to_string();
    let forged = newest.with_file_name(format!("{made:020}-{}", Digest::of(text.as_bytes()).hex()));
    fs::write(&forged, text).unwrap();
    forged
}

#[test]
fn a_forged_manifest_reaches_nothing_outside_of_the_home() {
    let (desk, target) = desk();
    predict(&desk);
    desk.ok(&["backup", &target, "--without-keys"]);
    let keys = desk.work().join("../keys");
    fs::create_dir(&keys).unwrap();
    for key in ["signing.key", "prediction.key", "stolen.key"] {
        fs::write(keys.join(key), "secret").unwrap();
    }
    let outside = path(&fs::canonicalize(desk.work()).unwrap().parent().unwrap().join("stolen.key")).to_owned();
    let left_out = |manifest: &mut Value, path: &str| manifest["left_out"].as_array_mut().unwrap().push(json!(path));
    let names = |manifest: &mut Value, path: &str| {
        let mut file = manifest["files"][0].clone();
        file["path"] = json!(path);
        manifest["files"].as_array_mut().unwrap().push(file);
    };
    let changes: [(Change<'_>, &str); 7] = [
        (Box::new(|manifest| left_out(manifest, &outside)), "which can't be in a home"),
        (Box::new(|manifest| left_out(manifest, "checkpoints/../../../stolen.key")), "which can't be in a home"),
        (Box::new(|manifest| names(manifest, "ledger.db")), "`ledger.db`, which can't be in a home's backup"),
        (Box::new(|manifest| names(manifest, "content/packs/1.pack")), "which can't be in a home's backup"),
        (Box::new(|manifest| names(manifest, "home.json")), "it names `home.json` twice"),
        (Box::new(|manifest| names(manifest, "checkpoints/signing.key")), "it names `checkpoints/signing.key` twice"),
        (Box::new(|manifest| manifest["keys"] = json!("included")), "says that the keys are in it"),
    ];
    for (change, told) in changes {
        let forged = forge(&target, change);
        let other = Desk::new();
        let failed = other.run(&["restore", &target, "--in-folder", "--keys", path(&keys)]);
        assert_eq!(failed.code, 8, "{failed:#?}");
        assert!(
            failed.stderr.contains("the backup is damaged: the manifest of ") && failed.stderr.contains(told),
            "{failed:#?}"
        );
        assert!(!other.work().join(".stemma").exists() && !Path::new(&outside).exists());
        fs::remove_file(forged).unwrap();
    }

    // one that says nothing of the keys: the audit finds that they are missing
    let forged = forge(&target, |manifest| {
        manifest["keys"] = json!("included");
        manifest.as_object_mut().unwrap().remove("left_out");
    });
    let restored = Desk::new().ok(&["restore", &target, "--in-folder"]);
    let told = "it can't be opened before these are in it: checkpoints/signing.key, prediction.key";
    assert!(restored.contains(told), "{restored}");
    let verified = desk.ok(&["backup", &target, "--verify"]);
    assert!(verified.contains("it can't be opened without checkpoints/signing.key, prediction.key"), "{verified}");
    fs::remove_file(forged).unwrap();
}

#[test]
fn a_database_gets_nothing_of_a_backup_that_fails() {
    if std::env::var_os("STEMMA_TEST_POSTGRES").is_none() {
        eprintln!("note: backups of homes in PostgreSQL are not tested; `cargo xtask test` names a database");
        return;
    }
    let (desk, target) = desk();
    let whole = desk.json(&["backup", &target, "--with-keys"]);
    // the signed head is another file of the home, which came as it is
    forge(&target, |manifest| {
        let files = manifest["files"].as_array_mut().unwrap();
        let other = files.iter().find(|file| file["path"] == "home.json").unwrap().clone();
        let head = files.iter_mut().find(|file| file["path"] == "checkpoints/last.checkpoint").unwrap();
        (head["digest"], head["size"]) = (other["digest"].clone(), other["size"].clone());
    });
    let url = new_database();
    let other = Desk::new();
    let failed = other.run(&["restore", &target, "--database", &url]);
    assert!(failed.code == 8 && failed.stderr.contains("the audit of what it holds fails"), "{failed:#?}");
    other.ok(&["restore", &target, "--database", &url, "--backup", whole["id"].as_str().unwrap()]);
    other.ok(&["audit", "verify"]);
    assert!(!other.work().join(".stemma/ledger.db").exists() && !other.work().join(".stemma/backups").exists());
}

#[test]
fn a_ledger_moves_between_the_folder_and_a_database() {
    if std::env::var_os("STEMMA_TEST_POSTGRES").is_none() {
        eprintln!("note: backups of homes in PostgreSQL are not tested; `cargo xtask test` names a database");
        return;
    }
    let (desk, url) = (Desk::new(), new_database());
    let target = vault(&desk);
    desk.ok(&["init", "--database", &url]);
    desk.write("data.csv", "a\n1\n");
    desk.ok(&["add", "data.csv"]);
    desk.ok(&["backup", &target, "--with-keys"]);
    let refused = Desk::new().run(&["restore", &target]);
    assert!(refused.code == 2 && refused.stderr.contains("--in-folder"), "{refused:#?}");
    // the folder was lost, and the database that holds this very ledger was not
    destroy(&desk);
    desk.ok(&["restore", &target, "--database", &url]);
    desk.ok(&["audit", "verify"]);

    let folder = elsewhere(&target);
    assert!(folder.work().join(".stemma/ledger.db").exists());
    folder.ok(&["audit", "verify"]);
    folder.write("data.csv", "a\n2\n");
    assert!(folder.ok(&["add", "data.csv"]).starts_with("data@2"));
    let second = vault(&folder);
    folder.ok(&["backup", &second, "--with-keys"]);

    // the database holds another history of the home by now
    let (code, stderr) = Desk::new().fails(&["restore", &second, "--database", &url]);
    assert!(code == 5 && stderr.contains("there is a ledger already") && stderr.contains("?schema=NAME"), "{stderr}");
    let back = Desk::new();
    back.ok(&["restore", &second, "--database", &new_database()]);
    assert!(!back.work().join(".stemma/ledger.db").exists());
    back.ok(&["audit", "verify"]);
    assert!(back.ok(&["show", "data@2"]).contains("data.csv"));
}

#[test]
fn a_bucket_is_a_place_like_any_other() {
    let Some(program) = std::env::var_os("STEMMA_TEST_MOTO") else {
        let required = std::env::var_os("STEMMA_TEST_REQUIRE_ALL").is_some() || std::env::var_os("CI").is_some();
        assert!(!required, "STEMMA_TEST_MOTO is not set: run the tests with `cargo xtask test`");
        eprintln!("note: backups in buckets are not tested, STEMMA_TEST_MOTO is not set; `cargo xtask test` sets it");
        return;
    };
    let bucket = Bucket::start(&program);
    let (desk, _) = desk();
    desk.write("big.bin", noise(1, 9 << 20));
    desk.ok(&["add", "big.bin"]);
    let id = predict(&desk);
    let at = |desk: &Desk, arguments: &[&str]| {
        let place = ["s3://vault/home", "--endpoint", &bucket.address, "--region", "us-east-1", "--allow-http"];
        let mut command = desk.command(&[&arguments[..1], &place, &arguments[1..]].concat());
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        Done::of(command.output().unwrap())
    };
    for _ in 0..2 {
        let made = at(&desk, &["backup", "--with-keys", "--json"]);
        assert_eq!(made.code, 0, "{made:#?}");
    }
    let listed = at(&desk, &["backup", "--list", "--json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(at(&desk, &["backup", "--verify"]).code, 0);
    let other = Desk::new();
    let restored = at(&other, &["restore", "--in-folder"]);
    assert_eq!(restored.code, 0, "{restored:#?}");
    assert!(other.ok(&["why", &id]).contains("m@1.0.0"));
}

/// A foreign S3 server with one bucket.
struct Bucket {
    child: std::process::Child,
    address: String,
}

impl Bucket {
    fn start(program: &std::ffi::OsStr) -> Self {
        use std::io::{BufRead as _, BufReader, Read as _, Write as _};
        let mut child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            line.split_once("http://127.0.0.1:").map(|(_, port)| port.trim().to_owned())
        });
        // it goes on writing a line for each request
        thread::spawn(move || lines.for_each(drop));
        let host = format!("127.0.0.1:{}", port.expect("the server says its port"));
        let mut stream = std::net::TcpStream::connect(&host).unwrap();
        let credential = "AWS4-HMAC-SHA256 Credential=t/20260101/us-east-1/s3/aws4_request";
        write!(
            stream,
            "PUT /vault HTTP/1.1\r\nhost: {host}\r\nauthorization: {credential}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        Self { child, address: format!("http://{host}") }
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn versions_and_answers_are_the_same_elsewhere() {
    let (desk, target) = desk();
    let first = predict(&desk);
    desk.write("model.onnx", onnx::doubling("second"));
    desk.ok(&["register", "m", "model.onnx"]);
    desk.ok(&["backup", &target, "--with-keys"]);
    let other = elsewhere(&target);
    assert!(other.ok(&["replay", &first]).starts_with("same bits: "));
    assert_eq!(other.json(&["models"]), desk.json(&["models"]));
}
