//! What is known to go wrong with registries, by the numbers of `docs/threats.md`, as commands and pages show it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::{
    desk::{Desk, Done},
    onnx,
    serving::Serving,
    web::{get, walk},
};

/// A tag of its own for each place that takes a text, and what breaks out of an attribute.
fn script(number: u32) -> String {
    format!("<img src=x onerror=alert({number})>\"'><svg onload=alert({number})>")
}

/// One that can be a name, and stand in `stemma.lock`.
fn name(number: u32) -> String {
    format!("<script>alert({number})\"'")
}

/// A tag of a page with its attributes.
#[derive(Debug)]
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

/// The tags of a page, as a browser would find them.
fn tags(page: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == '>' || c == '/').unwrap_or(rest.len());
        let mut tag = Tag { name: rest[..end].to_ascii_lowercase(), attributes: Vec::new() };
        rest = &rest[end..];
        while let Some(attribute) = next_attribute(&mut rest) {
            tag.attributes.push(attribute);
        }
        tags.push(tag);
    }
    tags
}

fn next_attribute(rest: &mut &str) -> Option<(String, String)> {
    *rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
    if rest.is_empty() || rest.starts_with('>') {
        return None;
    }
    let end = rest.find(|c: char| c.is_whitespace() || "=>/".contains(c)).unwrap_or(rest.len());
    let name = rest[..end].to_ascii_lowercase();
    *rest = rest[end..].trim_start();
    let Some(value) = rest.strip_prefix('=') else { return Some((name, String::new())) };
    let value = value.trim_start();
    let (text, behind) = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => value[1..].split_once(quote).unwrap_or((&value[1..], "")),
        _ => value.split_at(value.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(value.len())),
    };
    *rest = behind;
    Some((name, text.to_owned()))
}

/// Nothing on a page runs, and nothing is fetched from elsewhere.
#[track_caller]
fn assert_inert(path: &str, page: &str) {
    const NONE_OF_OURS: [&str; 10] =
        ["script", "img", "iframe", "object", "embed", "base", "foreignobject", "animate", "set", "audio"];
    const ADDRESSES: [&str; 6] = ["href", "src", "action", "formaction", "xlink:href", "poster"];
    let tags = tags(page);
    assert!(tags.len() > 5, "{path} has no tags: {page}");
    for tag in tags {
        assert!(!NONE_OF_OURS.contains(&tag.name.as_str()), "{path}: {tag:?}");
        for (name, value) in &tag.attributes {
            assert!(!name.starts_with("on") && name != "srcdoc" && name != "style", "{path}: {tag:?}");
            // an icon without anything in it
            let is_ours = value == "data:,"
                || ["/", "?", "#"].iter().any(|start| value.starts_with(start)) && !value.starts_with("//");
            assert!(!ADDRESSES.contains(&name.as_str()) || is_ours, "{path}: {tag:?}");
        }
        let refreshes = tag.attributes.iter().any(|(name, _)| name == "http-equiv");
        assert!(!refreshes, "{path}: {tag:?}");
    }
}

#[test]
fn tags_are_found_as_a_browser_finds_them() {
    let found = tags("a <b>x</b> <img src=x onerror='a>b'> <a href=\"/x?y\" title='\"'>&lt;img&gt;</a> < p>");
    let names: Vec<_> = found.iter().map(|tag| tag.name.as_str()).collect();
    assert_eq!(names, ["b", "img", "a"]);
    assert_eq!(found[1].attributes[1], ("onerror".to_owned(), "a>b".to_owned()));
    for bad in ["<img src=x>", "<p onclick=x>", "<a href=javascript:x>", "<a href='//evil.example'>"] {
        let page = format!("{}{bad}", "<p>".repeat(8));
        assert!(std::panic::catch_unwind(|| assert_inert("x", &page)).is_err(), "{bad}");
    }
}

