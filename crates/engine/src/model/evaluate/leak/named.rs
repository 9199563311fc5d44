//! Rows that name a file, as those of a list of images do: what training read of that content, it has learned from. What
//! the names stand for is known where a command read the files; else a path that training read is taken for the same.

use std::collections::{HashMap, HashSet};

use stemma_core::{
    Digest,
    leak::{LeakSearch, SearchOutcome, SearchedInput},
    record::{FileRef, RunRecord},
};

use crate::table::Table;

/// Shorter cells name no file: `1` is a number before it is the end of a path.
const NAME_LEN_MIN: usize = 3;

/// What files were when somebody answered about the rows that name them, by the parts of their paths.
pub struct NamedFiles {
    contents: HashMap<String, Vec<Digest>>,
}

impl NamedFiles {
    pub fn of(answered: Option<&RunRecord>) -> Self {
        let mut contents: HashMap<String, Vec<Digest>> = HashMap::new();
        for input in answered.into_iter().flat_map(|run| &run.inputs) {
            for name in names(&input.path) {
                contents.entry(name.to_owned()).or_default().push(input.digest);
            }
        }
        Self { contents }
    }

    /// Marks the rows that name what the run in training read.
    pub fn mark(&self, inputs: &[FileRef], table: &Table, leaky: &mut [bool], search: &mut LeakSearch) {
        let read: HashMap<&str, Digest> =
            inputs.iter().flat_map(|input| names(&input.path).map(|name| (name, input.digest))).collect();
        let contents: HashSet<Digest> = inputs.iter().map(|input| input.digest).collect();
        let mut found: HashMap<Digest, HashSet<usize>> = HashMap::new();
        for (row, leaky) in leaky.iter_mut().enumerate() {
            let cells = (0..table.columns.len()).map(|column| table.cell(row, column));
            for cell in cells.filter(|cell| cell.len() >= NAME_LEN_MIN && cell.contains('.')) {
                let name = cell.trim_start_matches("./");
                let leaked = match self.contents.get(name) {
                    Some(stood_for) => stood_for.iter().find(|one| contents.contains(one)),
                    // a bare name may be that of another file elsewhere
                    None => read.get(name).filter(|_| name.contains('/')),
                };
                if let Some(digest) = leaked {
                    *leaky = true;
                    found.entry(*digest).or_default().insert(row);
                }
            }
        }
        for input in &mut search.inputs {
            if let Some(rows) = found.get(&input.digest) {
                tell(input, rows.len() as u64);
            }
        }
    }
}

fn tell(input: &mut SearchedInput, rows: u64) {
    match &mut input.outcome {
        SearchOutcome::Searched { found, .. } => *found = (*found).max(rows),
        outcome => {
            let format = "a file that rows name".to_owned();
            *outcome = SearchOutcome::Searched { format, rows, found: rows, without_target: 0 };
        }
    }
}

/// A path and all its ends: a list beside the files names them without the folder.
fn names(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices('/').map(|(at, _)| &path[at + 1..]);
    std::iter::once(path).chain(ends).filter(|name| name.len() >= NAME_LEN_MIN)
}

#[cfg(test)]
mod tests {
    use stemma_core::lineage::Certainty;

    use super::*;

    fn input(path: &str, content: &[u8]) -> FileRef {
        FileRef {
            path: path.into(),
            digest: Digest::of(content),
            sha256: None,
            size: content.len() as u64,
            role: None,
            certainty: Certainty::Observed,
            mutated: false,
            read_at: None,
            written_at: None,
        }
    }

    fn leaky(read: &[FileRef], answered: &[(&str, &[u8])]) -> Vec<bool> {
        let table = Table::parse("t@1", b"image,y\ntest/0001.png,1\n./test/0002.png,2\n0003.png,3\n").unwrap();
        let (mut leaky, mut search) = (vec![false; 3], LeakSearch { inputs: Vec::new(), unseen: Vec::new() });
        for input in read {
            let outcome = SearchOutcome::NoTable { why: "it is an image".into() };
            search.inputs.push(SearchedInput { path: input.path.clone(), digest: input.digest, outcome });
        }
        let mut named = NamedFiles { contents: HashMap::new() };
        for (path, content) in answered {
            let digests = names(path).map(|name| (name.to_owned(), vec![Digest::of(content)]));
            named.contents.extend(digests);
        }
        named.mark(read, &table, &mut leaky, &mut search);
        leaky
    }

    #[test]
    fn rows_that_name_what_training_read_leak() {
        assert_eq!(leaky(&[input("data/train/0001.png", b"one")], &[]), [false; 3]);
        assert_eq!(leaky(&[input("data/test/0001.png", b"one")], &[]), [true, false, false]);
        assert_eq!(leaky(&[input("test/0002.png", b"two"), input("b/0003.png", b"three")], &[]), [false, true, false]);
    }

    #[test]
    fn the_same_content_under_another_name_leaks_too() {
        let answered: &[(&str, &[u8])] = &[("data/test/0001.png", b"one"), ("data/test/0002.png", b"two")];
        assert_eq!(leaky(&[input("data/train/a.png", b"two")], answered), [false, true, false]);
        assert_eq!(leaky(&[input("data/train/test/0001.png", b"other")], answered), [false; 3]);
    }
}
