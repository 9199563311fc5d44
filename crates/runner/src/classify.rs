//! Sorts what a run touched into inputs, outputs, temporaries, code and environment.
//!
//! A pure function of the capture: it looks at no file.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    path::{Component, Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    capture::{Capture, DirectoryAccess, FileAccess, FileKind},
    environment::Interpreter,
};

/// What the paths are judged by. All paths are absolute and without symbolic links.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    pub project: PathBuf,
    /// Folders of interpreters: virtual environments, conda prefixes, standard libraries, site-packages.
    pub interpreter_folders: Vec<PathBuf>,
    pub home: Option<PathBuf>,
    /// Where scratch files go: `/tmp` and what `TMPDIR` names.
    pub temporary_folders: Vec<PathBuf>,
}

impl Surroundings {
    pub fn new(project: impl Into<PathBuf>) -> Self {
        Self { project: project.into(), temporary_folders: vec!["/tmp".into(), "/var/tmp".into()], ..Self::default() }
    }

    /// Adds the folders of an interpreter. A system prefix such as `/usr` is left to the rule for system folders.
    #[must_use]
    pub fn with_interpreter(mut self, interpreter: &Interpreter) -> Self {
        self.interpreter_folders.extend(interpreter.folders());
        self
    }
}

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
    /// Source files that were read or whose compiled form was, unless they belong to the environment.
    pub code: Vec<PathBuf>,
    /// Directories of data that were listed.
    pub directories: Vec<ListedDirectory>,
    /// Models and data sets from a hub's cache.
    pub hub: Vec<HubUse>,
    pub environment: EnvironmentUse,
    /// Files that say nothing: version control, our own, lock files, font caches.
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

/// Where a path belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Ignored,
    Packages,
    System,
    Cache,
    Project,
    Outside,
}

const SYSTEM_FOLDERS: [&str; 20] = [
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/bin",
    "/sbin",
    "/etc",
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/boot",
    "/snap",
    "/nix/store",
    "/var/lib",
    "/var/cache",
    "/var/run",
    "/System",
    "/Library",
    "/private/etc",
];
/// Parts of a path that make it part of an installation of packages.
const PACKAGE_PARTS: [&str; 5] = ["site-packages", "dist-packages", "node_modules", ".venv", ".tox"];
/// Parts of a path that say nothing about a run.
const IGNORED_PARTS: [&str; 8] =
    [".git", ".stemma", ".hg", ".svn", ".ipynb_checkpoints", ".pytest_cache", ".mypy_cache", ".ruff_cache"];
/// Folders of the home that hold caches.
const HOME_CACHES: [&str; 9] =
    [".cache", ".config", ".local/share", ".matplotlib", ".keras", ".nv", ".triton", ".ipython", "Library/Caches"];
/// What libraries make in the folders for temporary files for themselves.
const SCRATCH_PREFIXES: [&str; 13] = [
    "matplotlib-",
    "pymp-",
    "joblib_",
    "loky-",
    "torchinductor_",
    "torchelastic_",
    "numba-",
    "fontconfig",
    "cupy",
    "nccl-",
    "ray",
    "stemma-",
    ".X11-unix",
];
const LOCK_SUFFIXES: [&str; 4] = [".lock", ".lck", ".lockfile", ".pid"];
/// Files that databases keep beside themselves while they are open.
const JOURNAL_SUFFIXES: [&str; 4] = ["-journal", "-wal", "-shm", ".swp"];
const CODE_EXTENSIONS: [&str; 15] =
    ["py", "pyi", "pyx", "pyw", "ipynb", "r", "jl", "sh", "so", "pyd", "scala", "lua", "js", "ts", "pl"];

/// Sorts the files and directories of a capture.
pub fn classify(capture: &Capture, surroundings: &Surroundings) -> Classified {
    let judge = Judge::new(capture, surroundings);
    let mut classified = Classified::default();
    let mut code = BTreeSet::new();
    let mut hub = BTreeSet::new();
    for access in &capture.files {
        if let Some(used) = hub_use(&access.path) {
            if access.prior_read {
                hub.insert(used);
            }
            continue;
        }
        match judge.place(access) {
            Place::Ignored => classified.ignored += 1,
            Place::Packages => {
                classified.environment.packages += 1;
                note_change(access, &mut classified.environment);
            }
            Place::System => {
                classified.environment.system += 1;
                note_change(access, &mut classified.environment);
            }
            Place::Cache => classified.environment.caches += 1,
            Place::Project | Place::Outside => sort(access, &mut classified, &mut code),
        }
    }
    classified.code = code.into_iter().collect();
    classified.hub = hub.into_iter().collect();
    classified.directories = judge.directories(capture);
    classified
}

