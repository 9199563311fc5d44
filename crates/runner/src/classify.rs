//! Sorts what a run touched into inputs, outputs, temporaries, code and environment.
//!
//! A pure function of the capture: it looks at no file.

mod belonging;
mod surroundings;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    capture::{Capture, CaptureLevel, DirectoryAccess, FileAccess, FileKind},
    source::{is_bytecode, is_code_by_name, source_of},
};
use belonging::{Belonging, Judge, is_dataless_device};

pub use belonging::name_in_packages;
pub use surroundings::Surroundings;

/// What a run touched, sorted. Every list is sorted by path.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Classified {
    /// Regular files whose content from before the run was read, inside the project or outside it.
    /// Those that are also outputs, or changed meanwhile, are marked as mutated.
    pub inputs: Vec<FileAccess>,
    /// Regular files that the run wrote and that are still there.
    pub outputs: Vec<FileAccess>,
    /// Symbolic links that the run made.
    pub links: Vec<FileAccess>,
    /// Written by the run and gone again.
    pub temporary: Vec<PathBuf>,
    /// Files from before the run that it removed.
    pub removed: Vec<PathBuf>,
    /// Files that were run or whose compiled form was read, unless they belong to the environment.
    pub code: Vec<PathBuf>,
    /// Directories of data that were listed.
    pub directories: Vec<ListedDirectory>,
    /// Pipes and devices of the file system that were read, and that the run itself didn't write.
    pub pipes: Vec<PathBuf>,
    /// Models and data sets from a hub's cache; they are inputs too.
    pub hub: Vec<HubUse>,
    pub environment: EnvironmentUse,
    /// Files that say nothing: version control, our own, empty lock files, scratch of libraries.
    pub ignored: u64,
}

impl Classified {
    /// Inputs of which it can't be said afterwards what was read.
    pub fn mutated(&self) -> impl Iterator<Item = &FileAccess> {
        self.inputs.iter().filter(|input| input.mutated)
    }
}

/// A directory whose entries the run asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedDirectory {
    #[serde(flatten)]
    pub directory: DirectoryAccess,
    /// The run itself made or removed entries, so the listing at the end isn't the one that was read.
    pub changed_by_run: bool,
}

/// A repository of a hub's cache that was read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HubUse {
    /// `models`, `datasets` or `spaces`.
    pub kind: String,
    pub repository: String,
    /// The cache's name of the content, for most files their SHA-256.
    pub blob: String,
}

/// Files of the environment, counted; the environment's own record says what they are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EnvironmentUse {
    /// Of packages and interpreters.
    pub packages: u64,
    pub system: u64,
    pub caches: u64,
    /// Files of the environment that the run changed: it is not the same any more.
    pub written: Vec<PathBuf>,
}

/// Sorts the files and directories of a capture.
pub fn classify(capture: &Capture, surroundings: &Surroundings) -> Classified {
    let judge = Judge::new(capture, surroundings);
    let mut classified = Classified::default();
    let mut code = BTreeSet::new();
    let mut hub = BTreeSet::new();
    for access in &capture.files {
        hub.extend(hub_use(&access.path).filter(|_| access.prior_read));
        match judge.belonging_of(access) {
            Belonging::Ignored => classified.ignored += 1,
            Belonging::Packages => {
                classified.environment.packages += 1;
                note_change(access, &mut classified.environment);
            }
            Belonging::System => {
                classified.environment.system += 1;
                note_change(access, &mut classified.environment);
            }
            Belonging::Cache => classified.environment.caches += 1,
            Belonging::Project | Belonging::Outside => sort(access, capture.level, &mut classified, &mut code),
        }
    }
    classified.code = code.into_iter().collect();
    classified.hub = hub.into_iter().collect();
    let listed = |(directory, changed_by_run): (&DirectoryAccess, bool)| ListedDirectory {
        directory: directory.clone(),
        changed_by_run,
    };
    classified.directories = judge.directories().map(listed).collect();
    classified
}

fn note_change(access: &FileAccess, environment: &mut EnvironmentUse) {
    let is_gone_again = access.created && access.removed;
    let is_changed = (access.written || access.removed) && !is_gone_again;
    if access.kind == FileKind::Regular && is_changed && !is_bytecode(&access.path) {
        environment.written.push(access.path.clone());
    }
}

