//! Spellings of a way out of the home, and a file outside of it that tells whether anybody came near it.

use std::{
    mem::MaybeUninit,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init};
use stemma_api::act::{percent_decode, percent_encode};

/// One for each line; `#` begins a comment.
const SPELLINGS: &str = include_str!("../../../../core/tests/data/hostile-paths.txt");
const NAME: &str = "canary";
const CONTENT: &str = "it sings outside of the home";

pub struct Spelling {
    /// As it stands in an address.
    pub encoded: String,
    /// After one decoding, if that is text.
    pub text: Option<String>,
    /// It only looks dangerous.
    pub is_plain: bool,
}

/// A file beside the home, and a watch on it that the kernel keeps: whoever opens, reads, lists, changes or moves it is seen.
pub struct Canary {
    folder: PathBuf,
    watch: OwnedFd,
}

impl Canary {
    pub fn beside_home(folder: &Path) -> Self {
        std::fs::write(folder.join(NAME), CONTENT).unwrap();
        let watch = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).unwrap();
        add_watch(&watch, folder, WatchFlags::ALL_EVENTS).unwrap();
        Self { folder: folder.to_owned(), watch }
    }

    pub fn spellings(&self) -> Vec<Spelling> {
        let absolute = percent_encode(self.folder.join(NAME).to_str().unwrap());
        let lines = SPELLINGS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let spelling = |line: &str| {
            let encoded = line.strip_prefix("plain ").unwrap_or(line).replace("CANARY", &absolute);
            Spelling { text: percent_decode(&encoded), encoded, is_plain: line.starts_with("plain ") }
        };
        lines.map(spelling).collect()
    }

    /// Nobody came near it since the last question, and nothing of it is in an answer.
    #[track_caller]
    pub fn assert_alone(&self, said: &str, whom: &str) {
        assert!(!said.contains(CONTENT), "{whom} told what is in it: {said}");
        let visits = self.visits();
        assert!(visits.is_empty(), "{whom} came near it: {visits:?}");
    }

    /// It is as it was; and the watch, without which nothing above would have failed, sees who reads it.
    #[track_caller]
    pub fn assert_it_would_have_sung(self) {
        assert!(self.visits().is_empty());
        assert_eq!(std::fs::read_to_string(self.folder.join(NAME)).unwrap(), CONTENT);
        assert!(!self.visits().is_empty(), "the watch sees nothing");
    }

    fn visits(&self) -> Vec<String> {
        let mut room = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.watch, &mut room);
        let mut visits = Vec::new();
        while let Ok(event) = reader.next() {
            // the home lies in the same folder
            if event.file_name().is_some_and(|name| name.to_bytes() == NAME.as_bytes()) {
                visits.push(format!("{:?}", event.events()));
            }
        }
        visits
    }
}

#[test]
fn the_corpus_is_as_large_as_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let canary = Canary::beside_home(folder.path());
    let spellings = canary.spellings();
    let hostile = spellings.iter().filter(|one| !one.is_plain).count();
    assert!(hostile >= 60, "{hostile}");
    let mut texts: Vec<_> = spellings.iter().map(|one| &one.encoded).collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), spellings.len(), "each is there once");
    canary.assert_it_would_have_sung();
}
