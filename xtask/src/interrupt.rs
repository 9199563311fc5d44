//! Kills commands that add, push and collect, again and again, and looks for everything that they had acknowledged.
//!
//! A command that ended with success has acknowledged what it did. What a kill cut off is nobody's loss, but the same
//! command must do it when it is run again. A kill counts only if it hit a process that was still running.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{process, random::Random};

/// Rounds in one workspace with one remote: then there are new ones, so that a round stays cheap.
const ROUNDS_MAX: usize = 12;
const BLOCK: usize = 64 << 10;
/// Of 1.5 MB; two thirds of the blocks are those of the file before.
const BLOCKS: usize = 24;
/// Kills that may come too late for each one that counts.
const LATE_SHARE_MAX: u32 = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Add,
    Push,
    Gc,
}

/// Kills that hit, and the others.
#[derive(Debug, Default)]
struct Tally {
    hit: BTreeMap<Act, u32>,
    late: u32,
}

impl Tally {
    fn hits(&self) -> u32 {
        self.hit.values().sum()
    }

    fn of(&self, act: Act) -> u32 {
        self.hit.get(&act).copied().unwrap_or(0)
    }
}

/// Kills commands of a binary so often, in workspaces below a folder of our own.
pub fn rounds(stemma: &Path, folder: &Path, count: u32) -> Result<()> {
    let began = Instant::now();
    let mut tally = Tally::default();
    let mut random = Random::seeded();
    while tally.hits() < count {
        let before = tally.hits();
        let mut place = Place::fresh(stemma, folder)?;
        place.play(&mut random, &mut tally, count).with_context(|| {
            format!("after {} kills, {} of them in `{}`", tally.hits(), tally.hits() - before, place.work.display())
        })?;
        let is_timed = tally.late <= LATE_SHARE_MAX * (tally.hits() + 1);
        ensure!(is_timed, "{} kills came too late and {} in time", tally.late, tally.hits());
    }
    println!(
        "{count} kills: {} of `add`, {} of `push`, {} of `gc`; all that was acknowledged is there ({:.1} s); {} more came \
         too late and don't count",
        tally.of(Act::Add),
        tally.of(Act::Push),
        tally.of(Act::Gc),
        began.elapsed().as_secs_f64(),
        tally.late,
    );
    Ok(())
}

/// The bytes of files by their paths.
type Files = BTreeMap<String, Vec<u8>>;

/// A workspace, its remote, and what is known to be in them.
struct Place {
    stemma: PathBuf,
    work: PathBuf,
    clone: PathBuf,
    folder: PathBuf,
    /// What `stemma.lock` names.
    held: Files,
    /// `stemma.lock` as it was pushed last, and what it names.
    pushed: Option<(String, Files)>,
    /// How long commands took that nobody killed.
    pace: BTreeMap<Act, Duration>,
}

impl Place {
    fn fresh(stemma: &Path, folder: &Path) -> Result<Self> {
        let make = |name: &str| {
            let path = folder.join(name);
            if path.exists() {
                fs::remove_dir_all(&path)?;
            }
            fs::create_dir_all(&path).map(|()| path)
        };
        let [work, clone, remote] = ["work", "clone", "remote"].map(make);
        let (work, clone, remote) = (work?, clone?, remote?);
        let (stemma, folder) = (stemma.to_owned(), folder.to_owned());
        let place = Self { stemma, work, clone, folder, held: Files::new(), pushed: None, pace: BTreeMap::new() };
        place.ask(&["init"])?;
        place.ask(&["remote", "add", "origin", &remote.display().to_string()])?;
        Ok(place)
    }

