//! A person's desk: a fresh Git repository with the example in it, their own settings, and the real binary.
//!
//! Nothing of the user's own configuration, of Git or of Stemma, is seen or touched.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{checkout::Checkout, process, setup::Python};

pub const TRAINER: &str = "tess@bank.example";
const TESS: Author = Author { name: "Tess Trainer", address: TRAINER };

/// A project of `examples/`, as somebody has it who has just cloned it.
pub struct Example {
    pub name: &'static str,
    /// What the first commit says.
    pub message: &'static str,
    /// Whoever commits, and makes the home.
    pub author: Author,
}

/// Somebody as Git knows them.
#[derive(Clone, Copy)]
pub struct Author {
    pub name: &'static str,
    pub address: &'static str,
}

pub const CREDIT_SCORING: Example =
    Example { name: "credit-scoring", message: "Credit scoring on the German credit data", author: TESS };
pub const FLIGHT_DELAYS: Example =
    Example { name: "flight-delays", message: "Flight delays from flights, weather and planes", author: TESS };
pub const DIGITS: Example =
    Example { name: "digits", message: "Digits and diabetes, on scikit-learn's own data", author: TESS };
pub const HOSPITAL: Example = Example {
    name: "hospital",
    message: "Three projects of a hospital",
    author: Author { name: "Olga Owner", address: "olga@hospital.example" },
};

pub struct Desk {
    /// Everything of this desk lies below it, settings and logs too.
    pub folder: PathBuf,
    pub work: PathBuf,
    pub python: Python,
    stemma: PathBuf,
}

impl Desk {
    /// Makes the desk anew: what lay in the folder is gone.
    pub fn fresh(checkout: &Checkout, example: &Example, folder: &str, stemma: &Path, python: &Python) -> Result<Self> {
        let folder = checkout.target.join(folder);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("can't remove `{}`", folder.display()))?;
        }
        let work = folder.join(example.name);
        copy_example(&checkout.example(example.name), &work)?;
        let desk = Self { folder, work, python: python.clone(), stemma: stemma.to_owned() };
        desk.make_repository(example)?;
        Ok(desk)
    }

    /// The same desk below another folder; nothing is copied.
    pub fn moved_to(&self, folder: &Path) -> Self {
        let work = folder.join(self.work.file_name().unwrap_or_default());
        Self { folder: folder.to_owned(), work, python: self.python.clone(), stemma: self.stemma.clone() }
    }

    fn make_repository(&self, example: &Example) -> Result<()> {
        let git = |arguments: &[&str]| process::output(self.command("git")?.args(arguments));
        git(&["init", "--quiet", "--initial-branch=main"])?;
        git(&["config", "user.name", example.author.name])?;
        git(&["config", "user.email", example.author.address])?;
        git(&["add", "--all"])?;
        git(&["commit", "--quiet", "--message", example.message])?;
        Ok(())
    }

    /// A program in the workspace, seeing nothing of the user's own settings.
    pub fn command(&self, program: impl AsRef<Path>) -> Result<Command> {
        let mut command = Command::new(program.as_ref());
        for (name, _) in std::env::vars_os() {
            let name_text = name.to_string_lossy();
            if name_text.starts_with("STEMMA_") || name_text.starts_with("GIT_") {
                command.env_remove(&name);
            }
        }
        command
            .current_dir(&self.work)
            .env("STEMMA_CONFIG_DIR", self.folder.join("config"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1");
        self.python.activate(&mut command)?;
        Ok(command)
    }

    pub fn stemma(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = self.command(&self.stemma)?;
        command.args(arguments);
        Ok(command)
    }

    /// A command of somebody with a token of their own.
    pub fn stemma_of(&self, token: &str, arguments: &[&str]) -> Result<Command> {
        let mut command = self.stemma(arguments)?;
        command.env("STEMMA_TOKEN", token);
        Ok(command)
    }

    /// A script of the example, run as its users run it.
    pub fn script(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = self.command(self.python.interpreter())?;
        command.args(arguments);
        Ok(command)
    }

    /// What a command that must succeed answers with `--json`.
    pub fn ask(&self, arguments: &[&str]) -> Result<Value> {
        let mut command = self.stemma(&[arguments, &["--json"]].concat())?;
        let text = process::output(&mut command)?;
        serde_json::from_str(&text).with_context(|| format!("`{}` printed no JSON", process::words(&command)))
    }

    /// What a command that must fail says with `--json`, after its exit code was checked.
    pub fn ask_refused(&self, arguments: &[&str], exit_code: i32) -> Result<Value> {
        let mut command = self.stemma(&[arguments, &["--json"]].concat())?;
        let output = process::capture(&mut command)?;
        let text = String::from_utf8_lossy(&output.stderr);
        expect_exit(&command, output.status, &text, exit_code)?;
        serde_json::from_str(&text)
            .with_context(|| format!("`{}` gave no JSON as error: {text}", process::words(&command)))
    }

    /// What a command answers with `--json`, whether it succeeds or ends with this exit code.
    pub fn ask_either(&self, arguments: &[&str], exit_code: i32) -> Result<Value> {
        let mut command = self.stemma(&[arguments, &["--json"]].concat())?;
        let output = command.output().with_context(|| format!("can't run `{}`", process::words(&command)))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let expected = if output.status.success() { 0 } else { exit_code };
        expect_exit(&command, output.status, &String::from_utf8_lossy(&output.stderr), expected)?;
        serde_json::from_str(&text).with_context(|| format!("`{}` printed no JSON", process::words(&command)))
    }

    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        let path = self.work.join(path);
        fs::read(&path).with_context(|| format!("can't read `{}`", path.display()))
    }
}

