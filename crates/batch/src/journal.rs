//! What a batch has done so far, in a folder beside its output.
//!
//! A chunk counts once its seal is there; the seal is renamed into place after the chunk's rows are on disk. So a kill
//! at any moment leaves whole chunks, and whatever else lies there is written anew. Stored-format version 1.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use stemma_core::{
    Digest, ErrorKind, Problem,
    id::HomeId,
    name::{EndpointName, ProjectName},
    signature::Signature,
};

use crate::read::Format;

const FORMAT_VERSION: u32 = 1;
const JOB: &str = "job.json";
const LOCK: &str = "lock";
/// Longest job or seal that is read.
const JSON_BYTES_MAX: u64 = 16 << 20;

/// What somebody asked for; another request can't go on with the same rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The home that is asked: revision numbers of another mean something else.
    pub home: HomeId,
    pub project: ProjectName,
    pub endpoint: EndpointName,
    pub input: Digest,
    pub format: Format,
    pub unit: Option<String>,
    pub keep: Option<Vec<String>>,
}

impl Order {
    /// The first thing in which another differs.
    fn difference(&self, other: &Self) -> Option<&'static str> {
        if self.input != other.input {
            return Some("input");
        }
        if self.home != other.home {
            return Some("home");
        }
        if (&self.project, &self.endpoint) != (&other.project, &other.endpoint) {
            return Some("endpoint");
        }
        (self != other).then_some("options")
    }
}

/// A batch: what was asked for, and what was settled when it began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    pub version: u32,
    pub id: String,
    pub order: Order,
    /// The deployment revision that answers all rows.
    pub revision: u32,
    pub signature: Signature,
}

impl Job {
    pub fn new(id: String, order: Order, revision: u32, signature: Signature) -> Self {
        Self { version: FORMAT_VERSION, id, order, revision, signature }
    }
}

