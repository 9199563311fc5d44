//! Where a path belongs: to the environment, to a cache that is made anew, to our own housekeeping, or to the data.
//!
//! Data may lie anywhere. So nothing counts as environment because of a wide folder; each list is narrow and says why
//! what it names holds no data of the run. What no list names is an input or an output like any other, and so is what
//! packages bring along as data.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    path::{Component, Path, PathBuf},
};

use super::surroundings::Surroundings;
use crate::capture::{Capture, DirectoryAccess, FileAccess};

/// Where a path belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Belonging {
    /// Says nothing about the run.
    Ignored,
    /// Of the interpreter and its packages.
    Packages,
    /// Of the operating system.
    System,
    /// Made from something else, and made again when it is missing.
    Cache,
    Project,
    Outside,
}

/// Programs, libraries and what belongs to them; packages of the system put it there.
const SYSTEM_FOLDERS: [&str; 32] = [
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/usr/bin",
    "/usr/sbin",
    "/usr/games",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libx32",
    "/usr/libexec",
    "/usr/include",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/usr/local/libexec",
    "/usr/local/include",
    "/usr/local/cuda",
    "/proc",
    "/sys",
    "/boot",
    "/snap",
    "/nix/store",
    "/gnu/store",
    "/System",
    "/Library/Frameworks",
    "/Library/Developer",
    "/private/etc",
];
/// What programs share below `/usr/share`: texts of languages, time zones, fonts, icons, libraries in scripts.
const SHARED: [&str; 48] = [
    "locale",
    "locale-langpack",
    "i18n",
    "zoneinfo",
    "zoneinfo-icu",
    "fonts",
    "fontconfig",
    "icons",
    "themes",
    "pixmaps",
    "mime",
    "applications",
    "ca-certificates",
    "ca-certificates-java",
    "pki",
    "terminfo",
    "tabset",
    "misc",
    "file",
    "X11",
    "xml",
    "sgml",
    "glib-2.0",
    "glvnd",
    "vulkan",
    "drirc.d",
    "libdrm",
    "nvidia",
    "hwdata",
    "alsa",
    "perl",
    "perl5",
    "python3",
    "python-wheels",
    "pyshared",
    "ruby",
    "lua",
    "java",
    "javascript",
    "nodejs",
    "node_modules",
    "R",
    "julia",
    "bash-completion",
    "zsh",
    "git-core",
    "texmf",
    "proj",
];
/// Configuration of the machine in `/etc`, by what its names begin with: accounts, names, locales, certificates,
/// loaders, shells, graphics, and the tools that read their settings there.
const CONFIGURATION: [&str; 74] = [
    "ld.so",
    "nsswitch.conf",
    "passwd",
    "group",
    "shadow",
    "gshadow",
    "login.defs",
    "pam",
    "security",
    "selinux",
    "apparmor",
    "resolv.conf",
    "hosts",
    "host.conf",
    "hostname",
    "gai.conf",
    "services",
    "protocols",
    "networks",
    "rpc",
    "nscd.conf",
    "ssl",
    "pki",
    "crypto-policies",
    "ca-certificates",
    "gnutls",
    "krb5",
    "localtime",
    "timezone",
    "adjtime",
    "locale",
    "default",
    "environment",
    "machine-id",
    "os-release",
    "debian_version",
    "lsb-release",
    "redhat-release",
    "centos-release",
    "fedora-release",
    "alpine-release",
    "issue",
    "motd",
    "magic",
    "mime.types",
    "mailcap",
    "profile",
    "bash",
    "zsh",
    "shells",
    "inputrc",
    "skel",
    "terminfo",
    "alternatives",
    "fonts",
    "X11",
    "xdg",
    "gtk",
    "dconf",
    "alsa",
    "pulse",
    "vulkan",
    "OpenCL",
    "nvidia",
    "ImageMagick",
    "java",
    "maven",
    "python",
    "pip.conf",
    "perl",
    "R",
    "gitconfig",
    "matplotlibrc",
    "mtab",
];
/// States of the system below `/var` and `/run`: what is installed, who is logged in, sockets of services.
const STATES: [&str; 23] = [
    "/var/lib/dpkg",
    "/var/lib/apt",
    "/var/lib/rpm",
    "/var/lib/dbus",
    "/var/lib/sss",
    "/var/lib/nscd",
    "/var/lib/flatpak",
    "/var/lib/snapd",
    "/var/lib/texmf",
    "/var/lib/ca-certificates",
    "/run/systemd",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/run/nscd",
    "/run/dbus",
    "/run/udev",
    "/run/utmp",
    "/run/lock",
    "/run/cups",
    "/run/opengl-driver",
    "/run/current-system",
    "/run/wrappers",
    "/run/.containerenv",
];
/// Looked up and made again by the system.
const SYSTEM_CACHES: [&str; 5] =
    ["/var/cache/fontconfig", "/var/cache/ldconfig", "/var/cache/nscd", "/var/cache/man", "/var/cache/apt"];
