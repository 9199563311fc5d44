//! The content store beside others: the same versions of generated data into each, in turns.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result};
use clap::Args;

use crate::{checkout::Checkout, process, setup};

/// Peers that are Debian packages: their program and package have the peer's name.
const PACKAGED: [&str; 2] = ["git-lfs", "restic"];

/// Time, memory and bytes of adding, checking and restoring versions of data, beside dvc, git-lfs, restic, oxen and hf-xet
#[derive(Debug, Args)]
pub struct StoreArgs {
    /// Size of the data: 1 is checkpoints of 2 GB, 50,000 files, a table of 1 GB
    #[arg(long, default_value_t = 1.0, value_parser = scale)]
    scale: f64,
    /// Workloads, without it all: checkpoint-fp32, checkpoint-bf16, files, csv
    #[arg(long, value_name = "WORKLOAD", value_delimiter = ',')]
    only: Vec<String>,
    /// Stores, without it all: stemma, dvc, git-lfs, restic, oxen, hf-xet
    #[arg(long, value_name = "STORE", value_delimiter = ',')]
    peers: Vec<String>,
    /// How often; the table has medians, the order of the stores turns
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// A binary that is built already
    #[arg(long, value_name = "PATH")]
    stemma: Option<PathBuf>,
    /// Where data and stores are made, 24 GB at a time; results stay there as `store.json` and `store.md`
    #[arg(long, value_name = "PATH")]
    folder: Option<PathBuf>,
}

pub fn run(checkout: &Checkout, args: &StoreArgs) -> Result<()> {
    setup::ensure_program("git", "git")?;
    let scripts = checkout.root.join("benches/store");
    let lock = scripts.join("requirements-bench.lock");
    let python = setup::python(&checkout.target.join("venv-bench-store"), &[lock])?;
    let stemma = match &args.stemma {
        Some(path) => path.canonicalize().with_context(|| format!("there is no `{}`", path.display()))?,
        None => checkout.build_product(super::BUILD)?,
    };
    let folder = args.folder.clone().unwrap_or_else(|| checkout.target.join("bench-store"));
    let mut bench = Command::new(python.interpreter());
    python.activate(&mut bench)?;
    bench.arg(scripts.join("bench.py")).arg("--folder").arg(folder).arg("--stemma").arg(stemma);
    pass_on(&mut bench, args);
    for (peer, why) in absent(args, ensure_packaged) {
        bench.arg("--absent").arg(format!("{peer}={why}"));
    }
    process::run(&mut bench)
}

fn pass_on(bench: &mut Command, args: &StoreArgs) {
    bench.args(["--scale", &args.scale.to_string(), "--rounds", &args.rounds.to_string()]);
    for (name, values) in [("--only", &args.only), ("--peers", &args.peers)] {
        if !values.is_empty() {
            bench.args([name, &values.join(",")]);
        }
    }
}

/// The wanted peers that can't be had, and why; the table says so, and the others are measured.
fn absent(args: &StoreArgs, ensure: impl Fn(&str) -> Result<()>) -> Vec<(&'static str, String)> {
    let is_wanted = |peer: &&str| args.peers.is_empty() || args.peers.iter().any(|wanted| wanted == peer);
    let why = |peer| ensure(peer).err().map(|error| (peer, format!("{error:#}").replace('\n', " ")));
    PACKAGED.into_iter().filter(is_wanted).filter_map(why).collect()
}

fn ensure_packaged(peer: &str) -> Result<()> {
    setup::ensure_program(peer, peer)
}

fn scale(text: &str) -> Result<f64, String> {
    let scale: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.001..=10.0).contains(&scale) { Ok(scale) } else { Err("not within 0.001 and 10".to_owned()) }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        store: StoreArgs,
    }

    fn parse(words: &[&str]) -> Result<StoreArgs, clap::Error> {
        Line::try_parse_from([&["bench"], words].concat()).map(|line| line.store)
    }

    #[test]
    fn what_was_asked_for_reaches_the_script() {
        let mut command = Command::new("bench.py");
        pass_on(&mut command, &parse(&["--scale", "0.02", "--only", "csv,files", "--rounds", "3"]).unwrap());
        assert_eq!(process::words(&command), "bench.py --scale 0.02 --rounds 3 --only csv,files");
        for refused in ["0", "-1", "nan", "11", "all"] {
            assert!(parse(&["--scale", refused]).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_store_that_cannot_be_had_is_named_with_its_reason() {
        let offline = |peer: &str| if peer == "restic" { bail!("no\nnetwork") } else { Ok(()) };
        let missing = |words: &[&str]| absent(&parse(words).unwrap(), offline);
        assert_eq!(missing(&[]), [("restic", "no network".to_owned())]);
        assert_eq!(missing(&["--peers", "stemma,dvc"]), []);
    }
}