/// Sorts a file of the project, or one outside it that isn't known to be anything else.
fn sort(access: &FileAccess, level: CaptureLevel, classified: &mut Classified, code: &mut BTreeSet<PathBuf>) {
    if is_bytecode(&access.path) {
        // Python reads the compiled form alone when it is up to date; what was used is the source.
        match source_of(&access.path) {
            Some(source) if access.prior_read => _ = code.insert(source),
            _ => classified.ignored += 1,
        }
        return;
    }
    match (access.kind, access.written, access.removed) {
        (FileKind::Other, false, _) if access.read && !is_dataless_device(&access.path) => {
            classified.pipes.push(access.path.clone());
        }
        (FileKind::Other, ..) => classified.ignored += 1,
        (FileKind::Symlink, true, false) => classified.links.push(access.clone()),
        (_, true, true) if access.created => classified.temporary.push(access.path.clone()),
        (_, _, true) if !access.prior_read => classified.removed.push(access.path.clone()),
        (FileKind::Symlink, ..) => classified.ignored += 1,
        (FileKind::Regular, written, removed) => {
            if removed {
                classified.removed.push(access.path.clone());
            }
            if access.prior_read {
                if is_code(access, level) {
                    code.insert(access.path.clone());
                } else {
                    classified.inputs.push(access.clone());
                }
            }
            if written && !removed {
                classified.outputs.push(access.clone());
            }
        }
    }
}

/// A file is code because it was run, not because of its name; below the level of system calls only names are known.
fn is_code(access: &FileAccess, level: CaptureLevel) -> bool {
    access.ran || level < CaptureLevel::Ptrace && !access.written && is_code_by_name(&access.path)
}