/// Parts of a path below which packages are installed; their digests are in the environment.
const PACKAGE_PARTS: [&str; 3] = ["site-packages", "dist-packages", "node_modules"];
/// How data ends that packages bring along, as scikit-learn does its data sets. Importing a package reads none of it.
const DATA_OF_PACKAGES: [&str; 15] = [
    ".arff", ".arff.gz", ".arrow", ".csv", ".csv.gz", ".feather", ".h5", ".hdf5", ".jsonl", ".npy", ".npz", ".parquet",
    ".pkl", ".pkl.gz", ".tsv",
];
/// Parts that name a program which keeps interpreters and chooses one; it reads its own files on the way to them.
const MANAGER_PARTS: [&str; 6] = [".pyenv", ".asdf", ".rbenv", ".nvm", ".rye", ".sdkman"];
/// Parts that name a virtual environment wherever it lies.
const ENVIRONMENT_PARTS: [&str; 3] = [".venv", ".tox", ".nox"];
/// What interpreters have right below their prefix; whatever else lies there was put there by somebody.
const OF_A_PREFIX: [&str; 17] = [
    "bin",
    "Scripts",
    "condabin",
    "lib",
    "lib32",
    "lib64",
    "libexec",
    "sbin",
    "include",
    "share",
    "etc",
    "man",
    "ssl",
    "conda-meta",
    "compiler_compat",
    "pyvenv.cfg",
    "x86_64-conda-linux-gnu",
];
/// Version control, our own content, and the notes that checkers keep of code they have seen.
const IGNORED_PARTS: [&str; 7] = [".git", ".stemma", ".hg", ".svn", ".pytest_cache", ".mypy_cache", ".ruff_cache"];
/// Below `.git`: content of large files, to which links in the working tree lead.
const CONTENT_OF_GIT: [&str; 2] = ["annex", "lfs"];
/// Files that choose the interpreter, which the environment names.
const INTERPRETER_CHOICES: [&str; 5] =
    [".python-version", ".tool-versions", ".node-version", ".ruby-version", "pyvenv.cfg"];
/// Below the home: what libraries compile or look up and would make again, and settings of tools that are no part of
/// a training. Downloads of data and models are none of these.
const HOME_CACHES: [&str; 48] = [
    ".cache/matplotlib",
    ".cache/fontconfig",
    ".cache/pip",
    ".cache/uv",
    ".cache/pypoetry",
    ".cache/pre-commit",
    ".cache/conda",
    ".cache/mesa_shader_cache",
    ".cache/mesa_shader_cache_db",
    ".cache/nvidia",
    ".cache/numba",
    ".cache/torch_extensions",
    ".cache/torch/kernels",
    ".cache/triton",
    ".cache/jedi",
    ".cache/parso",
    ".cache/black",
    ".cache/mypy",
    ".cache/ruff",
    ".cache/ccache",
    ".cache/go-build",
    ".cache/node-gyp",
    ".cache/yarn",
    ".cache/gstreamer-1.0",
    ".cache/thumbnails",
    ".cache/Microsoft/DeveloperTools",
    ".cache/huggingface/hub/.locks",
    ".config/matplotlib",
    ".config/pip",
    ".config/uv",
    ".config/git",
    ".config/conda",
    ".config/fontconfig",
    ".config/jupyter",
    ".config/ipython",
    ".config/dconf",
    ".config/pulse",
    ".config/stemma",
    ".local/bin",
    ".local/lib",
    ".local/share/jupyter",
    ".local/share/fonts",
    ".local/share/uv",
    ".local/share/pipx",
    ".matplotlib",
    ".nv",
    ".triton",
    "Library/Caches/pip",
];
/// Settings and histories of shells, Git and interpreters, right in the home.
const HOME_FILES: [&str; 16] = [
    ".bashrc",
    ".bash_profile",
    ".bash_history",
    ".profile",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".inputrc",
    ".gitconfig",
    ".condarc",
    ".python_history",
    ".Rprofile",
    ".Renviron",
    ".Rhistory",
    ".keras/keras.json",
    ".ipython/README",
];
/// Signs by which libraries learn where they run, and that they were here before (ONNX Runtime's telemetry).
const MACHINE_MARKERS: [&str; 2] = ["/.dockerenv", "/tmp/.ses"];
/// What libraries make for themselves in the folders for temporary files, and would make again.
const SCRATCH_CACHES: [&str; 4] = ["matplotlib-", "torchinductor_", "numba-", "stemma-hook-"];
/// What libraries put there for the time of a run. A file from before the run is none of these, whatever its name.
const SCRATCH_PREFIXES: [&str; 9] =
    ["pymp-", "joblib_", "loky-", "torchelastic_", "fontconfig", "cupy", "nccl-", ".X11-unix", "sem."];