/// What a finished chunk holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    pub rows: u64,
    pub errors: u64,
    /// Rows by the versions that answered them.
    pub versions: BTreeMap<String, u64>,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.errors += other.errors;
        for (versions, rows) in &other.versions {
            *self.versions.entry(versions.clone()).or_default() += rows;
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Seal {
    tally: Tally,
    content: Digest,
}

/// The open folder of a batch; nobody else has it.
pub struct Journal {
    folder: PathBuf,
    format: Format,
    chunks: u64,
    done: Tally,
    _lock: File,
}

/// The folder beside an output.
pub fn folder(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

/// Whether a batch was begun in this folder and is not done.
pub fn has_job(folder: &Path) -> bool {
    folder.join(JOB).exists()
}

/// A folder that is held, and the batch that was begun in it.
pub struct Held {
    folder: PathBuf,
    lock: File,
    begun: Option<Job>,
}

/// Takes hold of a folder, making it if it is not there.
pub fn hold(folder: &Path) -> Result<Held, Problem> {
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    let path = folder.join(LOCK);
    let lock = File::create(&path).map_err(|error| failed(&path, &error))?;
    if lock.try_lock().is_err() {
        return Err(Problem::new(ErrorKind::Conflict, format!("another process works in `{}`", folder.display()))
            .hint("wait for it, or choose another output"));
    }
    Ok(Held { folder: folder.to_owned(), lock, begun: None })
}

impl Held {
    /// The batch to go on with, which must be the one that is order; `None` if none was begun.
    pub fn begun(&mut self, order: &Order) -> Result<Option<Job>, Problem> {
        let path = self.folder.join(JOB);
        if !path.exists() {
            return Ok(None);
        }
        let job: Job = read_json(&path)?;
        let shown = self.folder.display();
        if job.version != FORMAT_VERSION {
            return Err(Problem::new(ErrorKind::Conflict, format!("`{shown}` is of another version of this program"))
                .hint("begin anew with `--restart`"));
        }
        match job.order.difference(order) {
            None => Ok(self.begun.insert(job).clone().into()),
            Some(what) => Err(Problem::new(
                ErrorKind::Conflict,
                format!("the batch in `{shown}` was begun with another {what}")
                    .replace("another options", "other options"),
            )
            .hint("repeat the command it was begun with, or begin anew with `--restart`")),
        }
    }

    /// Forgets what is in the folder.
    pub fn clear(&mut self) -> Result<(), Problem> {
        self.begun = None;
        remove(&self.folder.join(JOB))?;
        for entry in fs::read_dir(&self.folder).map_err(|error| failed(&self.folder, &error))? {
            let path = entry.map_err(|error| failed(&self.folder, &error))?.path();
            if path.file_name().is_some_and(|name| name != LOCK) {
                remove(&path)?;
            }
        }
        Ok(())
    }

    /// Removes a folder in which nothing was begun.
    pub fn abandon(self) {
        if !self.folder.join(JOB).exists() {
            let _ = fs::remove_file(self.folder.join(LOCK));
            let _ = fs::remove_dir(&self.folder);
        }
    }

    /// Begins a batch, or goes on with the one that was begun.
    pub fn into_journal(mut self, job: &Job) -> Result<Journal, Problem> {
        if self.begun.as_ref() != Some(job) {
            self.clear()?;
            write_json(&self.folder.join(JOB), job)?;
        }
        let mut journal = Journal {
            folder: self.folder,
            format: job.order.format,
            chunks: 0,
            done: Tally::default(),
            _lock: self.lock,
        };
        while let Some(tally) = journal.sealed(journal.chunks)? {
            journal.chunks += 1;
            journal.done.add(&tally);
        }
        Ok(journal)
    }
}

impl Journal {
    /// What the finished chunks hold together.
    pub const fn done(&self) -> &Tally {
        &self.done
    }

    /// The files of the finished chunks, in order.
    pub fn chunks(&self) -> impl Iterator<Item = PathBuf> {
        (0..self.chunks).map(|number| self.chunk(number))
    }

    pub const fn format(&self) -> Format {
        self.format
    }

    /// Where the whole table is put together.
    pub fn whole(&self) -> PathBuf {
        self.folder.join(format!("whole.{}", self.format.ending()))
    }

    fn chunk(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:08}.{}", self.format.ending()))
    }

    fn seal(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:08}.json"))
    }

    /// Appends the next rows.
    pub fn append(&mut self, content: &[u8], tally: &Tally) -> Result<(), Problem> {
        write_whole(&self.chunk(self.chunks), content)?;
        let seal = Seal { tally: tally.clone(), content: Digest::of(content) };
        write_json(&self.seal(self.chunks), &seal)?;
        self.chunks += 1;
        self.done.add(tally);
        Ok(())
    }

    /// What a chunk holds; `None` if it was not finished.
    fn sealed(&self, number: u64) -> Result<Option<Tally>, Problem> {
        let (seal, chunk) = (self.seal(number), self.chunk(number));
        if !seal.exists() {
            return Ok(None);
        }
        let Seal { tally, content } = read_json(&seal)?;
        let bytes = fs::read(&chunk).map_err(|error| failed(&chunk, &error))?;
        if Digest::of(&bytes) != content {
            let problem = Problem::new(ErrorKind::Corrupt, format!("`{}` is not what was written", chunk.display()));
            return Err(problem.hint("begin anew with `--restart`"));
        }
        Ok(Some(tally))
    }

    /// Puts the whole table in its place and removes the folder.
    pub fn finish(self, output: &Path) -> Result<(), Problem> {
        let whole = self.whole();
        let file = File::open(&whole).map_err(|error| failed(&whole, &error))?;
        file.sync_all().map_err(|error| failed(&whole, &error))?;
        fs::rename(&whole, output).map_err(|error| failed(output, &error))?;
        sync_folder_of(output)?;
        // without its job, a folder that is left half removed holds no batch
        remove(&self.folder.join(JOB))?;
        fs::remove_dir_all(&self.folder).map_err(|error| failed(&self.folder, &error))
    }
}