/// Where a page shows the script of each number; what only answers of the API say has none.
const SHOWN: &[(u32, &str)] = &[
    (1, "a model's name"),
    (2, "a dataset's name"),
    (3, "where data came from"),
    (4, "why data changed"),
    (5, "a parameter of a command"),
    (6, "the key of a metric"),
    (7, "a claimed parameter"),
    (8, "a claimed metric"),
    (9, "the reason of an approval"),
    (10, "the reason of a promotion"),
    (11, "the reason of a deployment"),
    (12, "an alias"),
    (13, "a gate"),
    (14, "a person"),
    (15, "the owner of an override"),
    (16, "the reason of an override"),
    (17, "whose prediction it is"),
    (18, "a request's id"),
    (19, "what came of a prediction"),
    (20, "something outside"),
    (22, "a file's name"),
];

#[test]
fn t23_scripts_in_names_and_texts_are_text_on_every_page() {
    let desk = Desk::with_project();
    let (model, dataset, alias, gate) = (name(1), name(2), name(12), name(13));
    let quoted = |text: &str| format!("{text:?}");
    let table = |rest: &str| format!("[model.{}.{rest}]", quoted(&model));
    desk.write(
        "stemma.toml",
        format!(
            "{}\nkind = \"data-test\"\ndata = \"data/applications.csv\"\nmin_rows = 1\n\n\
             {}\ngates = [{}]\napprovals = 1\nalias = {}\n\n\
             [[endpoint.credit-offer.step]]\nname = \"score\"\nmodel = {}\n\n\
             [endpoint.credit-offer.override.cap]\noutput = \"y\"\nmax = 2.0\nowner = {}\nreason = {}\n",
            table(&format!("gate.{}", quoted(&gate))),
            table("promotion.production"),
            quoted(&gate),
            quoted(&alias),
            quoted(&format!("{model}@1.0.0")),
            quoted(&script(15)),
            quoted(&script(16)),
        ),
    );
    let add = ["add", "data/applications.csv", "--name", &dataset, "--source", &script(3), "--why", &script(4)];
    desk.ok(&add);
    desk.ok(&["policy", "apply"]);
    desk.write("metrics.json", format!("{{{}: 0.5}}", serde_json::json!(script(6))));
    let file = format!("{}.onnx", name(22));
    let train = format!(
        "cat data/applications.csv > /dev/null; cp model.onnx {}; cp metrics.json m; cp m metrics.json",
        shell(&file)
    );
    desk.ok(&["run", "--", "sh", "-c", &train, "sh", &format!("--{}={}", "note", script(5))]);
    let (param, metric) = (format!("{}={}", script(7), script(7)), format!("{}=0.5", script(8).replace('=', "")));
    desk.ok(&["register", &model, &file, "--param", &param, "--metric", &metric]);
    let version = format!("{model}@1.0.0");
    desk.ok(&["gate", &version]);
    let person = format!("{}@bank.example", name(14));
    let approver = desk.ok(&["user", "add", &person, "--role", "approver"]);
    let mut approve = desk.command(&["approve", &version, "--reason", &script(9)]);
    let approved = Done::of(approve.env("STEMMA_TOKEN", approver.trim()).output().unwrap());
    assert_eq!(approved.code, 0, "{approved:#?}");
    desk.ok(&["promote", &version, "production", "--reason", &script(10)]);
    desk.ok(&["deploy", "credit-offer", "--reason", &script(11)]);
    desk.ok(&["link", &script(20), &format!("{dataset}@1"), "--type", "source", "--why", &script(21)]);

    let owner = desk.ok(&["user", "add", "olga@example.org", "--role", "owner"]);
    let owner = owner.trim();
    let serving = Serving::start(&desk);
    let body = serde_json::json!({
        "id": script(18),
        "parameters": { "stemma_unit": script(17) },
        "inputs": [{ "name": "x", "shape": [1, 1], "datatype": "FP32", "data": [1.5] }],
    });
    let answer = serving.post("/v2/models/credit-offer/infer", "application/json", &body.to_string());
    let id = answer.split("pred_").nth(1).unwrap_or_else(|| panic!("{answer}"));
    let prediction = format!("pred_{}", id.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap());
    desk.ok(&["feedback", &prediction, "--reward", "1", "--comment", &script(19)]);

    let mut pages = walk(&serving, "/", owner);
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let asked = encode(&script(99));
    for path in [
        format!("/predictions/{prediction}"),
        format!("/predictions/{prediction}/compare?with={prediction}"),
        format!("/projects/default/predictions?unit={}", encode(&script(17))),
        format!("/projects/default/lineage?of={}&direction=up", encode(&version)),
        format!("/projects/default/lineage?of={}&direction=down", encode(&format!("{dataset}@1"))),
        // what is wrong is said with what was asked
        format!("/projects/default/models/{}", encode(&name(99))),
        format!("/projects/{}", encode(&name(99))),
        format!("/projects/default/predictions?where={asked}"),
        format!("/projects/default/predictions?endpoint={asked}"),
        format!("/projects/default/compare?a={asked}&b={asked}"),
        format!("/projects/default/lineage?of={asked}&direction=up"),
        format!("/projects/default/runs?cursor={asked}"),
        format!("/search?q={asked}"),
        format!("/search?q={}", encode(&quoted(&script(99)))),
        format!("/search?order={asked}"),
        format!("/ledger?kind={asked}"),
        format!("/ledger?actor={asked}"),
        format!("/?at={asked}"),
        format!("/{asked}"),
        format!("/predictions/{asked}"),
    ] {
        let page = get(&serving, &path, owner);
        assert!(page.status < 500, "{path}: {} {}", page.status, page.text);
        pages.insert(path, page.text);
    }
    for (path, page) in pages.iter().filter(|(path, page)| !path.starts_with("/assets/") && !page.is_empty()) {
        assert_inert(path, page);
    }
    for (number, what) in SHOWN {
        let shown = pages.iter().find(|(_, page)| page.contains(&format!("alert({number})")));
        assert!(shown.is_some(), "no page shows {what}");
    }
}