const SHARED_MEMORY: &str = "/dev/shm";
/// Devices that bring no data from outside: nothing, noise, terminals (whose streams are told apart), processors.
const DATALESS_DEVICES: [&str; 18] = [
    "null",
    "zero",
    "full",
    "random",
    "urandom",
    "tty",
    "console",
    "pts",
    "ptmx",
    "dri",
    "kfd",
    "kvm",
    "infiniband",
    "fuse",
    "log",
    "cpu",
    "hugepages",
    "rtc0",
];
const LOCK_SUFFIXES: [&str; 4] = [".lock", ".lck", ".lockfile", ".pid"];
/// The index that SQLite makes of a journal that lies beside it; the journal itself is data.
const JOURNAL_INDEX_SUFFIX: &str = "-shm";

pub(super) struct Judge<'a> {
    capture: &'a Capture,
    surroundings: &'a Surroundings,
    /// Folders that Python itself took for virtual environments in this run.
    virtual_environments: Vec<&'a Path>,
    changed_folders: BTreeSet<&'a Path>,
}

impl<'a> Judge<'a> {
    pub fn new(capture: &'a Capture, surroundings: &'a Surroundings) -> Self {
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
        Self { capture, surroundings, virtual_environments, changed_folders }
    }

    pub fn belonging_of(&self, access: &FileAccess) -> Belonging {
        let path = access.path.as_path();
        let belonging = self.belonging_of_folder(path);
        let counts = matches!(belonging, Belonging::Project | Belonging::Outside);
        if counts && (is_empty_lock(access) || self.is_journal_index(path) || self.is_scratch(access)) {
            Belonging::Ignored
        } else if counts && is_one_of(path.file_name(), &INTERPRETER_CHOICES) {
            Belonging::Packages
        } else if belonging == Belonging::Packages && access.prior_read && is_data_of_packages(path) {
            // whoever has it may have exported what a model is judged on
            Belonging::Outside
        } else {
            belonging
        }
    }

    /// Where a folder or a file belongs by its path alone.
    pub fn belonging_of_folder(&self, path: &Path) -> Belonging {
        let project = &self.surroundings.project;
        let in_project = path.starts_with(project);
        let below = if in_project { path.strip_prefix(project).unwrap_or(path) } else { path };
        if is_housekeeping(below) {
            return Belonging::Ignored;
        }
        if has_part(below, &PACKAGE_PARTS) || has_part(below, &MANAGER_PARTS) || self.is_of_an_interpreter(path, below)
        {
            return Belonging::Packages;
        }
        if in_project {
            return Belonging::Project;
        }
        if is_of_the_system(path) {
            return Belonging::System;
        }
        if self.is_cache(path) { Belonging::Cache } else { Belonging::Outside }
    }

    /// An interpreter's folder that holds the project (as `/usr` may) says nothing about the project's files.
    fn is_of_an_interpreter(&self, path: &Path, below: &Path) -> bool {
        let project = &self.surroundings.project;
        let is_inside = |folder: &Path| path.starts_with(folder) && !project.starts_with(folder);
        let is_installed = |rest: &Path| is_one_of(rest.iter().next(), &OF_A_PREFIX);
        let prefixes = self.surroundings.interpreter_folders.iter().map(PathBuf::as_path);
        let mut prefixes = prefixes.chain(self.virtual_environments.iter().copied());
        let named = below.iter().position(|part| is_one_of(Some(part), &ENVIRONMENT_PARTS));
        // tox has one environment for each name
        let in_named =
            named.is_some_and(|at| below.iter().skip(at + 1).take(2).any(|part| is_one_of(Some(part), &OF_A_PREFIX)));
        in_named
            || prefixes.any(|folder| is_inside(folder) && path.strip_prefix(folder).is_ok_and(is_installed))
            || self.surroundings.standard_libraries.iter().any(|folder| is_inside(folder))
            || self.surroundings.version_managers.iter().any(|folder| is_inside(folder))
    }

    fn is_cache(&self, path: &Path) -> bool {
        let below = self.surroundings.home.as_ref().and_then(|home| path.strip_prefix(home).ok());
        let in_home = below.is_some_and(|below| {
            HOME_CACHES.iter().any(|cache| below.starts_with(cache))
                || HOME_FILES.iter().any(|file| below == Path::new(file))
        });
        let of_the_system = SYSTEM_CACHES.iter().any(|cache| path.starts_with(cache));
        in_home || of_the_system || self.is_temporary(path, &SCRATCH_CACHES)
    }