    /// Plays rounds, the first without kills to see how long commands take.
    fn play(&mut self, random: &mut Random, tally: &mut Tally, count: u32) -> Result<()> {
        let mut last = random.bytes(BLOCK * BLOCKS);
        for round in 0..ROUNDS_MAX {
            last = like(&last, random);
            let kept = (format!("data/kept-{round:02}.bin"), last.clone());
            let lost = (format!("data/lost-{round:02}.bin"), random.bytes(BLOCK * BLOCKS / 2));
            self.add(kept, lost, random, tally)?;
            self.push(random, tally)?;
            self.collect(random, tally)?;
            if tally.hits() >= count {
                break;
            }
        }
        self.check_remote()?;
        self.check_store()?;
        self.ask(&["verify"])?;
        self.ask(&["audit", "verify"]).map(drop)
    }

    /// Adds two files; if it was killed, only one of them is added again, so that there is garbage.
    fn add(
        &mut self,
        kept: (String, Vec<u8>),
        lost: (String, Vec<u8>),
        random: &mut Random,
        tally: &mut Tally,
    ) -> Result<()> {
        let adding = Files::from([kept.clone(), lost]);
        self.write(&adding)?;
        let names: Vec<&str> = std::iter::once("add").chain(adding.keys().map(String::as_str)).collect();
        let is_done = self.interrupt(Act::Add, &names, random, tally)?;
        // a lock that names content is a promise as well
        let lock = self.lock()?;
        self.held.extend(adding.iter().filter(|(path, _)| is_done || lock.contains(*path)).map(owned));
        self.check_store()?;
        if !self.held.contains_key(&kept.0) {
            self.write(&Files::from([kept.clone()]))?;
            self.complete(Act::Add, &["add", &kept.0])?;
            self.held.extend([kept]);
        }
        Ok(())
    }

    fn push(&mut self, random: &mut Random, tally: &mut Tally) -> Result<()> {
        if !self.interrupt(Act::Push, &["push"], random, tally)? {
            self.check_remote()?;
            self.complete(Act::Push, &["push"])?;
        }
        self.pushed = Some((self.lock()?, self.held.clone()));
        Ok(())
    }

    fn collect(&mut self, random: &mut Random, tally: &mut Tally) -> Result<()> {
        let collect = ["gc", "--yes", "--grace", "0"];
        if !self.interrupt(Act::Gc, &collect, random, tally)? {
            self.check_store()?;
            self.complete(Act::Gc, &collect)?;
        }
        Ok(())
    }

    /// Runs a command and kills it at some moment of the time that it takes; says whether it ended before.
    fn interrupt(&mut self, act: Act, arguments: &[&str], random: &mut Random, tally: &mut Tally) -> Result<bool> {
        let Some(pace) = self.pace.get(&act) else {
            return self.complete(act, arguments).map(|()| true);
        };
        match kill_within(&mut self.command(&self.work, arguments), random.within(*pace))? {
            Ended::Killed => {
                *tally.hit.entry(act).or_default() += 1;
                Ok(false)
            }
            Ended::Before => {
                tally.late += 1;
                Ok(true)
            }
        }
    }

    /// Runs a command to its end, which must be good.
    fn complete(&mut self, act: Act, arguments: &[&str]) -> Result<()> {
        let began = Instant::now();
        self.ask(arguments)?;
        let pace = self.pace.entry(act).or_default();
        *pace = began.elapsed().max(*pace);
        Ok(())
    }

    /// All that the lock names can be had from the store.
    fn check_store(&self) -> Result<()> {
        let data = self.work.join("data");
        fs::remove_dir_all(&data).with_context(|| format!("can't remove `{}`", data.display()))?;
        if self.held.is_empty() {
            return Ok(());
        }
        self.ask(&["checkout"])?;
        compare(&self.work, &self.held)
    }

    /// All that was pushed arrives in a workspace that has nothing.
    fn check_remote(&self) -> Result<()> {
        let Some((lock, files)) = &self.pushed else {
            return Ok(());
        };
        fs::remove_dir_all(&self.clone)?;
        fs::create_dir(&self.clone)?;
        fs::copy(self.work.join("stemma.toml"), self.clone.join("stemma.toml"))?;
        fs::write(self.clone.join("stemma.lock"), lock)?;
        for arguments in ["pull", "checkout"] {
            process::output(&mut self.command(&self.clone, &[arguments]))?;
        }
        compare(&self.clone, files)
    }

