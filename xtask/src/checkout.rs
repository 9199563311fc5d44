//! The checkout that xtask works on: its folders, its Cargo, and the binary built from it.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::process;

pub struct Checkout {
    pub root: PathBuf,
    /// Where Cargo builds; everything that xtask makes lies below it.
    pub target: PathBuf,
}

/// How the product is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Dev,
    Release,
    /// As it is handed out.
    Dist,
}

impl Profile {
    /// Its name for Cargo.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Release => "release",
            Self::Dist => "dist",
        }
    }
}

impl Checkout {
    pub fn find() -> Result<Self> {
        // set by `cargo run`; the folder may have been moved since xtask was compiled
        let manifest =
            env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        let root = manifest.parent().context("xtask lies in no folder")?.to_owned();
        let metadata = metadata(&root)?;
        let target = metadata["target_directory"].as_str().context("Cargo names no target directory")?.into();
        Ok(Self { root, target })
    }

    pub fn example(&self, name: &str) -> PathBuf {
        self.root.join("examples").join(name)
    }

    /// Cargo in the checkout's root, ready for arguments.
    pub fn cargo(&self) -> Command {
        cargo(&self.root)
    }

    /// Builds the binary `stemma` and returns where it is.
    pub fn build_product(&self, profile: Profile) -> Result<PathBuf> {
        let mut command = self.cargo();
        command.args(["build", "--package", "stemma", "--bin", "stemma", "--message-format=json-render-diagnostics"]);
        command.args(["--profile", profile.name()]);
        // its messages go to this terminal, what it built comes to us
        let built = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("can't run Cargo")?;
        if !built.status.success() {
            bail!("`{}` failed", process::words(&command));
        }
        executable(&String::from_utf8_lossy(&built.stdout)).context("Cargo built no `stemma`")
    }

    /// The package that has this example.
    pub fn package_with_example(&self, example: &str) -> Result<Option<String>> {
        let metadata = metadata(&self.root)?;
        let packages = metadata["packages"].as_array().context("Cargo names no packages")?;
        let has = |package: &&Value| {
            let targets = package["targets"].as_array().into_iter().flatten();
            targets.into_iter().any(|target| target["name"] == example && target["kind"][0] == "example")
        };
        Ok(packages.iter().find(has).and_then(|package| package["name"].as_str()).map(str::to_owned))
    }
}

fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

fn metadata(root: &Path) -> Result<Value> {
    let text = process::output(cargo(root).args(["metadata", "--no-deps", "--format-version", "1"]))?;
    serde_json::from_str(&text).context("Cargo's metadata is not JSON")
}

/// Finds the binary in Cargo's messages.
fn executable(messages: &str) -> Option<PathBuf> {
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut binaries = artifacts.filter(|message| message["target"]["name"] == "stemma");
    binaries.find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checkout_is_this_one() {
        let checkout = Checkout::find().unwrap();
        assert!(checkout.root.join("xtask/Cargo.toml").is_file());
        assert!(checkout.example("credit-scoring").join("train.py").is_file());
        assert_eq!(checkout.package_with_example("no-such-example").unwrap(), None);
    }

    #[test]
    fn the_binary_is_found_among_cargos_messages() {
        let messages = r#"
{"reason":"compiler-artifact","target":{"name":"stemma_core"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"stemma"},"executable":"/t/debug/stemma"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages), Some("/t/debug/stemma".into()));
        assert_eq!(executable(""), None);
    }
}
