//! What the other commands need beside Rust: Debian's packages and Python environments made from lock files.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{checkout::Checkout, desk::CREDIT_SCORING, process};

/// The version that the lock files were made for.
const PYTHON: &str = "3.11";

/// A Python environment of its own.
#[derive(Debug, Clone)]
pub struct Python {
    folder: PathBuf,
}

impl Python {
    pub fn programs(&self) -> PathBuf {
        self.folder.join("bin")
    }

    pub fn interpreter(&self) -> PathBuf {
        self.programs().join("python")
    }

    /// Lets a command find this environment first, as if a person had activated it.
    pub fn activate(&self, command: &mut Command) -> Result<()> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(self.programs()).chain(std::env::split_paths(&path));
        let path: OsString = std::env::join_paths(folders).context("the path to the checkout has a `:`")?;
        command.env("PATH", path).env("VIRTUAL_ENV", &self.folder).env_remove("PYTHONHOME");
        Ok(())
    }
}

/// The environment of the examples, of the client, and of the verifier of proofs.
pub fn example_python(checkout: &Checkout) -> Result<Python> {
    let of_example = |example: &str, lock: &str| checkout.example(example).join(lock);
    let locks = [
        of_example(CREDIT_SCORING.name, "requirements.lock"),
        of_example(CREDIT_SCORING.name, "requirements-client.lock"),
        of_example("verify-proof", "requirements.lock"),
    ];
    python(&checkout.target.join("venv"), &locks)
}

/// The environment of the S3 server that remotes are tested on.
pub fn s3_python(checkout: &Checkout) -> Result<Python> {
    let lock = checkout.root.join("crates/remote/tests/s3/requirements.lock");
    python(&checkout.target.join("venv-s3"), &[lock])
}

/// Makes an environment that holds what the lock files name, unless it is there already.
pub fn python(folder: &Path, locks: &[PathBuf]) -> Result<Python> {
    let parent = folder.parent().context("an environment needs a folder")?;
    fs::create_dir_all(parent).with_context(|| format!("can't make `{}`", parent.display()))?;
    // two commands may start at once
    let turn = folder.with_extension("turn");
    let turn = File::create(&turn).with_context(|| format!("can't write `{}`", turn.display()))?;
    turn.lock().context("can't wait for another setup")?;

    let wanted = wanted(locks)?;
    let stamp = folder.join("stemma-setup.stamp");
    let python = Python { folder: folder.to_owned() };
    if python.interpreter().exists() && fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        return Ok(python);
    }
    let base = base_interpreter()?;
    println!("setup: Python packages into `{}`, once; this takes a minute", folder.display());
    make(&base, &python)?;
    install(&python, locks)?;
    fs::write(&stamp, wanted).with_context(|| format!("can't write `{}`", stamp.display()))?;
    Ok(python)
}

/// What an environment must have been made from: the lock files themselves.
fn wanted(locks: &[PathBuf]) -> Result<String> {
    let texts = locks.iter().map(|lock| fs::read_to_string(lock).with_context(|| format!("`{}`", lock.display())));
    Ok(texts.collect::<Result<Vec<_>>>()?.join("\n"))
}

fn make(base: &Path, python: &Python) -> Result<()> {
    let mut command = Command::new(base);
    command.args(["-m", "venv", "--clear"]).arg(&python.folder);
    process::output(&mut command).context("the Python environment can't be made")?;
    Ok(())
}

fn install(python: &Python, locks: &[PathBuf]) -> Result<()> {
    let mut command = Command::new(python.interpreter());
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]);
    for lock in locks {
        command.arg("-r").arg(lock);
    }
    process::output(&mut command).with_context(|| {
        format!("the packages of the lock files were not installed; they need the package index and Python {PYTHON}")
    })?;
    Ok(())
}

/// An interpreter that can make environments, installed if there is none.
fn base_interpreter() -> Result<PathBuf> {
    if let Some(found) = find_interpreter() {
        return Ok(found);
    }
    apt_install(&["python3", "python3-venv"])?;
    find_interpreter().context("`python3` with its modules venv and ensurepip is not there even after the installation")
}

/// Prefers the version that the lock files were made for.
fn find_interpreter() -> Option<PathBuf> {
    let names = [format!("python{PYTHON}"), "python3".to_owned()];
    names.iter().filter_map(|name| process::find(name)).find(|python| {
        let imports = Command::new(python).args(["-c", "import venv, ensurepip"]).output();
        imports.is_ok_and(|output| output.status.success())
    })
}

/// Installs a program from Debian's packages unless it is there.
pub fn ensure_program(program: &str, package: &str) -> Result<()> {
    if process::find(program).is_some() {
        return Ok(());
    }
    apt_install(&[package])?;
    match process::find(program) {
        Some(_) => Ok(()),
        None => bail!("`{program}` is not on the path, although Debian's package `{package}` is installed"),
    }
}

/// Installs a browser and what drives it from Debian's packages unless they are there.
pub fn ensure_browser() -> Result<()> {
    ensure_program("chromium", "chromium")?;
    ensure_program("chromedriver", "chromium-driver")
}

fn apt_install(packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    let by_hand = format!("install Debian's packages `{names}`, then try again");
    if process::find("apt-get").is_none() || !is_root() {
        bail!("{by_hand}");
    }
    println!("setup: apt-get install {names}");
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        process::output(&mut command)
    };
    apt(&["update", "-qq"]).and_then(|_| apt(&[&["install", "-y", "-qq"], packages].concat())).context(by_hand)?;
    Ok(())
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_made_again_only_when_its_lock_changed() {
        let folder = std::env::temp_dir().join(format!("stemma-setup-{}", std::process::id()));
        let (venv, lock) = (folder.join("venv"), folder.join("requirements.lock"));
        fs::create_dir_all(venv.join("bin")).unwrap();
        fs::write(&lock, "# nothing\n").unwrap();
        for (file, text) in [("bin/python", ""), ("stemma-setup.stamp", "# nothing\n"), ("trace", "")] {
            fs::write(venv.join(file), text).unwrap();
        }
        let locks = [lock.clone()];
        python(&venv, &locks).unwrap();
        assert!(venv.join("trace").exists());

        fs::write(&lock, "no-such-package==1 --hash=sha256:00\n").unwrap();
        let failed = format!("{:#}", python(&venv, &locks).unwrap_err());
        assert!(failed.contains("the packages of the lock files were not installed"), "{failed}");
        assert!(!venv.join("trace").exists() && !venv.join("stemma-setup.stamp").exists());

        let mut command = Command::new("python");
        Python { folder: venv.clone() }.activate(&mut command).unwrap();
        let prefix = process::output(command.args(["-c", "import sys; print(sys.prefix)"])).unwrap();
        assert_eq!(Path::new(prefix.trim()), venv);
        fs::remove_dir_all(&folder).unwrap();
    }
}