/// A word of a shell's command.
fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Files named `pwned` below a folder: what ran if anything did.
fn pwned(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(pwned(&entry.path())),
            false if entry.file_name() == "pwned" => found.push(entry.path()),
            false => {}
        }
    }
    found
}

#[test]
fn t34_nothing_that_is_called_like_a_command_is_one() {
    const COMMANDS: [&str; 4] =
        ["$(touch pwned)", "`touch pwned`", "x & touch pwned | touch pwned", "${IFS}touch${IFS}pwned"];
    let hex: String = onnx::doubling("graphics").iter().map(|byte| format!("{byte:02x}")).collect();
    let train = "import os, sys\n\
                 model = bytes.fromhex(open('data/weights.hex').read())\n\
                 open(sys.argv[1], 'wb').write(model)\n\
                 print(sys.argv[2:])\n";
    let desk = Desk::with_home();
    desk.write("data/weights.hex", hex);
    desk.write("train.py", train);
    for command in COMMANDS {
        let file = format!("{command}.onnx");
        let arguments =
            ["--name", command, "--flag=$(touch pwned)", "\ntouch pwned\n", "x; touch pwned", "--", "`touch pwned`"];
        let done = desk.run(&[&["run", "--", "python3", "train.py", &file], arguments.as_slice()].concat());
        assert_eq!(done.code, 0, "{done:#?}");
        assert!(done.stdout.contains("$(touch pwned)"), "{done:#?}");
        let (param, version) = (format!("note={command}"), format!("{command}@1.0.0"));
        let claimed = if command == COMMANDS[0] { vec!["--param", &param] } else { Vec::new() };
        desk.ok(&[&["register", command, &file], claimed.as_slice()].concat());
        let approver = desk.ok(&["user", "add", "bob@example.org", "--role", "approver"]);
        let mut approve = desk.command(&["approve", &version, "--reason", command]);
        assert_eq!(Done::of(approve.env("STEMMA_TOKEN", approver.trim()).output().unwrap()).code, 0);
        desk.ok(&["promote", &version, "production", "--reason", command]);
        desk.ok(&["deploy", "offer", "--model", &version, "--reason", command]);
        desk.ok(&["predict", "offer", "--data", r#"[{"x": 1}]"#]);
        desk.ok(&["validate", &version]);
        desk.ok(&["show", &version]);
        let shown = desk.ok(&["reproduce", &version, "--plan"]);
        assert!(shown.contains("train.py"), "{shown}");
    }
    // trained again, with the words of the recorded command
    let again = desk.run(&["reproduce", &format!("{}@1.0.0", COMMANDS[0]), "--yes", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&again.stdout).unwrap_or_else(|_| panic!("{again:#?}"));
    assert_eq!(report["report"]["level"], "R1", "{report:#}");
    // what is no name at all
    for name in ["--flag", "-x", "a\ntouch pwned", "x; touch pwned"] {
        let (code, stderr) = desk.fails(&["register", "--", name, "$(touch pwned).onnx"]);
        assert!(code == 2 && stderr.contains("is not a valid model name"), "{name:?}: {stderr}");
    }
    assert_eq!(pwned(desk.work().parent().unwrap()), Vec::<PathBuf>::new());
    assert!(desk.ok(&["audit", "verify"]).contains("passed"));
}

/// Everything below a folder that somebody else could read or change.
fn open_to_others(folder: &Path) -> Vec<String> {
    let mut open = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_symlink() {
            continue;
        }
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            open.push(format!("{mode:o} {}", path.strip_prefix(folder).unwrap().display()));
        }
        if metadata.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    open.sort();
    open
}

/// Under the most careless umask: the home, what is remembered of others, and the folders of what runs are for their owner.
#[test]
fn t36_what_is_made_is_for_its_owner_whatever_the_umask() {
    let desk = Desk::new();
    let [config, temporary, backup] = ["config", "temporary", "backup"].map(|name| desk.work().join("..").join(name));
    fs::create_dir(&temporary).unwrap();
    for folder in [&config, &temporary] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let careless = |arguments: &[&str]| {
        let stemma = desk.command(arguments);
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "umask 000; exec \"$0\" \"$@\""]).arg(stemma.get_program()).args(stemma.get_args());
        command.env_clear().envs(stemma.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("TMPDIR", &temporary).current_dir(desk.work());
        Done::of(command.output().unwrap())
    };
    let ok = |arguments: &[&str]| {
        let done = careless(arguments);
        assert_eq!(done.code, 0, "{arguments:?}: {done:#?}");
        done.stdout
    };
    ok(&["init"]);
    desk.write("data/a.csv", "x\n1\n");
    desk.write("model.onnx", onnx::doubling("m"));
    ok(&["add", "data/a.csv"]);
    ok(&["run", "--", "sh", "-c", "cat data/a.csv > /dev/null; cp model.onnx trained.onnx"]);
    ok(&["register", "score", "trained.onnx"]);
    ok(&["validate", "score"]);
    let approver = ok(&["user", "add", "bob@example.org", "--role", "approver"]);
    let mut approve = desk.command(&["approve", "score", "--reason", "right"]);
    assert_eq!(Done::of(approve.env("STEMMA_TOKEN", approver.trim()).output().unwrap()).code, 0);
    ok(&["promote", "score", "production", "--reason", "go"]);
    ok(&["deploy", "offer", "--model", "score@champion"]);
    ok(&["predict", "offer", "--data", r#"[{"x": 1}]"#]);
    ok(&["gc", "--grace", "0", "--yes"]);
    ok(&["audit", "verify"]);
    ok(&["backup", backup.to_str().unwrap(), "--with-keys"]);
    for folder in [desk.work().join(".stemma"), config, backup, temporary] {
        let open = open_to_others(&folder);
        assert_eq!(open, Vec::<String>::new(), "{}", folder.display());
    }
}
