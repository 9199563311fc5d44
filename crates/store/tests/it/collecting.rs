//! Adding and collecting at once, in real processes, that run on or are killed; and every order of doing both.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant, SystemTime},
};

use proptest::prelude::*;
use stemma_core::Digest;
use stemma_store::{GcOptions, Store, StoreError};
use tempfile::TempDir;

use crate::noise;

/// How many different contents there are: few, so that what one gives up another one takes.
const POOL: u64 = 15;

/// Contents that share pieces, are alike, or neither.
fn pool(number: u64) -> Vec<u8> {
    let family = rows(number / 3, 150_000);
    match number % 3 {
        0 => family,
        1 => [&family[..70_000], b"1,2\n3,4\n", &family[70_000..]].concat(),
        _ if number > 11 => noise(number, 1_400_000),
        _ => [noise(number, 300_000), noise(99, 200_000)].concat(),
    }
}

/// Text that compresses, made faster than a table.
fn rows(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = noise(seed, len);
    bytes.iter_mut().for_each(|byte| *byte = b"0123456789,abcd\n"[usize::from(*byte & 15)]);
    bytes
}

/// A store that several processes share, and a folder of references to its content: a file for each, named by who refers to
/// what.
#[derive(Clone)]
struct SharedStore {
    root: PathBuf,
}

impl SharedStore {
    fn make(folder: &TempDir) -> Self {
        let shared = Self { root: folder.path().to_owned() };
        fs::create_dir(shared.references()).unwrap();
        shared
    }

    fn store(&self) -> Store {
        Store::open(&self.root.join("store")).unwrap()
    }

    fn references(&self) -> PathBuf {
        self.root.join("references")
    }

    fn reference(&self, who: u64, number: u64, digest: &Digest) -> PathBuf {
        self.references().join(format!("{who}-{number}-{digest}"))
    }

    /// Number and name of all contents that somebody refers to.
    fn referenced(&self) -> Vec<(u64, Digest)> {
        let names = fs::read_dir(self.references()).unwrap().map(|entry| entry.unwrap().file_name());
        let parse = |name: &str| {
            let [_, number, digest] = name.splitn(3, '-').collect::<Vec<_>>().try_into().unwrap();
            (number.parse().unwrap(), digest.parse().unwrap())
        };
        names.map(|name| parse(name.to_str().unwrap())).collect()
    }

    fn roots(&self) -> Vec<Digest> {
        self.referenced().into_iter().map(|(_, digest)| digest).collect()
    }

    fn check_all(&self) {
        let store = self.store();
        for (number, digest) in self.referenced() {
            assert!(store.read(&digest, u64::MAX).unwrap() == pool(number), "content {number}");
        }
        assert_eq!(store.verify(&mut |_, _| {}).unwrap().damaged, []);
    }
}

fn at_once() -> GcOptions {
    GcOptions { grace: Duration::ZERO, now: SystemTime::now() }
}

/// Adds, gives up and reads back, and says so each time.
fn add_for_ever(shared: &SharedStore, who: u64, done: &mut dyn FnMut()) {
    let store = shared.store();
    let file = shared.root.join(format!("{who}.bin"));
    for step in 0.. {
        let draw = noise(who * 1_000_000 + step, 8);
        let number = u64::from(draw[0]) % POOL;
        let content = pool(number);
        let digest = Digest::of(&content);
        let reference = shared.reference(who, number, &digest);
        if reference.exists() {
            assert!(store.read(&digest, u64::MAX).unwrap() == content, "content {number}");
            if draw[1].is_multiple_of(2) {
                fs::remove_file(reference).unwrap();
            }
        } else {
            let lease = store.lease().unwrap();
            if add(&store, &file, number, &content, draw[2]) {
                fs::write(reference, []).unwrap();
            }
            drop(lease);
        }
        done();
    }
}

/// In one of several ways; false if it was only to be kept, and is not here.
fn add(store: &Store, file: &Path, number: u64, content: &[u8], way: u8) -> bool {
    let mut batch = store.batch();
    let digest = Digest::of(content);
    match way % 4 {
        0 => {
            if !batch.keep(&digest).unwrap() {
                return false;
            }
        }
        1 => assert_eq!(batch.put_bytes(content).unwrap().digest, digest),
        _ => {
            fs::write(file, content).unwrap();
            // its relatives are alike
            let like = Digest::of(&pool(number / 3 * 3 + (number + 1) % 3));
            assert_eq!(batch.put_file_like(file, Some(like), &mut |_| {}).unwrap().digest, digest);
        }
    }
    batch.commit().unwrap();
    true
}

fn collect_for_ever(shared: &SharedStore, done: &mut dyn FnMut()) {
    let store = shared.store();
    loop {
        match store.gc(&mut || Ok(shared.roots()), &at_once(), &mut |_| {}) {
            Ok(report) => assert_eq!(report.damaged, []),
            Err(StoreError::Collecting(_)) => {}
            Err(error) => panic!("{error}"),
        }
        done();
    }
}

/// Says in the environment of a child what it is to do: `add` or `collect`, number, and folder.
const TASK: &str = "STEMMA_STORE_TEST_COLLECTING";

fn do_task() {
    let Ok(task) = env::var(TASK) else { return };
    let [what, who, root] = task.splitn(3, '#').collect::<Vec<_>>().try_into().unwrap();
    let shared = SharedStore { root: root.into() };
    let mut stdout = std::io::stdout();
    let mut done = || {
        writeln!(stdout, "\ndone").unwrap();
        stdout.flush().unwrap();
    };
    match what {
        "add" => add_for_ever(&shared, who.parse().unwrap(), &mut done),
        _ => collect_for_ever(&shared, &mut done),
    }
}