/// Reads `…/hub/models--org--name/blobs/<blob>`.
fn hub_use(path: &Path) -> Option<HubUse> {
    let mut parts = path.iter().map(|part| part.to_str().unwrap_or_default());
    parts.by_ref().find(|part| *part == "hub")?;
    let (kind, repository) = parts.next()?.split_once("--")?;
    if !["models", "datasets", "spaces"].contains(&kind) || parts.next()? != "blobs" {
        return None;
    }
    let blob = parts.next()?.to_owned();
    Some(HubUse { kind: kind.to_owned(), repository: repository.replace("--", "/"), blob })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::capture::{CaptureLevel, Stamp};

    const EMPTY: Stamp = Stamp { size: 0, ..STAMP };
    const STAMP: Stamp = Stamp { device: 1, inode: 2, size: 3, mtime_ns: 4, ctime_ns: 5 };

    fn access(path: &str) -> FileAccess {
        FileAccess {
            path: path.into(),
            kind: FileKind::Regular,
            read: false,
            prior_read: false,
            written: false,
            created: false,
            removed: false,
            renamed_from: None,
            first: Some(STAMP),
            last: Some(STAMP),
            mutated: false,
            ran: false,
            aside: None,
            read_at: None,
            written_at: None,
        }
    }

    fn read(path: &str) -> FileAccess {
        FileAccess { read: true, prior_read: true, ..access(path) }
    }

    fn ran(path: &str) -> FileAccess {
        FileAccess { ran: true, ..read(path) }
    }

    fn made(path: &str) -> FileAccess {
        FileAccess { written: true, created: true, ..access(path) }
    }

    fn capture(mut files: Vec<FileAccess>) -> Capture {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Capture { files, ..Capture::empty(CaptureLevel::Ptrace) }
    }

    fn surroundings() -> Surroundings {
        Surroundings {
            home: Some("/home/ada".into()),
            version_managers: vec!["/home/ada/.pyenv".into()],
            ..Surroundings::new("/home/ada/credit")
        }
    }

    /// Where one file lands, as one word.
    fn kind_of(file: FileAccess) -> String {
        let mut files = vec![file.clone()];
        if file.path.starts_with("/home/ada/credit/env") {
            files.push(read("/home/ada/credit/env/pyvenv.cfg"));
        }
        let sorted = classify(&capture(files), &surroundings());
        let holds = |list: &[FileAccess]| list.iter().any(|access| access.path == file.path);
        let found = [
            (holds(&sorted.inputs), "input"),
            (holds(&sorted.outputs), "output"),
            (holds(&sorted.links), "link"),
            (sorted.temporary.contains(&file.path), "temporary"),
            (sorted.removed.contains(&file.path), "removed"),
            (!sorted.code.is_empty(), "code"),
            (sorted.pipes.contains(&file.path), "pipe"),
            (!sorted.hub.is_empty(), "hub"),
            (sorted.environment.packages > 0, "packages"),
            (sorted.environment.system > 0, "system"),
            (sorted.environment.caches > 0, "caches"),
            (sorted.ignored > 0, "ignored"),
        ];
        found.iter().filter(|(holds, _)| *holds).map(|(_, name)| *name).collect::<Vec<_>>().join("+")
    }

    #[test]
    fn every_kind_of_file_lands_where_it_belongs() {
        let project = |rest: &str| format!("/home/ada/credit/{rest}");
        let gone = |file: FileAccess| FileAccess { removed: true, last: None, ..file };
        let table = [
            (read(&project("data/german.csv")), "input"),
            (read(&project("config.yaml")), "input"),
            (read("/mnt/data/big.parquet"), "input"),
            (ran(&project("train.py")), "code"),
            (ran(&project("trainer")), "code"),
            (ran("/srv/lib/libscore.so.3"), "code"),
            (read(&project("data.py")), "input"),
            (read(&project("tweets.js")), "input"),
            (read(&project("query.sql")), "input"),
            (read(&project("notebook.ipynb")), "input"),
            (read(&project("lib/__pycache__/features.cpython-311.pyc")), "code"),
            (made(&project("lib/__pycache__/features.cpython-311.pyc")), "ignored"),
            (read(&project("lib/__pycache__/train.csv")), "input"),
            (made(&project("generated.py")), "output"),
            (made(&project("model.onnx")), "output"),
            (made("/mnt/out/model.onnx"), "output"),
            (FileAccess { written: true, mutated: true, ..read(&project("counter")) }, "input+output"),
            (gone(made(&project("x.tmp"))), "temporary"),
            (gone(access(&project("old"))), "removed"),
            (FileAccess { mutated: true, ..gone(read(&project("moved.csv"))) }, "input+removed"),
            (FileAccess { kind: FileKind::Symlink, ..made(&project("latest")) }, "link"),
            (FileAccess { kind: FileKind::Other, ..read("/home/ada/fifo") }, "pipe"),
            (FileAccess { kind: FileKind::Other, written: true, ..read("/home/ada/fifo") }, "ignored"),
            (FileAccess { kind: FileKind::Other, ..read("/dev/urandom") }, "ignored"),
            (FileAccess { kind: FileKind::Other, ..read("/dev/pts/3") }, "ignored"),
            (FileAccess { kind: FileKind::Other, ..read("/dev/sdb1") }, "pipe"),
            (FileAccess { kind: FileKind::Other, ..read("/dev/video0") }, "pipe"),
            (read(&project(".git/config")), "ignored"),
            (read(&project(".git/annex/objects/a/b/train.csv")), "input"),
            (read(&project(".git/lfs/objects/a/b/c")), "input"),
            (read(&project(".stemma/home.sqlite")), "ignored"),
            (read(&project("run.db-wal")), "input"),
            (made(&project("run.db-journal")), "output"),
            (read(&project("run.db-shm")), "input"),
            (FileAccess { first: None, last: Some(EMPTY), ..made(&project("cache.lock")) }, "ignored"),
            (FileAccess { last: Some(EMPTY), ..read(&project("data.lock")) }, "input"),
            (read(&project("uv.lock")), "input"),
            (read(&project(".python-version")), "packages"),
            (read(&project(".venv/bin/activate")), "packages"),
            (read(&project(".venv/train.csv")), "input"),
            (read(&project("env/lib/python3.11/abc.py")), "packages"),
            (read("/opt/conda/lib/python3.11/site-packages/numpy/__init__.py"), "packages"),
            (read("/opt/conda/lib/python3.11/site-packages/sklearn/datasets/data/digits.csv.gz"), "input"),
            (read("/usr/lib/python3/dist-packages/seaborn/Iris.CSV"), "input"),
            (read(&project(".venv/lib/python3.11/site-packages/a/b.parquet")), "input"),
            (read("/opt/conda/lib/python3.11/site-packages/sklearn/datasets/descr/digits.rst"), "packages"),
            (made("/opt/conda/lib/python3.11/site-packages/a/b.csv"), "packages"),
            (read("/home/ada/.pyenv/shims/python3"), "packages"),
            (read("/usr/lib/x86_64-linux-gnu/libc.so.6"), "system"),
            (read("/usr/share/zoneinfo/Europe/Vienna"), "system"),
            (read("/usr/share/dict/words"), "input"),
            (read("/usr/local/share/data/train.csv"), "input"),
            (read("/etc/localtime"), "system"),
            (read("/etc/ssl/certs/ca-certificates.crt"), "system"),
            (read("/etc/trainer/params.yaml"), "input"),
            (read("/var/lib/models/base.bin"), "input"),
            (read("/.dockerenv"), "system"),
            (read("/run/media/ada/stick/train.csv"), "input"),
            (read("/run/user/1000/train.csv"), "input"),
            (read("/run/systemd/resolve/stub-resolv.conf"), "system"),
            (read("/dev/shm/train.csv"), "input"),
            (made("/dev/shm/model.bin"), "output"),
            (made("/dev/shm/sem.mp-1"), "ignored"),
            (read("/tmp/.marker"), "input"),
            (read("/tmp/ray/train.csv"), "input"),
            (read("/tmp/rays.csv"), "input"),
            (read("/tmp/joblib_cache/train.pkl"), "input"),
            (made("/tmp/joblib_memmapping_folder_1/x.pkl"), "ignored"),
            (made("/tmp/ray_results/model.pkl"), "output"),
            (read("/home/ada/.cache/torch/x.pt"), "input"),
            (read("/home/ada/.cache/datasets/train.csv"), "input"),
            (read("/home/ada/.cache/matplotlib/fontlist-v390.json"), "caches"),
            (read("/home/ada/.config/app/data.csv"), "input"),
            (read("/home/ada/.local/share/data/train.csv"), "input"),
            (read("/home/ada/.keras/datasets/mnist.npz"), "input"),
            (read("/home/ada/.cache/huggingface/hub/models--org--name/blobs/abc"), "input+hub"),
            (made("/home/ada/models/x.onnx"), "output"),
            (made("/tmp/matplotlib-ada/fontlist.json"), "caches"),
            (made("/tmp/result.csv"), "output"),
        ];
        for (file, expected) in table {
            let path = file.path.clone();
            let found = kind_of(file);
            let found = if path.starts_with("/home/ada/credit/env") { "packages".to_owned() } else { found };
            assert_eq!(found, expected, "{}", path.display());
        }
    }

    #[test]
    fn a_virtual_environment_under_any_name_is_recognised_by_its_marker() {
        let sorted = classify(
            &capture(vec![read("/home/ada/credit/env/pyvenv.cfg"), read("/home/ada/credit/env/lib/x.py")]),
            &surroundings(),
        );
        assert_eq!(sorted.environment.packages, 2);
        assert!(sorted.code.is_empty() && sorted.inputs.is_empty());
    }

    #[test]
    fn a_project_below_a_system_folder_or_a_prefix_is_still_a_project() {
        let surroundings =
            Surroundings { interpreter_folders: vec!["/usr".into()], ..Surroundings::new("/usr/src/app") };
        let sorted = classify(&capture(vec![read("/usr/src/app/data.csv")]), &surroundings);
        assert_eq!(sorted.inputs.len(), 1);
        let surroundings = Surroundings::new("/tmp/matplotlib-project/.cache/x");
        let sorted = classify(&capture(vec![read("/tmp/matplotlib-project/.cache/x/data.csv")]), &surroundings);
        assert_eq!(sorted.inputs.len(), 1);
    }

    #[test]
    fn a_changed_environment_is_said_to_be_changed() {
        let path = "/home/ada/credit/.venv/lib/python3.11/site-packages/x.py";
        let gone = FileAccess { removed: true, last: None, ..made("/usr/lib/x.tmp") };
        let cached = made("/var/cache/fontconfig/x-le64.cache-8");
        let sorted = classify(&capture(vec![made(path), gone, cached]), &surroundings());
        assert_eq!(sorted.environment.written, [PathBuf::from(path)]);
    }

    #[test]
    fn a_file_of_a_package_has_a_name_wherever_it_is_installed() {
        let name = Some("sklearn/datasets/data/iris.csv");
        for folder in ["/opt/env/lib/python3.11/site-packages", ".venv/lib/site-packages", "/usr/lib/dist-packages"] {
            assert_eq!(name_in_packages(&format!("{folder}/sklearn/datasets/data/iris.csv")), name);
        }
        for path in ["site-packages", "data/iris.csv", "my-site-packages/iris.csv", ""] {
            assert_eq!(name_in_packages(path), None, "{path}");
        }
    }

    #[test]
    fn the_index_of_a_journal_is_no_data_and_the_journal_is() {
        let names = ["run.db", "run.db-shm", "run.db-wal"].map(|name| read(&format!("/home/ada/credit/{name}")));
        let sorted = classify(&capture(names.into()), &surroundings());
        let inputs: Vec<_> = sorted.inputs.iter().filter_map(|input| input.path.file_name()).collect();
        assert_eq!((inputs, sorted.ignored), (vec!["run.db".as_ref(), "run.db-wal".as_ref()], 1));
    }

    #[test]
    fn where_only_names_are_known_they_decide() {
        let by_name = |path: &str| {
            let capture = Capture { level: CaptureLevel::PythonHook, ..capture(vec![read(path)]) };
            !classify(&capture, &surroundings()).code.is_empty()
        };
        assert!(by_name("/home/ada/credit/train.py") && by_name("/home/ada/credit/fit.R"));
        assert!(!by_name("/home/ada/credit/query.sql"));
    }

    #[test]
    fn listed_directories_say_whether_the_run_changed_them() {
        let mut capture = capture(vec![made("/home/ada/credit/out/a")]);
        for path in ["/home/ada/credit/images", "/home/ada/credit/out", "/usr/lib/python3.11", "/"] {
            capture.directories.push(DirectoryAccess { path: path.into(), listing: None });
        }
        let found: Vec<_> = classify(&capture, &surroundings())
            .directories
            .into_iter()
            .map(|listed| (listed.directory.path, listed.changed_by_run))
            .collect();
        assert_eq!(found, [("/home/ada/credit/images".into(), false), ("/home/ada/credit/out".into(), true)]);
    }

    #[test]
    fn a_hub_repository_is_named() {
        let path = "/data/hub/datasets--scikit-learn--iris/blobs/0011";
        let sorted = classify(&capture(vec![read(path)]), &surroundings());
        let expected = HubUse { kind: "datasets".into(), repository: "scikit-learn/iris".into(), blob: "0011".into() };
        assert_eq!(sorted.hub, [expected]);
    }

    fn any_access() -> impl Strategy<Value = FileAccess> {
        let folder = prop::sample::select(vec![
            "/home/ada/credit",
            "/home/ada/credit/.venv/lib",
            "/home/ada/.cache",
            "/usr/lib",
            "/tmp",
            "/mnt",
            "/",
            "/home/ada/credit/__pycache__",
            "/x/hub/models--a--b/blobs",
        ]);
        let name =
            prop::sample::select(vec!["a.csv", "a.py", "a.cpython-311.pyc", "a.lock", "a-wal", "a", "pyvenv.cfg"]);
        let kind = prop::sample::select(vec![FileKind::Regular, FileKind::Symlink, FileKind::Other]);
        (folder, name, kind, any::<[bool; 5]>()).prop_map(
            |(folder, name, kind, [read, prior_read, written, created, removed])| FileAccess {
                kind,
                read: read || prior_read,
                prior_read,
                written,
                created,
                removed,
                ..access(&format!("{folder}/{name}"))
            },
        )
    }

    proptest! {
        #[test]
        fn inputs_were_read_and_outputs_were_written(
            files in prop::collection::vec(any_access(), 0..40)
        ) {
            let mut files = files;
            files.sort_by(|a, b| a.path.cmp(&b.path));
            files.dedup_by(|a, b| a.path == b.path);
            let capture = capture(files);
            let sorted = classify(&capture, &surroundings());
            prop_assert_eq!(&sorted, &classify(&capture, &surroundings()));
            prop_assert!(sorted.inputs.iter().all(|file| file.prior_read && file.kind == FileKind::Regular));
            prop_assert!(sorted.outputs.iter().all(|file| file.written && !file.removed));
            prop_assert!(sorted.links.iter().all(|file| file.kind == FileKind::Symlink));
            for file in &capture.files {
                let both = sorted.inputs.contains(file) && sorted.outputs.contains(file);
                prop_assert!(!both || (file.prior_read && file.written));
                let gone = sorted.temporary.contains(&file.path);
                prop_assert!(!gone || (file.written && file.removed));
            }
        }
    }
}
