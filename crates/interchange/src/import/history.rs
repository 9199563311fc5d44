//! What Git remembers: which files each commit changed, oldest first, and their bytes; nothing is checked out.

use std::{path::Path, sync::Arc, time::Duration};

use stemma_workspace::git::{Git, GitError};

/// Reading the history of a large repository takes minutes.
const TIME_MAX: Duration = Duration::from_secs(600);
const LOG_BYTES_MAX: u64 = 256 << 20;
/// Bytes of files that are read in one go.
const READ_BYTES_MAX: u64 = 64 << 20;
const NAMES_MAX: usize = 10_000;

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    pub commit: String,
    pub author: String,
    pub time: String,
    pub subject: String,
}

/// A file as a commit left it.
#[derive(Debug, Clone)]
pub struct Change {
    pub revision: Arc<Revision>,
    /// Seen from the top of the repository.
    pub path: String,
    pub blob: String,
}

/// What Git has under a name.
#[derive(Debug, PartialEq, Eq)]
pub enum File {
    Missing,
    TooLong(u64),
    Bytes(Vec<u8>),
}

/// A folder in a Git work tree, and its repository.
pub struct Repository<'a> {
    folder: &'a Path,
    /// The folder seen from the top: empty, or ending with `/`.
    pub prefix: String,
}

impl<'a> Repository<'a> {
    /// `None` if the folder is in no repository.
    pub fn find(folder: &'a Path) -> Result<Option<Self>, GitError> {
        let git = Git::new(folder, TIME_MAX);
        if git.ask_line(&["rev-parse", "--git-dir"])?.is_none() {
            return Ok(None);
        }
        let prefix = git.ask_line(&["rev-parse", "--show-prefix"])?.unwrap_or_default();
        Ok(Some(Self { folder, prefix }))
    }

    fn git(&self) -> Git<'a> {
        Git::new(self.folder, TIME_MAX)
    }

    pub fn line(&self, args: &[&str]) -> Result<Option<String>, GitError> {
        self.git().ask_line(args)
    }

    /// The commit that is checked out; `None` before the first one.
    pub fn head(&self) -> Result<Option<Arc<Revision>>, GitError> {
        let format = format!("--format={FORMAT}");
        let line = self.line(&["log", "-1", "--no-show-signature", &format])?;
        Ok(line.and_then(|line| revision(line.strip_prefix('\x01')?)).map(Arc::new))
    }

    /// All changes of files below the folder whose names fit one of the patterns, by all commits that any reference
    /// leads to, parents before children.
    pub fn changes(&self, patterns: &[&str]) -> Result<Vec<Change>, GitError> {
        let format = format!("--format={FORMAT}");
        let mut args = vec!["log", "--all", "--topo-order", "--reverse", "--full-history"];
        args.extend(["--raw", "-z", "--no-abbrev", "--no-renames", "--root", "--diff-merges=first-parent"]);
        args.extend(["--no-relative", "--no-show-signature", "--no-notes", "--no-ext-diff", "--no-textconv"]);
        args.extend(["--ignore-submodules=all", &format, "--"]);
        args.extend(patterns);
        Ok(parse_log(&self.git().with_patterns().ask(&args, LOG_BYTES_MAX)?))
    }

    /// The regular files of the index below the folder: their blobs and paths.
    pub fn staged(&self) -> Result<Vec<(String, String)>, GitError> {
        let list = self.git().ask(&["ls-files", "-z", "--stage", "--full-name"], LOG_BYTES_MAX)?;
        let entry = |entry: &[u8]| {
            let (head, path) = std::str::from_utf8(entry).ok()?.split_once('\t')?;
            let mut words = head.split(' ');
            let (mode, blob, stage) = (words.next()?, words.next()?, words.next()?);
            (is_file(mode) && stage == "0").then(|| (blob.to_owned(), path.to_owned()))
        };
        Ok(list.split(|byte| *byte == 0).filter_map(entry).collect())
    }

    /// The same of a commit.
    pub fn files(&self, commit: &str) -> Result<Vec<(String, String)>, GitError> {
        let list = self.git().ask(&["ls-tree", "-r", "-z", "--full-tree", commit], LOG_BYTES_MAX)?;
        let entry = |entry: &[u8]| {
            let (head, path) = std::str::from_utf8(entry).ok()?.split_once('\t')?;
            let mut words = head.split(' ');
            let (mode, _, blob) = (words.next()?, words.next()?, words.next()?);
            is_file(mode).then(|| (blob.to_owned(), path.to_owned()))
        };
        Ok(list.split(|byte| *byte == 0).filter_map(entry).collect())
    }

    /// The files under the names, each an object's id or `<commit>:<path>`, of at most so many bytes each.
    pub fn read(
        &self,
        names: &[String],
        bytes_max: u64,
        mut found: impl FnMut(&str, File) -> Result<(), GitError>,
    ) -> Result<(), GitError> {
        for names in names.chunks(NAMES_MAX) {
            let sizes = self.sizes(names)?;
            let mut group: Vec<&str> = Vec::new();
            let mut total = 0;
            for (name, size) in names.iter().zip(sizes) {
                match size {
                    None => found(name, File::Missing)?,
                    Some(size) if size > bytes_max => found(name, File::TooLong(size))?,
                    Some(size) => {
                        if total + size > READ_BYTES_MAX {
                            self.read_group(&std::mem::take(&mut group), &mut found)?;
                            total = 0;
                        }
                        total += size;
                        group.push(name);
                    }
                }
            }
            self.read_group(&group, &mut found)?;
        }
        Ok(())
    }

    /// The lengths of files; `None` for what is not there or no file.
    fn sizes(&self, names: &[String]) -> Result<Vec<Option<u64>>, GitError> {
        let bytes = self.git().ask_with(&["cat-file", "--batch-check"], request(names), READ_BYTES_MAX)?;
        let text = String::from_utf8_lossy(&bytes);
        let mut sizes: Vec<Option<u64>> = text.lines().map(blob_size).collect();
        sizes.resize(names.len(), None);
        Ok(sizes)
    }

    fn read_group(
        &self,
        names: &[&str],
        found: &mut impl FnMut(&str, File) -> Result<(), GitError>,
    ) -> Result<(), GitError> {
        if names.is_empty() {
            return Ok(());
        }
        let most = READ_BYTES_MAX * 2;
        let bytes = self.git().ask_with(&["cat-file", "--batch"], request(names), most)?;
        let mut rest = bytes.as_slice();
        for name in names {
            let (file, behind) = take_answer(rest).unwrap_or((File::Missing, &[]));
            rest = behind;
            found(name, file)?;
        }
        Ok(())
    }
}