    /// Whether a file is one that the run made for its own time; semaphores live in the shared memory.
    fn is_scratch(&self, access: &FileAccess) -> bool {
        let path = access.path.as_path();
        let in_shared_memory = path.strip_prefix(SHARED_MEMORY).is_ok_and(|name| begins_with(name, &SCRATCH_PREFIXES));
        access.created && (in_shared_memory || self.is_temporary(path, &SCRATCH_PREFIXES))
    }

    fn is_temporary(&self, path: &Path, prefixes: &[&str]) -> bool {
        let folders = self.surroundings.temporary_folders.iter();
        folders.filter_map(|folder| path.strip_prefix(folder).ok()).any(|below| begins_with(below, prefixes))
    }

    fn is_journal_index(&self, path: &Path) -> bool {
        let database = path.to_str().and_then(|text| text.strip_suffix(JOURNAL_INDEX_SUFFIX));
        database.is_some_and(|database| self.capture.file(Path::new(database)).is_some())
    }

    /// Directories of data that were listed, each with whether the run itself changed it.
    pub fn directories(&self) -> impl Iterator<Item = (&DirectoryAccess, bool)> {
        let is_data = |directory: &&DirectoryAccess| {
            matches!(self.belonging_of_folder(&directory.path), Belonging::Project | Belonging::Outside)
                && !has_part(&directory.path, &["__pycache__"])
                && directory.path != Path::new("/")
        };
        let directories = self.capture.directories.iter().filter(is_data);
        directories.map(|directory| (directory, self.changed_folders.contains(directory.path.as_path())))
    }
}

fn is_of_the_system(path: &Path) -> bool {
    let starts = |folders: &[&str]| folders.iter().any(|folder| path.starts_with(folder));
    let shares = |folder: &str| path.strip_prefix(folder).is_ok_and(|rest| is_one_of(rest.iter().next(), &SHARED));
    starts(&SYSTEM_FOLDERS)
        || starts(&STATES)
        || starts(&MACHINE_MARKERS)
        || shares("/usr/share")
        || shares("/usr/local/share")
        || path.strip_prefix("/etc").is_ok_and(|rest| begins_with(rest, &CONFIGURATION))
}

/// A folder of version control or of ours, but for the content that Git's extensions keep there.
fn is_housekeeping(path: &Path) -> bool {
    let mut parts = path.iter();
    let Some(part) = parts.find(|part| is_one_of(Some(part), &IGNORED_PARTS)) else {
        return false;
    };
    part != OsStr::new(".git") || !is_one_of(parts.next(), &CONTENT_OF_GIT)
}

/// Whether a device or pipe is one that brings no data from outside.
pub(super) fn is_dataless_device(path: &Path) -> bool {
    let is_one = |name: &Path| is_one_of(name.iter().next(), &DATALESS_DEVICES) || begins_with(name, &["nvidia"]);
    path.strip_prefix("/dev").is_ok_and(is_one)
}

fn begins_with(path: &Path, prefixes: &[&str]) -> bool {
    let first = path.iter().next().unwrap_or_default().to_string_lossy();
    prefixes.iter().any(|prefix| first.starts_with(prefix))
}

fn is_one_of(part: Option<&OsStr>, names: &[&str]) -> bool {
    part.is_some_and(|part| names.iter().any(|name| part == OsStr::new(name)))
}

fn has_part(path: &Path, parts: &[&str]) -> bool {
    path.components().any(|component| match component {
        Component::Normal(name) => is_one_of(Some(name), parts),
        _ => false,
    })
}

fn is_data_of_packages(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    DATA_OF_PACKAGES.iter().any(|end| name.ends_with(end))
}

/// What a file of an installed package is called wherever packages are installed, as in `sklearn/datasets/data/iris.csv`.
pub fn name_in_packages(path: &str) -> Option<&str> {
    let mut rest = path;
    let mut named = None;
    while let Some((part, behind)) = rest.split_once('/') {
        rest = behind;
        if PACKAGE_PARTS.contains(&part) {
            named = Some(rest);
        }
    }
    named
}

/// A lock is a file that never holds anything; `uv.lock` is text that is read.
fn is_empty_lock(access: &FileAccess) -> bool {
    let name = access.path.file_name().unwrap_or_default().to_string_lossy();
    let is_empty = [access.first, access.last].into_iter().flatten().all(|stamp| stamp.size == 0);
    is_empty && LOCK_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}