fn remove(path: &Path) -> Result<(), Problem> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, &error)),
        _ => Ok(()),
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Problem> {
    let file = File::open(path).map_err(|error| failed(path, &error))?;
    serde_json::from_reader(io::BufReader::new(io::Read::take(file, JSON_BYTES_MAX))).map_err(|error| {
        let message = format!("`{}` is damaged: {error}", path.display());
        Problem::new(ErrorKind::Corrupt, message).hint("begin anew with `--restart`")
    })
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Problem> {
    let bytes = serde_json::to_vec_pretty(value).map_err(|error| failed(path, &error))?;
    write_whole(path, &bytes)
}

/// Writes a file so that it is there whole or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    let beside = path.with_added_extension("new");
    let write = || -> io::Result<()> {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(|error| failed(path, &error))?;
    sync_folder_of(path)
}

fn sync_folder_of(path: &Path) -> Result<(), Problem> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(folder, &error))
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> Problem {
    Problem::new(ErrorKind::Config, format!("can't write `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        Order {
            home: HomeId::from_u128(7),
            project: ProjectName::default_project(),
            endpoint: "e".parse().unwrap(),
            input: Digest::of(b"input"),
            format: Format::Csv,
            unit: None,
            keep: None,
        }
    }

    fn job() -> Job {
        Job::new("job".to_owned(), order(), 3, Signature::default())
    }

    fn tally(rows: u64, errors: u64) -> Tally {
        Tally { rows, errors, versions: BTreeMap::from([("m@1.0.0".to_owned(), rows - errors)]) }
    }

    #[test]
    fn finished_chunks_are_there_again_and_unfinished_ones_are_not() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("y.csv.part");
        let mut journal = hold(&folder).unwrap().into_journal(&job()).unwrap();
        journal.append(b"1\n", &tally(1000, 0)).unwrap();
        journal.append(b"2\n", &tally(1000, 2)).unwrap();
        // a kill between the rows and their seal
        fs::write(journal.chunk(2), b"3").unwrap();
        drop(journal);
        let mut held = hold(&folder).unwrap();
        let begun = held.begun(&order()).unwrap().unwrap();
        assert_eq!(begun, job());
        let mut journal = held.into_journal(&begun).unwrap();
        assert_eq!(journal.done(), &tally(2000, 2));
        journal.append(b"3\n", &tally(1, 1)).unwrap();
        let rows: Vec<Vec<u8>> = journal.chunks().map(|path| fs::read(path).unwrap()).collect();
        assert_eq!(rows.concat(), b"1\n2\n3\n");
    }

    #[test]
    fn only_the_same_batch_goes_on() {
        let place = tempfile::tempdir().unwrap();
        drop(hold(place.path()).unwrap().into_journal(&job()).unwrap());
        let check = |change: fn(&mut Order), expected: &str| {
            let mut other = order();
            change(&mut other);
            let problem = hold(place.path()).unwrap().begun(&other).unwrap_err();
            assert_eq!(problem.kind, ErrorKind::Conflict);
            assert!(problem.message.ends_with(expected), "{problem}");
        };
        check(|order| order.input = Digest::of(b"other"), "with another input");
        check(|order| order.endpoint = "f".parse().unwrap(), "with another endpoint");
        check(|order| order.unit = Some("id".to_owned()), "with other options");
        check(|order| order.keep = Some(Vec::new()), "with other options");
        let mut held = hold(place.path()).unwrap();
        held.clear().unwrap();
        assert_eq!(held.begun(&order()).unwrap(), None);
    }

    #[test]
    fn two_processes_do_not_share_a_folder() {
        let place = tempfile::tempdir().unwrap();
        let first = hold(place.path()).unwrap();
        assert!(hold(place.path()).is_err_and(|problem| problem.kind == ErrorKind::Conflict));
        drop(first);
        assert!(hold(place.path()).is_ok());
    }

    #[test]
    fn a_changed_chunk_is_noticed() {
        let place = tempfile::tempdir().unwrap();
        let mut journal = hold(place.path()).unwrap().into_journal(&job()).unwrap();
        journal.append(b"1\n", &tally(1, 0)).unwrap();
        fs::write(journal.chunk(0), b"2\n").unwrap();
        drop(journal);
        let mut held = hold(place.path()).unwrap();
        let begun = held.begun(&order()).unwrap().unwrap();
        let again = held.into_journal(&begun);
        assert!(again.is_err_and(|problem| problem.kind == ErrorKind::Corrupt));
    }

    #[test]
    fn a_finished_batch_leaves_its_output_only() {
        let place = tempfile::tempdir().unwrap();
        let output = place.path().join("y.csv");
        let journal = hold(&folder(&output)).unwrap().into_journal(&job()).unwrap();
        fs::write(journal.whole(), b"whole").unwrap();
        journal.finish(&output).unwrap();
        assert_eq!(fs::read(&output).unwrap(), b"whole");
        assert!(!folder(&output).exists());
    }

    /// A frozen sample of the format.
    #[test]
    fn the_job_is_written_like_this() {
        let expected = r#"{"version":1,"id":"job","order":{"home":"HOME","project":"default","endpoint":"e","input":"INPUT","format":"csv","unit":null,"keep":null},"revision":3,"signature":{"inputs":[],"outputs":[]}}"#;
        let input = Digest::of(b"input").to_string();
        assert_eq!(
            serde_json::to_string(&job()).unwrap(),
            expected.replace("INPUT", &input).replace("HOME", &HomeId::from_u128(7).to_string())
        );
    }
}
