//! What a run ran in: the facts that were seen to change results.
//!
//! The record is the same from run to run on one machine; times, load and process ids stay out of it.

mod interpreter;
mod machine;
mod packages;
mod record;
mod text;

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs::File,
    io::Read,
    path::Path,
};

use stemma_core::{Digest, redact::redact_text};

use crate::{capture::Capture, sandbox::Sandbox};

pub use self::{
    interpreter::{find_interpreter, is_python},
    record::{Blas, Cpu, Environment, Executable, Gpu, Interpreter, LockFile, Os, Package},
};

/// What an environment is captured for.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The executable, as found in `PATH`.
    pub program: &'a Path,
    /// The variables of the command.
    pub variables: &'a BTreeMap<OsString, OsString>,
    /// Where lock files are looked for.
    pub project: &'a Path,
    /// If the command has run: tells which interpreter and which BLAS it really used.
    pub capture: Option<&'a Capture>,
    /// What holds the interpreter back while it is asked; for packages that nobody here vouches for.
    pub sandbox: Option<&'a Sandbox>,
}

const LOCK_FILES: [&str; 11] = [
    "Pipfile.lock",
    "conda-lock.yml",
    "environment.yml",
    "pdm.lock",
    "pixi.lock",
    "poetry.lock",
    "pylock.toml",
    "requirements.lock",
    "requirements.txt",
    "uv.lock",
    "renv.lock",
];
const LOCK_FILE_BYTES_MAX: u64 = 64 << 20;
const EXECUTABLE_BYTES_MAX: u64 = 2 << 30;
const EXECUTABLES_MAX: usize = 64;
const BLAS_NAMES: [&str; 7] = ["openblas", "mkl_", "blis", "cblas", "atlas", "flexiblas", "Accelerate"];
const VARIABLES: [&str; 19] = [
    "ATEN_CPU_CAPABILITY",
    "CONDA_DEFAULT_ENV",
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_VISIBLE_DEVICES",
    "CUDNN_DETERMINISTIC",
    "JAX_ENABLE_X64",
    "LANG",
    "LANGUAGE",
    "NVIDIA_TF32_OVERRIDE",
    "PYTHONHASHSEED",
    "PYTHONPATH",
    "PYTORCH_CUDA_ALLOC_CONF",
    "SOURCE_DATE_EPOCH",
    "TF_CUDNN_DETERMINISTIC",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "TZ",
    "XLA_FLAGS",
];
const VARIABLE_PREFIXES: [&str; 9] =
    ["BLIS_", "GOTO_", "KMP_", "LC_", "MKL_", "NUMEXPR_", "OMP_", "OPENBLAS_", "VECLIB_"];

/// Captures the environment of a command.
///
/// Asks the interpreter once, without importing anything of the user's; never runs any other program.
pub fn capture(subject: &Subject<'_>) -> Environment {
    let root = Path::new("/");
    let mut problems = Vec::new();
    let asked = find_interpreter(subject.program, subject.variables, subject.capture).and_then(|python| {
        interpreter::ask(&python, subject.variables, subject.sandbox).map_err(|why| problems.push(why)).ok()
    });
    let (interpreter, packages) = match asked {
        Some(answer) => {
            let mut folders = answer.package_folders(subject.variables, subject.project);
            // packages of others may have given the answer
            folders.retain(|folder| may_read(subject.sandbox, folder));
            let mut packages = packages::in_folders(&folders);
            if let Some(capture) = subject.capture.filter(|capture| capture.sees_all_files()) {
                packages::mark_unread(&mut packages, &folders, capture);
            }
            (Some(answer.interpreter), packages)
        }
        None => (None, Vec::new()),
    };
    let executables = if interpreter.is_none() { executables(subject) } else { Vec::new() };
    let (threads, variables) = variables(subject.variables);
    Environment {
        os: machine::os(root),
        cpu: machine::cpu(root),
        memory_bytes: machine::memory_bytes(root),
        gpu: machine::gpu(root),
        interpreter,
        packages,
        executables,
        lock_files: lock_files(subject),
        blas: Blas {
            libraries: subject.capture.map(blas_libraries).unwrap_or_default(),
            core_type: variables.get("OPENBLAS_CORETYPE").cloned(),
        },
        threads,
        variables,
        problems,
    }
}

fn variables(all: &BTreeMap<OsString, OsString>) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let listed =
        |name: &str| VARIABLES.contains(&name) || VARIABLE_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let (mut threads, mut others) = (BTreeMap::new(), BTreeMap::new());
    for (name, value) in all {
        let Some(name) = name.to_str() else { continue };
        let value = redact_text(&value.to_string_lossy()).text;
        if name == "VIRTUAL_ENV" {
            // Only its name: the folder differs from one checkout to the next.
            let base = Path::new(&value).file_name().unwrap_or_default().to_string_lossy().into_owned();
            others.insert(name.to_owned(), base);
        } else if listed(name) && name.ends_with("_THREADS") {
            threads.insert(name.to_owned(), value);
        } else if listed(name) {
            others.insert(name.to_owned(), value);
        }
    }
    (threads, others)
}

