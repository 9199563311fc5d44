//! A person's desk: a folder, a configuration folder, and the binary with nothing else of the machine in its view.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use tempfile::TempDir;

use crate::onnx;

const SCRIPT: &str = "\
import json
rows = open('data/applications.csv').read().splitlines()
open('model.txt', 'w').write(f'{len(rows)} rows')
json.dump({'auc': 0.5}, open('metrics.json', 'w'))
print('trained')
";

pub struct Desk {
    folder: TempDir,
}

/// The address of a part of the tests' database that nobody else uses; `cargo xtask test` starts it.
pub fn new_database() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let server = std::env::var("STEMMA_TEST_POSTGRES").expect("`cargo xtask test` names the database");
    format!("{server}?schema=cli{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// What a command did.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Desk {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["project", "config"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    /// A desk whose folder is a workspace with a home owned by `ada@example.org`; its ledger lies in PostgreSQL if the tests
    /// are run so.
    pub fn with_home() -> Self {
        let desk = Self::new();
        match std::env::var("STEMMA_TEST_HOMES") {
            Ok(kind) if kind == "postgres" => desk.ok(&["init", "--database", &new_database()]),
            _ => desk.ok(&["init"]),
        };
        desk
    }

    /// The same with data, a training script and a model's file.
    pub fn with_project() -> Self {
        let desk = Self::with_home();
        desk.write("data/applications.csv", "age,risk\n30,good\n41,bad\n");
        desk.write("train.py", SCRIPT);
        desk.write("model.onnx", onnx::doubling("first"));
        desk
    }

    /// Brings a model of this desk's home to production and behind the endpoint `credit-offer`.
    pub fn deploy(&self, model: &str) {
        let bob = self.ok(&["user", "add", "bob@example.org", "--role", "approver"]);
        let mut approve = self.command(&["approve", model, "--reason", "looks right"]);
        let approved = Done::of(approve.env("STEMMA_TOKEN", bob.trim()).output().unwrap());
        assert_eq!(approved.code, 0, "{approved:#?}");
        self.ok(&["promote", model, "production", "--reason", "go"]);
        self.ok(&["deploy", "credit-offer", "--model", &format!("{model}@champion")]);
    }

    pub fn work(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.work().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.work().join(path)).unwrap()
    }

    /// The binary, ready for arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stemma"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("STEMMA_CONFIG_DIR", self.folder.path().join("config"))
            .env("XDG_RUNTIME_DIR", self.folder.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CEILING_DIRECTORIES", self.folder.path())
            .env("USER", "ada@example.org")
            .stdin(Stdio::null())
            .current_dir(self.work())
            .args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Done {
        Done::of(self.command(arguments).output().unwrap())
    }

    /// Runs a command that must succeed; returns what it printed.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        assert_eq!(done.code, 0, "{arguments:?}: {done:#?}");
        done.stdout
    }

    /// Runs a command with `--json` that must succeed.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let text = self.ok(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Runs a command that must fail; returns its exit code and stderr, with this desk's folder written as `DESK`.
    #[track_caller]
    pub fn fails(&self, arguments: &[&str]) -> (i32, String) {
        let done = self.run(arguments);
        assert_ne!(done.code, 0, "{arguments:?}: {done:#?}");
        assert_eq!(done.stdout, "", "{arguments:?}");
        (done.code, self.neutral(&done.stderr))
    }

    pub fn neutral(&self, text: &str) -> String {
        let folder = fs::canonicalize(self.folder.path()).unwrap();
        let text = text.replace(path(&folder), "DESK");
        text.replace(path(self.folder.path()), "DESK")
    }
}

impl Done {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

pub fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
