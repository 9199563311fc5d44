//! Who keeps the heads of a home because the project declares it: a folder on other storage, and another Stemma.

use std::{
    fs,
    process::{Child, Stdio},
};

use serde_json::Value;

use crate::desk::{Desk, path};

/// A home that witnesses others.
struct Witness {
    child: Child,
    address: String,
    key: String,
}

impl Witness {
    fn of(desk: &Desk, listen: &str, homes: &[&str]) -> Self {
        let homes = homes.iter().flat_map(|key| ["--witness-of", *key]);
        let arguments: Vec<&str> = ["serve", "--json", "--listen", listen].into_iter().chain(homes).collect();
        let mut command = desk.command(&arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let said = child.stdout.take().unwrap();
        let said: Value = serde_json::Deserializer::from_reader(said).into_iter().next().unwrap().unwrap();
        let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
        Self { child, address: text("address"), key: text("witness_key") }
    }

    fn listen(&self) -> String {
        self.address.trim_start_matches("http://").to_owned()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn declare(desk: &Desk, witness: &str) {
    let settings = fs::read_to_string(desk.work().join("stemma.toml")).unwrap_or_default();
    desk.write("stemma.toml", format!("{settings}\n{witness}\n"));
}

fn add_user(desk: &Desk, name: &str) {
    desk.ok(&["user", "add", name, "--role", "reader"]);
}

fn key(desk: &Desk) -> String {
    // said even if a witness can't be reached
    let said: Value = serde_json::from_str(&desk.run(&["audit", "checkpoint", "--json"]).stdout).unwrap();
    said["key"].as_str().unwrap().to_owned()
}

/// Exit code and errors of a checkpoint that is printed although a witness does not take it.
fn checkpoint(desk: &Desk) -> (i32, String) {
    let done = desk.run(&["audit", "checkpoint"]);
    (done.code, done.stderr)
}

/// The part of an audit that one witness has, whatever came of the rest.
fn audited(desk: &Desk, name: &str) -> Value {
    let report: Value = serde_json::from_str(&desk.run(&["audit", "verify", "--json"]).stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no check `{name}`: {report:#}")).clone()
}

/// Puts the home back to what it was before something was done, with all that this machine and the project remember.
fn put_back(desk: &Desk, act: impl FnOnce()) {
    let parts = [".stemma", "stemma.heads", "../config"].map(|part| desk.work().join(part));
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        let copied = std::process::Command::new("cp").args(["-a", path(from), path(to)]).status().unwrap();
        assert!(copied.success());
    };
    let kept = parts.each_ref().map(|part| part.with_extension("kept"));
    parts.iter().zip(&kept).for_each(|(part, kept)| copy(part, kept));
    act();
    for (part, kept) in parts.iter().zip(&kept) {
        let _ = fs::remove_dir_all(part).or_else(|_| fs::remove_file(part));
        fs::rename(kept, part).unwrap();
    }
}

#[test]
fn a_folder_on_other_storage_notices_what_machine_and_project_forgot() {
    let desk = Desk::with_home();
    let vault = tempfile::tempdir().unwrap();
    add_user(&desk, "eve@example.org");
    let folder = path(vault.path()).to_owned();
    declare(&desk, &format!("[witness.vault]\nfolder = \"{folder}/not-mounted\""));
    let (code, said) = checkpoint(&desk);
    assert!(code == 7 && said.contains("witness vault: the folder"), "{said}");
    let check = audited(&desk, "witness vault");
    assert_eq!((&check["verdict"], &check["looked_at"]), (&"passed_in_part".into(), &0.into()), "{check}");

    fs::create_dir(vault.path().join("not-mounted")).unwrap();
    assert!(
        audited(&desk, "witness vault")["not_covered"][0].as_str().unwrap().contains("keeps no head of this home yet")
    );
    put_back(&desk, || {
        add_user(&desk, "late@example.org");
        let told = desk.json(&["audit", "checkpoint"]);
        assert_eq!((&told["witnesses"][0]["witness"], &told["witnesses"][0]["size"]), (&"vault".into(), &11.into()));
        let check = audited(&desk, "witness vault");
        assert_eq!((&check["verdict"], &check["looked_at"]), (&"passed".into(), &1.into()), "{check}");
    });
    let check = audited(&desk, "witness vault");
    assert_eq!((&check["verdict"], &check["faults"][0]["seq"]), (&"failed".into(), &9.into()), "{check}");
    let (code, said) = checkpoint(&desk);
    assert!(code == 8 && said.contains("witness vault: the home went back: it had 11 events"), "{said}");
    assert_eq!(desk.run(&["audit", "verify"]).code, 8);
}

#[test]
fn another_stemma_co_signs_what_continues_and_nothing_else() {
    let (desk, other, stranger) = (Desk::with_home(), Desk::with_home(), Desk::with_home());
    let witness = Witness::of(&other, "127.0.0.1:0", &[&key(&desk)]);
    let listen = witness.listen();
    let declaration = |key: &str| format!("[witness.auditors]\nserver = \"http://{listen}\"\nkey = \"{key}\"");
    declare(&stranger, &declaration(&witness.key));
    let (code, said) = checkpoint(&stranger);
    assert!(code == 4 && said.contains("this server is no witness of"), "{said}");

    declare(&desk, &declaration(&witness.key));
    add_user(&desk, "first@example.org");
    put_back(&desk, || {
        add_user(&desk, "eve@example.org");
        assert_eq!(desk.json(&["audit", "checkpoint"])["witnesses"][0]["size"], 11);
        add_user(&desk, "late@example.org");
        desk.ok(&["audit", "rotate-key"]);
        // it is told of the new key, and of what came since
        assert_eq!(desk.json(&["audit", "checkpoint"])["witnesses"][0]["size"], 15);
        let check = audited(&desk, "witness auditors");
        assert!(check["verdict"] == "passed" && check["what"].as_str().unwrap().contains("of 15 events"), "{check}");
    });
    let check = audited(&desk, "witness auditors");
    assert_eq!((&check["verdict"], &check["faults"][0]["seq"]), (&"failed".into(), &9.into()), "{check}");
    let (code, said) = checkpoint(&desk);
    assert!(code == 8 && said.contains("the home went back"), "{said}");
    // what is done meanwhile makes it longer than the witness knows, and it is another history still
    for name in ["a@example.org", "b@example.org", "c@example.org", "d@example.org"] {
        add_user(&desk, name);
    }
    assert!(checkpoint(&desk).1.contains("the home's history was changed"));
    drop(witness);

    let check = audited(&desk, "witness auditors");
    assert_eq!(check["verdict"], "passed_in_part", "who can't be asked is not covered: {check}");
    assert!(check["not_covered"][0].as_str().unwrap().starts_with("it could not be asked: "), "{check}");
    // what it keeps outlives its process; somebody else's signature is not believed
    let witness = Witness::of(&other, &listen, &[&key(&stranger)]);
    assert_eq!(audited(&desk, "witness auditors")["verdict"], "failed");
    let imposter = Witness::of(&stranger, "127.0.0.1:0", &[&key(&other)]);
    let settings = desk.read("stemma.toml");
    desk.write("stemma.toml", settings.replace(&witness.key, &imposter.key));
    let check = audited(&desk, "witness auditors");
    assert!(check["not_covered"][0].as_str().unwrap().contains("can't be believed"), "{check}");
}

#[test]
fn a_server_tells_its_witnesses_by_itself() {
    let desk = Desk::with_home();
    let vault = tempfile::tempdir().unwrap();
    declare(&desk, &format!("[witness.vault]\nfolder = \"{}\"", path(vault.path())));
    let serving = crate::serving::Serving::start(&desk);
    add_user(&desk, "eve@example.org");
    assert_eq!(serving.stop(), Some(0));
    let kept = fs::read_to_string(vault.path().join("stemma.heads")).unwrap();
    assert!(kept.lines().any(|line| line.split(' ').nth(1) == Some("8")), "{kept}");
    assert_eq!(audited(&desk, "witness vault")["verdict"], "passed");
}