/// A process that does a task for ever.
struct Worker {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Worker {
    fn start(test: &str, shared: &SharedStore, what: &str, who: u64) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", &format!("collecting::{test}"), "--nocapture"])
            .env(TASK, format!("{what}#{who}#{}", shared.root.display()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Waits until it has done so much more.
    fn wait_for(&mut self, count: usize) {
        let mut lines = self.lines.by_ref().map(|line| line.unwrap()).filter(|line| line == "done");
        for _ in 0..count {
            assert!(lines.next().is_some(), "it stopped by itself: see what it says above");
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_soak() -> bool {
    env::var_os("STEMMA_SOAK").is_some()
}

#[test]
fn two_writers_and_a_collector_run_together_without_loss() {
    do_task();
    let folder = tempfile::tempdir().unwrap();
    let shared = SharedStore::make(&folder);
    let test = "two_writers_and_a_collector_run_together_without_loss";
    let tasks = [("add", 1), ("add", 2), ("collect", 0)];
    let mut workers = tasks.map(|(what, who)| Worker::start(test, &shared, what, who));
    let (begun, length) = (Instant::now(), Duration::from_secs(if is_soak() { 240 } else { 4 }));
    while begun.elapsed() < length {
        workers.iter_mut().for_each(|worker| worker.wait_for(1));
    }
    drop(workers);
    shared.check_all();
}

#[test]
fn kills_of_writers_and_collectors_lose_nothing() {
    do_task();
    let folder = tempfile::tempdir().unwrap();
    let shared = SharedStore::make(&folder);
    let test = "kills_of_writers_and_collectors_lose_nothing";
    for round in 0..if is_soak() { 1000 } else { 50 } {
        let mut adding = Worker::start(test, &shared, "add", round);
        let mut collecting = Worker::start(test, &shared, "collect", 0);
        let draw = noise(round, 2);
        collecting.wait_for(1 + usize::from(draw[0]) % 2);
        // who is killed is not who was heard last, so it is anywhere in what it does
        if draw[1].is_multiple_of(2) {
            drop(adding);
            collecting.wait_for(1);
        } else {
            adding.wait_for(1 + usize::from(draw[0]) % 3);
            drop(collecting);
            adding.wait_for(1);
        }
        // the dead give nothing up any more, so half of what they hold goes with them
        for (number, digest) in shared.referenced() {
            if (number + round).is_multiple_of(2) {
                let _ = fs::remove_file(shared.reference(round, number, &digest));
            }
        }
        if round % 25 == 24 {
            shared.check_all();
        }
    }
    shared.check_all();
    let store = shared.store();
    store.gc(&mut || Ok(shared.roots()), &at_once(), &mut |_| {}).unwrap();
    assert_eq!(fs::read_dir(store.root().join("leases")).unwrap().count(), 0, "the dead leave no leases");
    shared.check_all();
}

#[derive(Debug, Clone)]
enum Act {
    Add { number: u64, way: u8 },
    GiveUp(u64),
    Collect { hours: u64 },
    Reopen,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    // the small ones, for speed
    let number = 0..8u64;
    let act = prop_oneof![
        4 => (number.clone(), 0u8..4).prop_map(|(number, way)| Act::Add { number, way }),
        3 => number.prop_map(Act::GiveUp),
        3 => (0..30u64).prop_map(|hours| Act::Collect { hours }),
        1 => Just(Act::Reopen),
    ];
    proptest::collection::vec(act, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if is_soak() { 500 } else { 12 }, ..ProptestConfig::default() })]

    #[test]
    fn what_is_needed_reads_back_and_what_is_not_goes(acts in acts()) {
        let folder = tempfile::tempdir_in(crate::memory()).unwrap();
        let file = folder.path().join("file");
        let mut store = Store::open(&folder.path().join("store")).unwrap();
        let mut needed = std::collections::BTreeSet::new();
        let mut hours = 0;
        for act in acts {
            match act {
                Act::Add { number, way } => {
                    if add(&store, &file, number, &pool(number), way) {
                        needed.insert(number);
                    }
                }
                Act::GiveUp(number) => drop(needed.remove(&number)),
                Act::Collect { hours: later } => {
                    hours += later;
                    collect(&store, &needed, hours);
                }
                Act::Reopen => store = Store::open(store.root()).unwrap(),
            }
            for number in &needed {
                prop_assert!(store.read(&Digest::of(&pool(*number)), u64::MAX).unwrap() == pool(*number));
            }
        }
        collect(&store, &needed, hours);
        collect(&store, &needed, hours + 24);
        let report = collect(&store, &needed, hours + 48);
        prop_assert_eq!(report.freed.records + report.marked.records, 0);
        let names: Vec<Digest> = (0..8).map(|number| Digest::of(&pool(number))).collect();
        let kept = report.kept.records;
        for (number, name) in (0..8).zip(&names) {
            prop_assert!(store.contains(name) == needed.contains(&number) || kept > 0);
        }
        prop_assert_eq!(store.verify(&mut |_, _| {}).unwrap().damaged, vec![]);
    }
}

fn collect(store: &Store, needed: &std::collections::BTreeSet<u64>, hours: u64) -> stemma_store::GcReport {
    let roots: Vec<Digest> = needed.iter().map(|number| Digest::of(&pool(*number))).collect();
    let options = GcOptions::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + hours * 3600));
    store.gc(&mut || Ok(roots.clone()), &options, &mut |_| {}).unwrap()
}