/// Devices, shared memory and sockets come and go with any run.
const VOLATILE_FOLDERS: [&str; 4] = ["/dev", "/proc", "/sys", "/run"];

fn note_change(access: &FileAccess, environment: &mut EnvironmentUse) {
    if VOLATILE_FOLDERS.iter().any(|folder| access.path.starts_with(folder)) {
        return;
    }
    if access.kind == FileKind::Regular && (access.written || access.removed) && !is_bytecode(&access.path) {
        environment.written.push(access.path.clone());
    }
}

/// Sorts a file of the project, or one outside it that isn't known to be anything else.
fn sort(access: &FileAccess, classified: &mut Classified, code: &mut BTreeSet<PathBuf>) {
    if is_bytecode(&access.path) {
        // Python reads the compiled form alone when it is up to date; what was used is the source.
        match source_of(&access.path) {
            Some(source) if access.prior_read => _ = code.insert(source),
            _ => classified.ignored += 1,
        }
        return;
    }
    match (access.kind, access.written, access.removed) {
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
                if is_code(&access.path) && !written {
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

struct Judge<'a> {
    surroundings: &'a Surroundings,
    /// Folders that Python itself took for virtual environments in this run.
    virtual_environments: Vec<&'a Path>,
    changed_folders: BTreeSet<&'a Path>,
}

impl<'a> Judge<'a> {
    fn new(capture: &'a Capture, surroundings: &'a Surroundings) -> Self {
        let marker = Some(OsStr::new("pyvenv.cfg"));
        let virtual_environments = capture
            .files
            .iter()
            .filter(|access| access.read && access.path.file_name() == marker)
            .filter_map(|access| access.path.parent())
            .collect();
        let changed_folders = capture
            .files
            .iter()
            .filter(|access| access.created || access.removed || access.renamed_from.is_some())
            .filter_map(|access| access.path.parent())
            .collect();
        Self { surroundings, virtual_environments, changed_folders }
    }

    fn place(&self, access: &FileAccess) -> Place {
        let path = access.path.as_path();
        let place = self.folder_place(path);
        let counts = matches!(place, Place::Project | Place::Outside);
        if counts && (is_lock(access) || has_suffix(path, &JOURNAL_SUFFIXES)) { Place::Ignored } else { place }
    }

    fn folder_place(&self, path: &Path) -> Place {
        let project = &self.surroundings.project;
        let in_project = path.starts_with(project);
        let below = if in_project { path.strip_prefix(project).unwrap_or(path) } else { path };
        if has_part(below, &IGNORED_PARTS) {
            return Place::Ignored;
        }
        if has_part(below, &PACKAGE_PARTS) || self.is_of_an_interpreter(path) {
            return Place::Packages;
        }
        if in_project {
            return Place::Project;
        }
        if SYSTEM_FOLDERS.iter().any(|folder| path.starts_with(folder)) || self.is_machine_marker(path) {
            return Place::System;
        }
        if self.is_cache(path) {
            return Place::Cache;
        }
        if self.is_library_scratch(path) { Place::Ignored } else { Place::Outside }
    }

    /// An interpreter's folder that holds the project (as `/usr` may) says nothing about the project's files.
    fn is_of_an_interpreter(&self, path: &Path) -> bool {
        let project = &self.surroundings.project;
        let folders = self.surroundings.interpreter_folders.iter().map(PathBuf::as_path);
        folders
            .chain(self.virtual_environments.iter().copied())
            .any(|folder| path.starts_with(folder) && !project.starts_with(folder))
    }

    fn is_cache(&self, path: &Path) -> bool {
        let Some(home) = &self.surroundings.home else {
            return has_part(path, &[".cache"]);
        };
        path.strip_prefix(home).is_ok_and(|below| HOME_CACHES.iter().any(|cache| below.starts_with(cache)))
    }

    /// Hidden files right in `/` or a folder for temporary files (`/.dockerenv`) tell libraries where they run.
    fn is_machine_marker(&self, path: &Path) -> bool {
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let holds = |folder: &Path| path.parent() == Some(folder);
        is_hidden && (holds(Path::new("/")) || self.surroundings.temporary_folders.iter().any(|folder| holds(folder)))
    }

    fn is_library_scratch(&self, path: &Path) -> bool {
        let first_below = |folder: &PathBuf| path.strip_prefix(folder).ok()?.components().next();
        self.surroundings.temporary_folders.iter().filter_map(first_below).any(|first| {
            let name = first.as_os_str().to_string_lossy();
            SCRATCH_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        })
    }

    fn directories(&self, capture: &Capture) -> Vec<ListedDirectory> {
        capture
            .directories
            .iter()
            .filter(|directory| matches!(self.folder_place(&directory.path), Place::Project | Place::Outside))
            .filter(|directory| !has_part(&directory.path, &["__pycache__"]) && directory.path != Path::new("/"))
            .map(|directory| ListedDirectory {
                directory: directory.clone(),
                changed_by_run: self.changed_folders.contains(directory.path.as_path()),
            })
            .collect()
    }
}

fn has_part(path: &Path, parts: &[&str]) -> bool {
    path.components().any(|component| match component {
        Component::Normal(name) => parts.iter().any(|part| name == OsStr::new(part)),
        _ => false,
    })
}

fn has_suffix(path: &Path, suffixes: &[&str]) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    suffixes.iter().any(|suffix| name.ends_with(suffix))
}

/// A lock is an empty file that the run makes or opens for writing; `uv.lock` is text that is read.
fn is_lock(access: &FileAccess) -> bool {
    let size = access.last.or(access.first).map_or(0, |stamp| stamp.size);
    let is_opened_for_writing = access.written || access.created || !access.prior_read;
    has_suffix(&access.path, &LOCK_SUFFIXES) && size == 0 && (is_opened_for_writing || access.read)
}

fn is_code(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    CODE_EXTENSIONS.contains(&extension.as_str())
}

fn is_bytecode(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "pyc") || has_part(path, &["__pycache__"])
}