    fn write(&self, files: &Files) -> Result<()> {
        for (path, bytes) in files {
            let path = self.work.join(path);
            fs::create_dir_all(path.parent().unwrap_or(&path))?;
            fs::write(&path, bytes).with_context(|| format!("can't write `{}`", path.display()))?;
        }
        Ok(())
    }

    fn lock(&self) -> Result<String> {
        match fs::read_to_string(self.work.join("stemma.lock")) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            text => text.context("can't read stemma.lock"),
        }
    }

    fn ask(&self, arguments: &[&str]) -> Result<String> {
        process::output(&mut self.command(&self.work, arguments))
    }

    fn command(&self, work: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.stemma);
        for (name, _) in std::env::vars_os() {
            if ["STEMMA_", "GIT_"].iter().any(|ours| name.to_string_lossy().starts_with(ours)) {
                command.env_remove(&name);
            }
        }
        command.current_dir(work).env("STEMMA_CONFIG_DIR", self.folder.join("config"));
        command.env("GIT_CEILING_DIRECTORIES", &self.folder).args(arguments);
        command
    }
}

fn owned((path, bytes): (&String, &Vec<u8>)) -> (String, Vec<u8>) {
    (path.clone(), bytes.clone())
}

/// The next version of a file: a third of its blocks is new.
fn like(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut next = bytes.to_vec();
    for block in next.chunks_mut(BLOCK) {
        if random.below(3) == 0 {
            block.copy_from_slice(&random.bytes(block.len()));
        }
    }
    next
}

fn compare(folder: &Path, files: &Files) -> Result<()> {
    for (path, bytes) in files {
        let found = fs::read(folder.join(path)).with_context(|| format!("`{path}` was acknowledged and is lost"))?;
        ensure!(found == *bytes, "`{path}` was acknowledged and has other bytes");
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// With success, before the kill.
    Before,
    Killed,
}

/// Kills a command after a while.
fn kill_within(command: &mut Command, moment: Duration) -> Result<Ended> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("can't run `{}`", process::words(command)))?;
    thread::sleep(moment);
    // fails if it has ended already
    let _ = child.kill();
    let Output { status, stderr, .. } = child.wait_with_output()?;
    match status.signal() {
        Some(9) => Ok(Ended::Killed),
        _ if status.success() => Ok(Ended::Before),
        _ => bail!(
            "`{}` ended with {status}\n{}",
            process::words(command),
            process::tail(&String::from_utf8_lossy(&stderr))
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_counts_only_if_it_hits() {
        let mut long = Command::new("sleep");
        assert_eq!(kill_within(long.arg("60"), Duration::from_millis(5)).unwrap(), Ended::Killed);
        let mut short = Command::new("true");
        assert_eq!(kill_within(&mut short, Duration::from_millis(500)).unwrap(), Ended::Before);
        let mut bad = Command::new("false");
        assert!(kill_within(&mut bad, Duration::from_millis(500)).is_err());
    }

    #[test]
    fn what_is_lost_or_altered_is_named() {
        let folder = std::env::temp_dir().join(format!("stemma-interrupt-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a"), "a").unwrap();
        let files = |path: &str, bytes: &str| Files::from([(path.to_owned(), bytes.as_bytes().to_vec())]);
        let said = |files| compare(&folder, &files).map_err(|error| error.to_string());
        assert_eq!(said(files("a", "a")), Ok(()));
        assert_eq!(said(files("a", "b")).unwrap_err(), "`a` was acknowledged and has other bytes");
        assert_eq!(said(files("b", "b")).unwrap_err(), "`b` was acknowledged and is lost");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn versions_of_a_file_have_much_in_common() {
        let mut random = Random::seeded();
        let first = random.bytes(BLOCK * 300);
        let second = like(&first, &mut random);
        let same = first.chunks(BLOCK).zip(second.chunks(BLOCK)).filter(|(a, b)| a == b).count();
        assert!((150..250).contains(&same), "{same}");
    }
}
