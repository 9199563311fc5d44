//! Several writers at once, and writers that are killed.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use stemma_core::Digest;
use stemma_store::Store;

use crate::{Fixture, files, noise, table};

/// Two writers in turns; returns how many packs that took.
fn write_in_turns() -> usize {
    let fixture = Fixture::new();
    let other = fixture.reopened();
    for seed in 0..5 {
        let content = noise(seed, 1000);
        let (writer, reader) = if seed % 2 == 0 { (&fixture.store, &other) } else { (&other, &fixture.store) };
        let info = writer.put_bytes(&content).unwrap();
        assert!(reader.contains(&info.digest));
        assert_eq!(reader.read(&info.digest, 1000).unwrap(), content);
        assert_eq!(reader.resolve(&info.sha256.into_content_id()).unwrap(), Some(info.digest));
    }
    files(fixture.store.root(), "pack").len()
}

#[test]
fn what_one_process_commits_another_finds() {
    // a process that another test starts at that moment holds the lock of a pack until it runs its own program, and
    // then the next writer takes another pack: what is always so must be so in one of several attempts
    assert!((0..10).any(|_| write_in_turns() == 1), "they take turns in one pack");
}

trait IntoContentId {
    fn into_content_id(self) -> stemma_core::ContentId;
}

impl IntoContentId for stemma_core::Sha256 {
    fn into_content_id(self) -> stemma_core::ContentId {
        stemma_core::ContentId::Sha256(self)
    }
}

#[test]
fn batches_that_overlap_do_not_wait_for_each_other() {
    let fixture = Fixture::new();
    let other = fixture.reopened();
    let mut first = fixture.store.batch();
    let mut second = other.batch();
    let mut third = fixture.store.batch();
    let digests = [
        first.put_bytes(b"first").unwrap().digest,
        second.put_bytes(b"second").unwrap().digest,
        third.put_bytes(b"third").unwrap().digest,
        // not yet committed by the first, so written again
        second.put_bytes(b"first").unwrap().digest,
    ];
    third.commit().unwrap();
    drop(first);
    second.commit().unwrap();
    let store = fixture.reopened();
    assert_eq!(store.missing(&digests), []);
    assert_eq!(store.read(&digests[0], 10).unwrap(), b"first");
    assert_eq!(files(store.root(), "pack").len(), 3);
    for seed in 0..20 {
        store.put_bytes(&noise(seed, 100)).unwrap();
    }
    assert_eq!(files(store.root(), "pack").len(), 3, "open packs are used again");
}

#[test]
fn threads_that_write_the_same_and_different_content_at_once() {
    let fixture = Fixture::new();
    let stores = [fixture.store.clone(), fixture.reopened(), fixture.reopened()];
    thread::scope(|scope| {
        for worker in 0..6u64 {
            let store = &stores[worker as usize % stores.len()];
            scope.spawn(move || {
                for round in 0..12 {
                    let mut batch = store.batch();
                    let shared = noise(round, 40_000);
                    let own = table(worker * 1000 + round, 3000 + (round as usize) * 30_000);
                    let digests = [batch.put_bytes(&shared).unwrap().digest, batch.put_bytes(&own).unwrap().digest];
                    batch.commit().unwrap();
                    assert!(store.read(&digests[0], u64::MAX).unwrap() == shared);
                    assert!(store.read(&digests[1], u64::MAX).unwrap() == own);
                }
            });
        }
    });
    let store = fixture.reopened();
    assert_eq!(store.usage().unwrap().blobs, 12 + 6 * 12);
    let packs = files(store.root(), "pack").len();
    assert!(packs <= 6, "{packs} packs");
    assert_eq!(store.verify(&mut |_, _| {}).unwrap().damaged, []);
}

/// Says in the environment of a child that it is a writer: folder, and seed of its content.
const WRITER: &str = "STEMMA_STORE_TEST_WRITER";

#[test]
fn what_a_killed_writer_acknowledged_is_there() {
    if let Ok(task) = std::env::var(WRITER) {
        write_until_killed(&task);
    }
    let rounds = if std::env::var_os("STEMMA_SOAK").is_some() { 1000 } else { 20 };
    let fixture = Fixture::new();
    let mut acknowledged: Vec<(Digest, u64, u64)> = Vec::new();
    for round in 0..rounds {
        let mut writers: Vec<Writer> = (0..2).map(|n| Writer::start(fixture.store.root(), round * 2 + n)).collect();
        // kills come at points that depend on nothing but how fast everybody is
        let patience = noise(round, 2);
        for (writer, lines) in writers.iter_mut().zip(patience) {
            writer.listen(1 + usize::from(lines) % 24);
        }
        let new: Vec<_> = writers.into_iter().flat_map(Writer::kill).collect();
        assert!(new.len() >= 2);
        let store = fixture.reopened();
        for (digest, seed, step) in &new {
            assert!(store.read(digest, u64::MAX).unwrap() == content(*seed, *step), "round {round}");
        }
        acknowledged.extend(new);
        assert!(open_packs(store.root()) <= 2, "the rests of the dead are used again");
    }
    let store = fixture.reopened();
    let digests: Vec<Digest> = acknowledged.iter().map(|(digest, ..)| *digest).collect();
    assert_eq!(store.missing(&digests), []);
    let report = store.verify(&mut |_, _| {}).unwrap();
    assert_eq!(report.damaged, []);
    assert!(report.blobs >= digests.len() as u64);
}

fn open_packs(root: &Path) -> usize {
    files(root, "pack").len() - files(root, "idx").len()
}

/// Every fifth is long enough for several threads, chunks and writes.
fn content(seed: u64, step: u64) -> Vec<u8> {
    let len = if step % 5 == 4 { 2_500_000 } else { 20_000 };
    noise(seed * 1_000_000 + step, len)
}

fn write_until_killed(task: &str) -> ! {
    let (root, seed) = task.rsplit_once('#').unwrap();
    let seed = seed.parse().unwrap();
    let store = Store::open(Path::new(root)).unwrap();
    let mut stdout = std::io::stdout();
    for step in 0.. {
        let info = store.put_bytes(&content(seed, step)).unwrap();
        writeln!(stdout, "\nacknowledged {} {step}", info.digest).unwrap();
        stdout.flush().unwrap();
    }
    unreachable!("the parent kills this process");
}

struct Writer {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    seed: u64,
    acknowledged: Vec<(Digest, u64, u64)>,
}

impl Writer {
    fn start(root: &Path, seed: u64) -> Self {
        let name = "processes::what_a_killed_writer_acknowledged_is_there";
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(WRITER, format!("{}#{seed}", root.display()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, seed, acknowledged: Vec::new() }
    }

    /// Waits for so many acknowledgements.
    fn listen(&mut self, count: usize) {
        let wanted = self.acknowledged.len() + count;
        while self.acknowledged.len() < wanted {
            let line = self.lines.next().expect("a writer writes until it is killed").unwrap();
            self.note(&line);
        }
    }

    fn note(&mut self, line: &str) {
        if let Some((digest, step)) = line.strip_prefix("acknowledged ").and_then(|rest| rest.split_once(' ')) {
            self.acknowledged.push((digest.parse().unwrap(), self.seed, step.parse().unwrap()));
        }
    }

    /// Kills it (SIGKILL) and returns all it had acknowledged by then.
    fn kill(mut self) -> Vec<(Digest, u64, u64)> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        while let Some(Ok(line)) = self.lines.next() {
            // the last line may have been cut off by the kill
            if line.len() > 70 {
                self.note(&line);
            }
        }
        self.acknowledged
    }
}