/// `pkg/__pycache__/name.cpython-311.pyc` was compiled from `pkg/name.py`.
fn source_of(bytecode: &Path) -> Option<PathBuf> {
    let folder = bytecode.parent()?;
    if folder.file_name()? != "__pycache__" {
        return None;
    }
    let (name, _) = bytecode.file_name()?.to_str()?.split_once('.')?;
    Some(folder.parent()?.join(format!("{name}.py")))
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
            read_at: None,
            written_at: None,
        }
    }

    fn read(path: &str) -> FileAccess {
        FileAccess { read: true, prior_read: true, ..access(path) }
    }

    fn made(path: &str) -> FileAccess {
        FileAccess { written: true, created: true, ..access(path) }
    }

    fn capture(mut files: Vec<FileAccess>) -> Capture {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Capture { files, ..Capture::empty(CaptureLevel::Ptrace) }
    }

    fn surroundings() -> Surroundings {
        Surroundings { home: Some("/home/ada".into()), ..Surroundings::new("/home/ada/credit") }
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
            (read(&project("train.py")), "code"),
            (read(&project("lib/__pycache__/features.cpython-311.pyc")), "code"),
            (made(&project("lib/__pycache__/features.cpython-311.pyc")), "ignored"),
            (read(&project("notebook.ipynb")), "code"),
            (made(&project("generated.py")), "output"),
            (made(&project("model.onnx")), "output"),
            (made("/mnt/out/model.onnx"), "output"),
            (FileAccess { written: true, mutated: true, ..read(&project("counter")) }, "input+output"),
            (gone(made(&project("x.tmp"))), "temporary"),
            (gone(access(&project("old"))), "removed"),
            (FileAccess { mutated: true, ..gone(read(&project("moved.csv"))) }, "input+removed"),
            (FileAccess { kind: FileKind::Symlink, ..made(&project("latest")) }, "link"),
            (FileAccess { kind: FileKind::Other, ..read("/home/ada/fifo") }, "ignored"),
            (read(&project(".git/config")), "ignored"),
            (read(&project(".stemma/home.sqlite")), "ignored"),
            (made(&project("run.db-journal")), "ignored"),
            (FileAccess { last: Some(Stamp { size: 0, ..STAMP }), ..made(&project("cache.lock")) }, "ignored"),
            (read(&project("uv.lock")), "input"),
            (read(&project(".venv/bin/activate")), "packages"),
            (read(&project("env/lib/python3.11/abc.py")), "packages"),
            (read("/opt/conda/lib/python3.11/site-packages/numpy/__init__.py"), "packages"),
            (read("/usr/lib/x86_64-linux-gnu/libc.so.6"), "system"),
            (read("/etc/localtime"), "system"),
            (read("/.dockerenv"), "system"),
            (read("/tmp/.marker"), "system"),
            (read("/home/ada/.cache/torch/x.pt"), "caches"),
            (read("/home/ada/.cache/huggingface/hub/models--org--name/blobs/abc"), "hub"),
            (made("/tmp/matplotlib-ada/fontlist.json"), "ignored"),
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
        let sorted = classify(&capture(vec![made(path)]), &surroundings());
        assert_eq!(sorted.environment.written, [PathBuf::from(path)]);
        let volatile = classify(&capture(vec![made("/dev/shm/x")]), &surroundings());
        assert!(volatile.environment.written.is_empty());
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