const FORMAT: &str = "%x01%H%x02%aI%x02%an <%ae>%x02%s";

fn revision(header: &str) -> Option<Revision> {
    let mut parts = header.trim_end().splitn(4, '\x02').map(str::to_owned);
    Some(Revision {
        commit: parts.next()?,
        time: parts.next()?,
        author: parts.next()?,
        subject: parts.next().unwrap_or_default(),
    })
}

fn is_file(mode: &str) -> bool {
    mode == "100644" || mode == "100755"
}

/// Reads `log --raw -z`: a commit's header, then a line about each file and its path, all ended by NUL.
fn parse_log(bytes: &[u8]) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut current = None;
    let mut tokens = bytes.split(|byte| *byte == 0).map(|token| token.trim_ascii_start());
    while let Some(token) = tokens.next() {
        if let Some(header) = token.strip_prefix(b"\x01") {
            current = revision(&String::from_utf8_lossy(header)).map(Arc::new);
        } else if let Some(line) = token.strip_prefix(b":") {
            let path = tokens.next().and_then(|path| std::str::from_utf8(path).ok());
            let words: Vec<&str> = std::str::from_utf8(line).unwrap_or_default().split(' ').collect();
            let (Some(revision), Some(path), [_, mode, _, blob, ..]) = (&current, path, words.as_slice()) else {
                continue;
            };
            // a deletion leaves nothing to read, and neither does a link or a submodule
            if is_file(mode) {
                changes.push(Change {
                    revision: Arc::clone(revision),
                    path: path.to_owned(),
                    blob: (*blob).to_owned(),
                });
            }
        }
    }
    changes
}

fn request<T: AsRef<str>>(names: &[T]) -> Vec<u8> {
    let mut request = Vec::new();
    for name in names {
        // a name with a line break would be two questions
        let name = name.as_ref();
        request.extend_from_slice(if name.contains('\n') { b"-" } else { name.as_bytes() });
        request.push(b'\n');
    }
    request
}

/// `<id> blob <size>`, else it is not there or no file.
fn blob_size(line: &str) -> Option<u64> {
    let mut words = line.rsplitn(3, ' ');
    let size = words.next()?.parse().ok()?;
    (words.next()? == "blob").then_some(size)
}

/// Splits the first file off an answer of `cat-file --batch`.
fn take_answer(bytes: &[u8]) -> Option<(File, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = (String::from_utf8_lossy(&bytes[..end]), &bytes[end + 1..]);
    let Some(size) = blob_size(&line) else {
        return Some((File::Missing, rest));
    };
    let (content, rest) = rest.split_at_checked(usize::try_from(size).ok()?)?;
    Some((File::Bytes(content.to_vec()), rest.strip_prefix(b"\n")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read_with_all_its_oddities() {
        let log = b"\x01c1\x022026-01-01T00:00:00Z\x02Ada <a@b>\x02first: \x02 one\0\
            \n:000000 100644 000 aaa A\0a.dvc\0:000000 120000 000 bbb A\0link.dvc\0\
            \x01c2\x022026-01-02T00:00:00Z\x02Bob <b@b>\x02\0\n:100644 000000 aaa 000 D\0a.dvc\0:100644 100755 x ccc M\0\x01b.dvc\0";
        let changes = parse_log(log);
        assert_eq!(changes.len(), 2);
        assert_eq!((changes[0].path.as_str(), changes[0].blob.as_str()), ("a.dvc", "aaa"));
        assert_eq!(changes[0].revision.subject, "first: \x02 one");
        assert_eq!((changes[1].path.as_str(), changes[1].revision.commit.as_str()), ("\x01b.dvc", "c2"));
        assert!(parse_log(b"").is_empty());
        assert!(parse_log(b":100644 100644 a b M\0x\0\x01only").is_empty());
    }

    #[test]
    fn answers_are_split_at_the_lengths_they_tell() {
        let (file, rest) = take_answer(b"abc blob 3\nx\ny\ndead missing\n").unwrap();
        assert_eq!(file, File::Bytes(b"x\ny".to_vec()));
        assert_eq!(take_answer(rest).unwrap(), (File::Missing, &b""[..]));
        assert!(take_answer(b"abc blob 99\nshort").is_none());
        assert_eq!(blob_size("abc tree 7"), None);
    }
}
