//! One file of a home is damaged at random: either it is noticed, or every answer is what it was.
//!
//! A bit may flip where nothing is, as in a free page of SQLite. That passes only because the answers are compared.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{desk::Desk, process, random::Random, small_disk::copy_all};

const PAGE: u64 = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Noticed,
    /// Nothing noticed it, and all answers are as they were.
    Harmless,
}

/// Damages a copy of the desk's home, and asks it.
///
/// `predictions` are known to be explained; fails if an answer is another than before and nothing said so.
pub fn once(desk: &Desk, predictions: &[String], random: &mut Random) -> Result<Outcome> {
    let copy = desk.copied("damaged")?;
    for check in CHECKS {
        copy.ask(check).context("the home is not right before it is damaged")?;
    }
    let expected = answers(&copy, predictions).context("the home does not answer before it is damaged")?;
    let harm = Harm::choose(&copy.work.join(".stemma"), random)?;
    harm.inflict()?;
    // a check that fails in whatever way has not said that all is well
    if CHECKS.iter().any(|check| copy.ask(check).is_err()) {
        return Ok(Outcome::Noticed);
    }
    match answers(&copy, predictions) {
        Err(_) => Ok(Outcome::Noticed),
        Ok(found) if found == expected => Ok(Outcome::Harmless),
        Ok(found) => {
            let differs = expected.iter().zip(&found).find(|(one, other)| one != other);
            bail!("{harm:?}: `verify` and `audit verify` pass, and an answer is another: {differs:?}")
        }
    }
}

const CHECKS: [&[&str]; 2] = [&["verify"], &["audit", "verify"]];

/// What people get to see, and bytes that they get.
fn answers(desk: &Desk, predictions: &[String]) -> Result<Vec<Vec<u8>>> {
    let mut questions: Vec<Vec<&str>> = vec![vec!["models"], vec!["endpoints"], vec!["log"]];
    questions.extend(predictions.iter().map(|prediction| vec!["why", prediction]));
    let told = questions.iter().map(|question| Ok(desk.ask(question)?.to_string().into_bytes()));
    let mut answers = told.collect::<Result<Vec<_>>>()?;
    let bytes = desk.folder.join("champion.onnx");
    process::output(&mut desk.stemma(&[
        "get",
        "credit-score@champion",
        "--force",
        "-o",
        &bytes.display().to_string(),
    ])?)?;
    answers.push(fs::read(&bytes)?);
    Ok(answers)
}

/// What happens to a file.
#[derive(Debug)]
struct Harm {
    path: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Bit {
        byte: u64,
        bit: u8,
    },
    /// The end is gone.
    Cut {
        len: u64,
    },
    /// A page of a disk came back empty.
    Empty {
        start: u64,
    },
    Gone,
}

impl Harm {
    fn choose(home: &Path, random: &mut Random) -> Result<Self> {
        let mut files = Vec::new();
        list(home, &mut files)?;
        // a folder of many small files is hit no oftener than one of a few
        let mut folders: BTreeMap<PathBuf, Vec<(PathBuf, u64)>> = BTreeMap::new();
        for (path, len) in files {
            folders.entry(path.parent().unwrap_or(home).to_owned()).or_default().push((path, len));
        }
        let folder = random.below(folders.len().max(1) as u64) as usize;
        let files = folders.into_values().nth(folder).with_context(|| format!("`{}` has no files", home.display()))?;
        let (path, len) = files[random.below(files.len() as u64) as usize].clone();
        let at = random.below(len);
        let kind = match random.below(4) {
            0 => Kind::Bit { byte: at, bit: random.below(8) as u8 },
            1 => Kind::Cut { len: at },
            2 => Kind::Empty { start: at - at % PAGE },
            _ => Kind::Gone,
        };
        Ok(Self { path, kind })
    }

    fn inflict(&self) -> Result<()> {
        let open = || fs::OpenOptions::new().read(true).write(true).open(&self.path);
        match self.kind {
            Kind::Bit { byte, bit } => {
                let (file, mut byte_there) = (open()?, [0]);
                file.read_exact_at(&mut byte_there, byte)?;
                file.write_all_at(&[byte_there[0] ^ 1 << bit], byte)?;
            }
            Kind::Cut { len } => open()?.set_len(len)?,
            Kind::Empty { start } => {
                let file = open()?;
                let end = file.metadata()?.len().min(start + PAGE);
                file.write_all_at(&vec![0; (end - start) as usize], start)?;
            }
            Kind::Gone => fs::remove_file(&self.path)?,
        }
        Ok(())
    }
}

/// Files that have something in them, in a fixed order.
fn list(folder: &Path, files: &mut Vec<(PathBuf, u64)>) -> Result<()> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut paths = entries.collect::<Result<Vec<PathBuf>>>()?;
    paths.sort();
    for path in paths {
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.is_dir() {
            list(&path, files)?;
        } else if metadata.is_file() && metadata.len() > 0 {
            files.push((path, metadata.len()));
        }
    }
    Ok(())
}

impl Desk {
    /// The workspace, its home and the settings, copied beside the desk as they are now; what was copied before is gone.
    fn copied(&self, name: &str) -> Result<Self> {
        let folder = self.folder.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let copy = self.moved_to(&folder);
        copy_all(&self.folder.join("config"), &folder.join("config"))?;
        for part in [".stemma", ".git"] {
            copy_all(&self.work.join(part), &copy.work.join(part))?;
        }
        for file in ["stemma.toml", "stemma.lock"] {
            fs::copy(self.work.join(file), copy.work.join(file))?;
        }
        Ok(copy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_harm_changes_the_file_it_names() {
        let folder = std::env::temp_dir().join(format!("stemma-damage-{}", std::process::id()));
        fs::create_dir_all(folder.join("a")).unwrap();
        fs::write(folder.join("empty"), "").unwrap();
        let path = folder.join("a/file");
        let whole = vec![7; 10_000];
        let after = |kind| {
            fs::write(&path, &whole).unwrap();
            Harm { path: path.clone(), kind }.inflict().unwrap();
            fs::read(&path).ok()
        };
        let flipped = after(Kind::Bit { byte: 9_999, bit: 3 }).unwrap();
        assert_eq!((flipped[9_999], &flipped[..9_999]), (7 ^ 8, &whole[..9_999]));
        assert_eq!(after(Kind::Cut { len: 3 }).unwrap(), [7; 3]);
        let emptied = after(Kind::Empty { start: 8192 }).unwrap();
        assert_eq!((emptied.len(), &emptied[8192..]), (10_000, [0; 10_000 - 8192].as_slice()));
        assert_eq!(after(Kind::Gone), None);
        fs::write(&path, &whole).unwrap();
        assert_eq!(Harm::choose(&folder, &mut Random::seeded()).unwrap().path, path);
        fs::remove_dir_all(&folder).unwrap();
    }
}