/// Fails unless a command ended as it must.
pub fn expect_exit(command: &Command, status: ExitStatus, said: &str, expected: i32) -> Result<()> {
    if status.code() != Some(expected) {
        let words = process::words(command);
        bail!("`{words}` ended with {status}, not with exit code {expected}:\n{}", process::tail(said));
    }
    Ok(())
}

/// Copies what a clone would have, and nothing that its scripts make.
fn copy_example(example: &Path, to: &Path) -> Result<()> {
    let mut made: BTreeSet<PathBuf> = fs::read_to_string(example.join(".gitignore"))
        .context("the example's .gitignore")?
        .lines()
        .map(|line| example.join(line.trim_matches('/')))
        .collect();
    made.extend(["stemma.lock", ".stemma", "__pycache__"].map(|path| example.join(path)));
    copy_folder(example, to, &made)
}

fn copy_folder(from: &Path, to: &Path, without: &BTreeSet<PathBuf>) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("can't make `{}`", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("can't read `{}`", from.display()))? {
        let entry = entry?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if without.contains(&path) {
            continue;
        }
        if path.is_dir() {
            copy_folder(&path, &copy, without)?;
        } else {
            fs::copy(&path, &copy).with_context(|| format!("can't copy `{}`", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_example_has_its_sources_only() {
        let folder = std::env::temp_dir().join(format!("stemma-desk-{}", std::process::id()));
        let example = folder.join("example");
        fs::create_dir_all(example.join("data")).unwrap();
        fs::create_dir_all(example.join(".stemma")).unwrap();
        fs::create_dir_all(example.join("tests/cases")).unwrap();
        let files = [
            "train.py",
            "tests/cases/a.json",
            "model.onnx",
            "stemma.lock",
            "data/german_credit.csv",
            "data/train.csv",
            ".stemma/x",
        ];
        for file in files {
            fs::write(example.join(file), file).unwrap();
        }
        fs::write(example.join(".gitignore"), "/data/train.csv\n/model.onnx\n").unwrap();
        copy_example(&example, &folder.join("copy")).unwrap();
        let copied = files.map(|file| folder.join("copy").join(file).exists());
        assert_eq!(copied, [true, true, false, false, true, false, false]);
        assert!(folder.join("copy/.gitignore").exists());
        fs::remove_dir_all(&folder).unwrap();
    }
}
