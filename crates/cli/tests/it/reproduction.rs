//! Versions that are trained again elsewhere.

use std::{fs, process::Command};

use serde_json::Value;

use crate::{
    desk::{Desk, path},
    onnx,
};

/// Writes the model that `weights.hex` spells; `change` is Python that may change its bytes first.
fn script(change: &str) -> String {
    format!(
        "import os, sys, time\n\
         model = bytearray.fromhex(open('data/weights.hex').read())\n\
         {change}\n\
         os.makedirs('out', exist_ok=True)\n\
         open('out/model.onnx', 'wb').write(model)\n\
         print('trained')\n"
    )
}

/// Replaces a text of the model by eight characters that are never the same.
fn replaced_by_chance(text: &str) -> String {
    format!("model = model.replace(b'{text}', b'%08x' % (time.time_ns() % 2**32))")
}

/// A desk whose version `score@1.0.0` was made by such a script.
fn desk(change: &str) -> Desk {
    let desk = Desk::with_home();
    let hex: String = onnx::doubling("graphics").iter().map(|byte| format!("{byte:02x}")).collect();
    desk.write("data/weights.hex", hex);
    desk.write("train.py", script(change));
    // a file of which only the existence is asked is in no record, and so not there when the run is repeated
    desk.write("first", "");
    let done = desk.run(&["run", "--", "python3", "train.py"]);
    assert_eq!(done.code, 0, "{done:#?}");
    desk.ok(&["register", "score", "out/model.onnx"]);
    desk
}

/// Reproduces and returns the exit code and the answer.
fn reproduce(desk: &Desk, arguments: &[&str]) -> (i32, Value) {
    let done = desk.run(&[&["reproduce", "score", "--yes", "--json"], arguments].concat());
    let answer = serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:#?}"));
    (done.code, answer)
}

fn holds(answer: &Value) -> Vec<&str> {
    let steps = answer["report"]["steps"].as_array().unwrap();
    steps.iter().map(|step| step["holds"].as_str().unwrap()).collect()
}

#[test]
fn a_recipe_without_chance_gives_the_same_bytes_again() {
    let desk = desk("");
    // what is in the folder now is not what was trained with: the record counts
    desk.write("train.py", "raise SystemExit('changed since')");
    desk.write("data/weights.hex", "00");
    let plan = desk.ok(&["reproduce", "score", "--plan"]);
    assert!(plan.contains("python train.py") && plan.contains("data/weights.hex"), "{plan}");
    let (code, stderr) = desk.fails(&["reproduce", "score"]);
    assert!(code == 2 && stderr.contains("--yes"), "{stderr}");

    let (code, stderr) = desk.fails(&["reproduce", "score", "--last"]);
    assert!(code == 3 && stderr.contains("--plan"), "{stderr}");

    let (code, answer) = reproduce(&desk, &["--record"]);
    assert_eq!((code, &answer["report"]["level"]), (0, &"R1".into()), "{answer:#}");
    assert_eq!(holds(&answer), ["yes", "yes", "yes", "yes", "unknown", "unknown"]);
    assert_eq!(answer["report"]["environment"], Value::Array(vec![]), "{answer:#}");
    let shown = desk.ok(&["show", "score@1.0.0"]);
    assert!(shown.contains("reproduction passed: R1"), "{shown}");
    assert_eq!(desk.json(&["reproduce", "score", "--last"]), answer);
    let runs = desk.json(&["runs"]);
    assert_eq!(runs["items"].as_array().unwrap().len(), 2);
    assert_eq!(runs["items"][0]["id"], answer["report"]["trainings"][0]["run"]);
    assert!(desk.ok(&["audit", "verify"]).contains("passed"));
}

#[test]
fn a_name_by_chance_is_another_file_of_the_same_model() {
    let desk = desk(&replaced_by_chance("graphics"));
    let (code, answer) = reproduce(&desk, &["--times", "2"]);
    assert_eq!((code, &answer["report"]["level"]), (0, &"R2".into()), "{answer:#}");
    assert_eq!(answer["report"]["trainings"].as_array().unwrap().len(), 2);
    assert_eq!(desk.json(&["runs"])["items"].as_array().unwrap().len(), 1, "only `--record` keeps the runs");
    let (code, answer) = reproduce(&desk, &["--at-least", "R1"]);
    assert_eq!((code, &answer["passed"]), (8, &false.into()));
}