fn blas_libraries(capture: &Capture) -> Vec<String> {
    let is_blas = |name: &str| {
        let is_library = name.contains(".so") || name.contains(".dylib");
        is_library && BLAS_NAMES.iter().any(|blas| name.contains(blas))
    };
    let names: BTreeSet<String> = capture
        .files
        .iter()
        .filter(|file| file.read)
        .filter_map(|file| file.path.file_name()?.to_str())
        .filter(|name| is_blas(name))
        .map(str::to_owned)
        .collect();
    names.into_iter().collect()
}

/// Whether to look at a path for somebody who was held back: not where they could not look themselves.
fn may_read(sandbox: Option<&Sandbox>, path: &Path) -> bool {
    sandbox.is_none_or(|sandbox| sandbox.shows(path))
}

fn lock_files(subject: &Subject<'_>) -> Vec<LockFile> {
    let paths = LOCK_FILES.iter().map(|name| (name, subject.project.join(name)));
    let readable = paths.filter(|(_, path)| may_read(subject.sandbox, path));
    let digested = readable.filter_map(|(name, path)| {
        let digest = file_digest(&path, LOCK_FILE_BYTES_MAX)?;
        Some(LockFile { path: (*name).to_owned(), digest })
    });
    let mut found: Vec<LockFile> = digested.collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn executables(subject: &Subject<'_>) -> Vec<Executable> {
    let program = std::fs::canonicalize(subject.program).unwrap_or_else(|_| subject.program.to_owned());
    let mut paths = BTreeSet::from([program]);
    let started = subject.capture.map(|capture| capture.programs.as_slice()).unwrap_or_default();
    paths.extend(started.iter().take(EXECUTABLES_MAX).cloned());
    paths
        .into_iter()
        .map(|path| Executable {
            digest: if may_read(subject.sandbox, &path) { file_digest(&path, EXECUTABLE_BYTES_MAX) } else { None },
            path: path.to_string_lossy().into_owned(),
        })
        .collect()
}

fn file_digest(path: &Path, bytes_max: u64) -> Option<Digest> {
    let file = File::open(path).ok()?;
    let metadata = file.metadata().ok()?;
    if !metadata.is_file() || metadata.len() > bytes_max {
        return None;
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file.take(bytes_max)).ok()?;
    Some(Digest::from_bytes(*hasher.finalize().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::CaptureLevel;

    fn variables_of(pairs: &[(&str, &str)]) -> BTreeMap<OsString, OsString> {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn only_listed_variables_are_kept() {
        let (threads, others) = variables(&variables_of(&[
            ("OMP_NUM_THREADS", "2"),
            ("OMP_PROC_BIND", "true"),
            ("LC_ALL", "C"),
            ("PYTHONHASHSEED", "0"),
            ("VIRTUAL_ENV", "/home/ada/x/.venv"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("HOME", "/home/ada"),
            ("PYTHONPATH", "https://ada:hunter2@example.org/x"),
        ]));
        assert_eq!(threads.into_iter().collect::<Vec<_>>(), [("OMP_NUM_THREADS".into(), "2".into())]);
        let names: Vec<&str> = others.keys().map(String::as_str).collect();
        assert_eq!(names, ["LC_ALL", "OMP_PROC_BIND", "PYTHONHASHSEED", "PYTHONPATH", "VIRTUAL_ENV"]);
        assert_eq!(others["VIRTUAL_ENV"], ".venv");
        assert!(!others["PYTHONPATH"].contains("hunter2"));
    }

    #[test]
    fn lock_files_and_executables_are_digested_when_there_is_no_interpreter() {
        let project = tempfile::tempdir().unwrap();
        std::fs::write(project.path().join("uv.lock"), "version = 1\n").unwrap();
        let tool = project.path().join("train");
        std::fs::write(&tool, "\u{7f}ELF").unwrap();
        let none = BTreeMap::new();
        let subject =
            Subject { program: &tool, variables: &none, project: project.path(), capture: None, sandbox: None };
        let environment = capture(&subject);
        assert_eq!(environment.interpreter, None);
        assert!(environment.packages.is_empty());
        assert_eq!(environment.lock_files[0].digest, Digest::of(b"version = 1\n"));
        assert_eq!(environment.executables[0].digest, Some(Digest::of("\u{7f}ELF".as_bytes())));
        let before = environment.digest();
        assert_eq!(capture(&subject).digest(), before);
        std::fs::write(&tool, "other").unwrap();
        assert_ne!(capture(&subject).digest(), before);
    }

    #[test]
    fn the_blas_that_was_loaded_is_named() {
        let mut seen = Capture::empty(CaptureLevel::Ptrace);
        for path in ["/x/libscipy_openblas64_-6b.so", "/x/libm.so.6", "/x/openblas.txt", "/y/libmkl_core.so.2"] {
            let stamp = None;
            seen.files.push(crate::FileAccess {
                path: path.into(),
                kind: crate::FileKind::Regular,
                read: true,
                prior_read: true,
                written: false,
                created: false,
                removed: false,
                renamed_from: None,
                first: stamp,
                last: stamp,
                mutated: false,
                ran: false,
                aside: None,
                read_at: None,
                written_at: None,
            });
        }
        assert_eq!(blas_libraries(&seen), ["libmkl_core.so.2", "libscipy_openblas64_-6b.so"]);
    }
}