#[test]
fn another_model_is_not_a_reproduction() {
    let desk = desk("at = model.index(b'Add'); model[at:at + 3] = b'Mul' if os.path.exists('first') else b'Sub'");
    let (code, answer) = reproduce(&desk, &[]);
    assert_eq!((code, &answer["report"]["level"]), (8, &"R0".into()), "{answer:#}");
    assert_eq!(holds(&answer), ["yes", "no", "no", "no", "unknown", "unknown"]);
    assert_eq!(answer["report"]["outputs"][0]["path"], "out/model.onnx");
    assert!(desk.ok(&["show", "score"]).contains("1.0.0"));
    assert!(desk.ok(&["show", "score@1.0.0"]).contains("reproduction failed: R0"));
}

#[test]
fn what_is_not_there_any_more_is_named_and_nothing_is_run() {
    let outside = tempfile::Builder::new().prefix("elsewhere-").tempdir().unwrap();
    let file = outside.path().join("rates.csv");
    fs::write(&file, "1").unwrap();
    let desk = desk(&format!("open({:?}).read()", path(&file)));
    assert_eq!(reproduce(&desk, &[]).1["report"]["level"], "R1");
    fs::write(&file, "2").unwrap();
    let (code, answer) = reproduce(&desk, &[]);
    assert_eq!((code, &answer["report"]["level"]), (8, &Value::Null), "{answer:#}");
    let missing = answer["report"]["missing"][0].as_str().unwrap();
    assert!(missing.contains("rates.csv") && missing.contains("is there now"), "{missing}");
    assert_eq!(answer["report"]["trainings"], Value::Array(vec![]));
    assert!(desk.ok(&["show", "score@1.0.0"]).contains("reproduction failed: below R0"));
}

#[test]
fn a_command_that_fails_or_is_ended_leaves_nothing_behind() {
    let again = |desk: &Desk| {
        let into = desk.work().parent().unwrap().join("again");
        let done = desk.run(&["reproduce", "score", "--yes", "--into", path(&into)]);
        assert!(!into.exists(), "{done:#?}");
        done
    };
    let failing = desk("if not os.path.exists('first'): sys.exit('no luck this time')");
    let done = again(&failing);
    assert_eq!(done.code, 8, "{done:#?}");
    assert!(done.stderr.contains("no luck this time") && done.stdout.contains("exit code 1"), "{done:#?}");
    let ended = desk("if not os.path.exists('first'): os.kill(os.getpid(), 15)");
    let done = again(&ended);
    assert!(done.code == 9 && done.stderr.contains("interrupted"), "{done:#?}");
    assert!(!ended.ok(&["show", "score@1.0.0"]).contains("reproduction"));
}

#[test]
fn the_repeated_command_has_no_network_unless_it_is_allowed() {
    let desk = desk(
        "import socket\n\
         try: socket.socket().close()\n\
         except PermissionError: model = model.replace(b'graphics', b'confined')",
    );
    let (_, answer) = reproduce(&desk, &[]);
    assert_ne!(answer["report"]["level"], "R1", "{answer:#}");
    let (_, answer) = reproduce(&desk, &["--allow-network"]);
    assert_eq!(answer["report"]["level"], "R1", "{answer:#}");
}

#[test]
fn the_repeated_command_writes_into_its_own_folder_only() {
    let outside = tempfile::Builder::new().prefix("elsewhere-").tempdir().unwrap();
    let file = path(&outside.path().join("trace")).to_owned();
    let desk = desk(&format!("os.path.exists('first') or open({file:?}, 'w')"));
    let done = desk.run(&["reproduce", "score", "--yes"]);
    assert!(done.code == 8 && done.stderr.contains("FileNotFoundError"), "{done:#?}");
    assert!(!outside.path().join("trace").exists());
}

#[test]
fn what_cannot_be_repeated_is_refused() {
    let desk = desk("");
    let (code, stderr) = desk.fails(&["reproduce", "score", "--yes", "--python", "/bin/true"]);
    assert!(code == 2 && stderr.contains("--python"), "{stderr}");
    let (code, stderr) = desk.fails(&["reproduce", "score", "--yes", "--into", "again"]);
    assert!(code == 2 && stderr.contains("inside the workspace"), "{stderr}");
    assert!(!desk.work().join("again").exists());
    desk.write("other.onnx", onnx::doubling("by hand"));
    desk.ok(&["register", "other", "other.onnx"]);
    let (code, stderr) = desk.fails(&["reproduce", "other", "--yes"]);
    assert!(code == 2 && stderr.contains("no run is known"), "{stderr}");
    let done = desk.run(&["run", "--capture", "0", "--", "python3", "train.py"]);
    assert_eq!(done.code, 0, "{done:#?}");
}

/// A desk with an environment of its own, in which a package lies that no index has.
fn with_package(script: &str) -> Desk {
    let desk = Desk::with_home();
    let made = Command::new("python3").args(["-m", "venv", "--without-pip", "env"]).current_dir(desk.work()).status();
    assert!(made.unwrap().success());
    let lib = fs::read_dir(desk.work().join("env/lib")).unwrap().next().unwrap().unwrap().path();
    let write = |path: &str, text: &str| {
        let path = lib.join("site-packages").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("own/__init__.py", "");
    write("own-1.0.dist-info/METADATA", "Name: own\nVersion: 1.0\n");
    write("own-1.0.dist-info/RECORD", "own/__init__.py,,\nown-1.0.dist-info/METADATA,,\n");
    write("own-1.0.dist-info/direct_url.json", r#"{"url": "file:///home/ada/own"}"#);
    let hex: String = onnx::doubling("graphics").iter().map(|byte| format!("{byte:02x}")).collect();
    desk.write("data/weights.hex", hex);
    desk.write("train.py", script);
    let done = desk.run(&["run", "--", "env/bin/python", "train.py"]);
    assert_eq!(done.code, 0, "{done:#?}");
    desk.ok(&["register", "score", "out/model.onnx"]);
    desk
}

#[test]
fn a_package_that_the_run_did_not_read_is_not_asked_for() {
    let desk = with_package(&script(""));
    let plan = desk.ok(&["reproduce", "score", "--plan"]);
    assert!(!plan.contains("own 1.0"), "{plan}");
    let (code, answer) = reproduce(&desk, &[]);
    assert_eq!((code, &answer["report"]["level"]), (0, &"R1".into()), "{answer:#}");
    assert_eq!(answer["report"]["environment"], Value::Array(vec![]), "{answer:#}");
}

#[test]
fn a_package_that_can_not_be_had_says_nothing_of_the_model() {
    let desk = with_package(&format!("import own\n{}", script("")));
    assert!(desk.ok(&["reproduce", "score", "--plan"]).contains("own 1.0"));
    let (code, stderr) = desk.fails(&["reproduce", "score", "--yes"]);
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains("`score@1.0.0` could not be tried") && stderr.contains("file:///home/ada/own"), "{stderr}");
    let (code, _) = desk.fails(&["reproduce", "score", "--last"]);
    assert_eq!(code, 3, "nothing was recorded");
    assert!(!desk.ok(&["show", "score@1.0.0"]).contains("reproduction"));
}

/// Python that a repeated script runs in place of training: what it prints fails the repetition.
fn when_repeated(script: &str) -> String {
    let indented: String = script.lines().map(|line| format!("    {line}\n")).collect();
    format!("if not os.path.exists('first'):\n{indented}")
}

#[test]
fn repeated_code_finds_nothing_of_the_person_who_repeats_it() {
    let desk = desk(&when_repeated(
        "found = [name for name in os.environ if 'SECRET' in name or 'TOKEN' in name or 'SSH' in name or 'XDG' in name]\n\
         for place in PLACES.split(':'):\n\
         \x20   for act in (lambda: os.listdir(place), lambda: open(place, 'rb').read(1), lambda: os.stat(place)):\n\
         \x20       try: act()\n\
         \x20       except OSError: continue\n\
         \x20       found.append(place)\n\
         found += [process for process in os.listdir('/proc') if process.isdigit() and int(process) != os.getpid()]\n\
         try: found.append(open('/proc/1/environ', 'rb').read(9))\n\
         except OSError: pass\n\
         if found: sys.exit(f'found {found}')",
    ));
    let home = desk.work().parent().unwrap().to_owned();
    fs::create_dir_all(home.join(".ssh")).unwrap();
    fs::write(home.join(".ssh/id_ed25519"), "private key of 0123456789abcdef").unwrap();
    let places = [home.join("config"), home.join(".ssh"), desk.work().join(".stemma"), desk.work(), home.clone()];
    let places: Vec<&str> = places.iter().map(|place| path(place)).collect();
    let script = desk.read("train.py").replace("PLACES", &format!("{:?}", places.join(":")));
    desk.write("train.py", script);
    assert_eq!(desk.run(&["run", "--", "python3", "train.py"]).code, 0);
    desk.ok(&["register", "score", "out/model.onnx"]);
    let done = crate::desk::Done::of(
        desk.command(&["reproduce", "score", "--yes", "--json"])
            .env("AWS_SECRET_ACCESS_KEY", "of-the-caller-0123456789")
            .env("SSH_AUTH_SOCK", "/tmp/agent")
            .output()
            .unwrap(),
    );
    assert_eq!(done.code, 0, "{done:#?}");
}

#[test]
fn a_secret_of_the_caller_in_what_came_out_is_not_sent() {
    let desk = desk("");
    let done = crate::desk::Done::of(
        desk.command(&["reproduce", "score", "--yes"]).env("PLOT_PASSWORD", "graphics").output().unwrap(),
    );
    assert_eq!(done.code, 6, "{done:#?}");
    assert!(done.stderr.contains("nothing was sent") && done.stderr.contains("`PLOT_PASSWORD`"), "{done:#?}");
    assert!(!done.stderr.contains("graphics"), "{done:#?}");
    assert!(!desk.ok(&["show", "score@1.0.0"]).contains("reproduction"));
    let done = desk.run(&["reproduce", "score", "--yes"]);
    assert!(done.code == 0 && done.stderr.contains("none found"), "{done:#?}");
}

#[test]
fn a_limit_that_ended_the_training_is_named() {
    let desk = desk(&when_repeated("while True: pass"));
    let plan = desk.ok(&["reproduce", "score", "--plan", "--memory", "3GB", "--processes", "7"]);
    assert!(plan.contains("3.00 GB of memory") && plan.contains("7 processes"), "{plan}");
    let done = desk.run(&["reproduce", "score", "--yes", "--time", "1"]);
    assert_eq!(done.code, 8, "{done:#?}");
    assert!(done.stderr.contains("the command was ended: it hung: killed after 1 s"), "{done:#?}");
}

#[test]
fn what_repeated_code_leaves_is_gone_and_links_lead_to_nothing() {
    let outside = tempfile::Builder::new().prefix("elsewhere-").tempdir().unwrap();
    let private = outside.path().join("private");
    fs::write(&private, "hidden").unwrap();
    let desk = desk(&when_repeated(&format!(
        "import subprocess\n\
         subprocess.Popen(['sleep', '64.75'])\n\
         os.makedirs('shut/in')\n\
         os.makedirs('out')\n\
         os.symlink({:?}, 'out/model.onnx')\n\
         os.chmod('shut', 0)\n\
         sys.exit(0)",
        path(&private)
    )));
    let into = desk.work().parent().unwrap().join("again");
    let done = desk.run(&["reproduce", "score", "--yes", "--into", path(&into), "--json"]);
    let answer: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:#?}"));
    assert_eq!(answer["report"]["trainings"][0]["model"], Value::Null, "{answer:#}");
    assert!(!into.exists(), "{done:#?}");
    let has_word = |arguments: Vec<u8>| arguments.split(|byte| *byte == 0).any(|argument| argument == b"64.75");
    let processes = fs::read_dir("/proc").unwrap().flatten();
    assert!(!processes.filter_map(|one| fs::read(one.path().join("cmdline")).ok()).any(has_word));
    assert_eq!(fs::read_to_string(&private).unwrap(), "hidden");
}

#[test]
fn code_of_a_package_runs_neither_with_the_network_nor_with_the_callers_variables() {
    let desk = Desk::with_home();
    let wheels = desk.work().parent().unwrap().join("wheels");
    let caught = desk.work().parent().unwrap().join("caught");
    let made = Command::new("python3").args(["-c", WHEEL, path(&wheels), path(&caught)]).status().unwrap();
    assert!(made.success());
    let into_env = |arguments: &[&str]| {
        assert!(Command::new("python3").args(arguments).current_dir(desk.work()).status().unwrap().success());
    };
    into_env(&["-m", "venv", "env"]);
    let pip = desk.work().join("env/bin/pip");
    let links = path(&wheels).to_owned();
    let install = ["install", "-q", "--no-index", "--find-links", &links, "evilpth"];
    assert!(Command::new(&pip).args(install).status().unwrap().success());
    let hex: String = onnx::doubling("graphics").iter().map(|byte| format!("{byte:02x}")).collect();
    desk.write("data/weights.hex", hex);
    desk.write("train.py", format!("import evilpth\n{}", script("")));
    assert_eq!(desk.run(&["run", "--", "env/bin/python", "train.py"]).code, 0);
    desk.ok(&["register", "score", "out/model.onnx"]);
    _ = fs::remove_file(&caught);
    let done = crate::desk::Done::of(
        desk.command(&["reproduce", "score", "--yes", "--json"])
            .env("PIP_NO_INDEX", "1")
            .env("PIP_FIND_LINKS", &wheels)
            .env("AWS_SECRET_ACCESS_KEY", "of-the-caller-0123456789")
            .output()
            .unwrap(),
    );
    assert_eq!(done.code, 0, "{done:#?}");
    let answer: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(answer["report"]["environment"], Value::Array(vec![]), "{answer:#}");
    assert!(!caught.exists(), "{}", fs::read_to_string(&caught).unwrap_or_default());
}

/// Runs it where no user name spaces can be made.
fn on_a_poorer_machine(desk: &Desk, arguments: &[&str]) -> crate::desk::Done {
    let command = desk.command(arguments);
    let mut poorer = Command::new("unshare");
    poorer.args(["-Ur", "sh", "-c", "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"", "sh"]);
    poorer.arg(command.get_program()).args(command.get_args()).current_dir(desk.work()).env_clear();
    poorer.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    crate::desk::Done::of(poorer.output().unwrap())
}

#[test]
fn what_a_machine_can_not_contain_is_said_and_refused_unless_it_is_asked_for_by_name() {
    let desk = desk("");
    let done = on_a_poorer_machine(&desk, &["reproduce", "score", "--yes"]);
    assert_eq!(done.code, 6, "{done:#?}");
    let hint = "`--allow-uncontained metadata --allow-uncontained processes`";
    assert!(done.stderr.contains("change modes, owners and times") && done.stderr.contains(hint), "{done:#?}");
    let one = ["reproduce", "score", "--yes", "--allow-uncontained", "metadata"];
    let done = on_a_poorer_machine(&desk, &one);
    assert!(done.code == 6 && done.stderr.contains("`processes`") && !done.stderr.contains("`metadata`"), "{done:#?}");
    let done = on_a_poorer_machine(&desk, &[&one[..], &["--allow-uncontained", "processes"]].concat());
    assert!(done.code == 0 && done.stdout.contains("R1"), "{done:#?}");
}

/// Makes a wheel whose `.pth` tells what it sees to a file, and whether it can make a socket.
const WHEEL: &str = r#"
import base64, hashlib, os, sys, zipfile
folder, caught = sys.argv[1:]
os.makedirs(folder)
pth = f"import os; exec('try:\\n import socket; s=socket.socket()\\n open({caught!r}, \"a\").write(repr(dict(os.environ)))\\nexcept OSError: pass')\n"
name = 'evilpth-1.0'
files = {'evil.pth': pth, 'evilpth/__init__.py': '', f'{name}.dist-info/METADATA': 'Metadata-Version: 2.1\nName: evilpth\nVersion: 1.0\n', f'{name}.dist-info/WHEEL': 'Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n'}
digest = lambda text: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()
record = ''.join(f'{path},sha256={digest(text)},{len(text)}\n' for path, text in files.items())
with zipfile.ZipFile(f'{folder}/{name}-py3-none-any.whl', 'w') as archive:
    for path, text in files.items(): archive.writestr(path, text)
    archive.writestr(f'{name}.dist-info/RECORD', record + f'{name}.dist-info/RECORD,,\n')
"#;
