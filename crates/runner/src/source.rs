//! What makes a file code: that somebody ran it, whatever it is called.
//!
//! Python asks for the compiled form of what it imports before it reads the source; other interpreters open the sources
//! of their language and nothing tells these from data, so there the ending and the program that reads it decide.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

/// Programs by how their names begin, the endings of what they run, and the options that take the next word as value.
struct Language {
    programs: &'static [&'static str],
    endings: &'static [&'static str],
    with_value: &'static [&'static str],
    /// What follows is code itself, or names no file.
    without_script: &'static [&'static str],
}

const LANGUAGES: [Language; 9] = [
    Language {
        programs: &["python", "pypy"],
        // imports are known by their compiled form
        endings: &[],
        with_value: &["-W", "-X", "--check-hash-based-pycs"],
        without_script: &["-c", "-m", "-"],
    },
    Language {
        programs: &["sh", "bash", "dash", "zsh", "ksh"],
        endings: &["sh", "bash", "zsh", "ksh"],
        with_value: &["-o", "-O", "--rcfile", "--init-file"],
        without_script: &["-c", "-s", "-"],
    },
    Language {
        programs: &["node", "nodejs", "deno", "bun"],
        endings: &["js", "mjs", "cjs", "ts", "mts", "node"],
        with_value: &["-r", "--require", "--import", "--loader"],
        without_script: &["-e", "--eval", "-p", "--print", "-"],
    },
    Language { programs: &["R", "Rscript"], endings: &["r"], with_value: &["-g"], without_script: &["-e"] },
    Language {
        programs: &["julia"],
        endings: &["jl", "ji"],
        with_value: &["-L", "-J", "-p", "-t"],
        without_script: &["-e", "-E"],
    },
    Language { programs: &["perl"], endings: &["pl", "pm"], with_value: &["-I"], without_script: &["-e", "-E"] },
    Language { programs: &["ruby"], endings: &["rb"], with_value: &["-I", "-r"], without_script: &["-e"] },
    Language { programs: &["lua", "luajit"], endings: &["lua"], with_value: &["-l"], without_script: &["-e"] },
    Language { programs: &["java", "scala"], endings: &["jar", "class", "jmod"], with_value: &[], without_script: &[] },
];
/// How a program may say its script in one word.
const SCRIPT_OPTION: &str = "--file=";

impl Language {
    fn of(program: &Path) -> Option<&'static Self> {
        let name = program.file_name()?.to_str()?;
        let is_version = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit() || b".-t".contains(&byte));
        let is_one = |base: &&str| name.strip_prefix(base).is_some_and(is_version);
        LANGUAGES.iter().find(|language| language.programs.iter().any(is_one))
    }
}

/// The script that an interpreter was started with: the first word that is no option.
pub(crate) fn script_of<'a>(program: &Path, arguments: &'a [std::ffi::OsString]) -> Option<&'a Path> {
    let language = Language::of(program)?;
    let mut words = arguments.iter().skip(1);
    while let Some(word) = words.next() {
        let Some(text) = word.to_str() else {
            return Some(Path::new(word));
        };
        if let Some(script) = text.strip_prefix(SCRIPT_OPTION) {
            return Some(Path::new(script));
        }
        if language.without_script.contains(&text) {
            return None;
        }
        if language.with_value.contains(&text) {
            words.next();
        } else if !text.starts_with(['-', '+']) {
            return Some(Path::new(word));
        }
    }
    None
}

/// Whether a program that opens this file does so to run it.
pub(crate) fn is_run_by(source: &Path, program: &Path) -> bool {
    let ending = ending(source);
    Language::of(program).is_some_and(|language| language.endings.contains(&ending.as_str()))
}

/// Whether some program could run it; who asks for the program saves the question for all others.
pub(crate) fn may_be_source(path: &Path) -> bool {
    let ending = ending(path);
    !ending.is_empty() && LANGUAGES.iter().any(|language| language.endings.contains(&ending.as_str()))
}

/// What is taken for code where only names are known: below the level of system calls.
pub(crate) fn is_code_by_name(path: &Path) -> bool {
    const OTHERS: [&str; 8] = ["py", "pyi", "pyx", "pyw", "ipynb", "so", "pyd", "scala"];
    OTHERS.contains(&ending(path).as_str()) || may_be_source(path)
}

fn ending(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

/// Python's compiled form, also while it is being written (`x.cpython-311.pyc.139…`), and numba's beside it.
pub(crate) fn is_bytecode(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_temporary = |rest: &str| rest.strip_prefix('.').is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
    let is_compiled = name.split_once(".pyc").is_some_and(|(_, rest)| rest.is_empty() || is_temporary(rest));
    let is_numba = path.parent().is_some_and(is_cache_folder) && (name.ends_with(".nbi") || name.ends_with(".nbc"));
    is_compiled || is_numba
}

fn is_cache_folder(folder: &Path) -> bool {
    folder.file_name() == Some(OsStr::new("__pycache__"))
}

/// `pkg/__pycache__/name.cpython-311.pyc` was compiled from `pkg/name.py`.
pub(crate) fn source_of(bytecode: &Path) -> Option<PathBuf> {
    let folder = bytecode.parent().filter(|folder| is_cache_folder(folder))?;
    let (name, _) = bytecode.file_name()?.to_str()?.split_once('.')?;
    Some(folder.parent()?.join(format!("{name}.py")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_of_a_command_is_found() {
        for (line, expected) in [
            ("/usr/bin/python3.11 train.py --data x.csv", Some("train.py")),
            ("python -u -W ignore trainer x.csv", Some("trainer")),
            ("python -m train x.csv", None),
            ("python -c print(1) x.csv", None),
            ("python", None),
            ("/bin/bash -e -o pipefail run.sh", Some("run.sh")),
            ("sh -c ls run.sh", None),
            ("/usr/lib/R/bin/exec/R --no-echo --file=fit.R --args x.csv", Some("fit.R")),
            ("node --max-old-space-size=1 app", Some("app")),
            ("perl -I lib fit", Some("fit")),
            ("/usr/bin/cat train.py", None),
            ("/usr/bin/shuf x.csv", None),
        ] {
            let words: Vec<std::ffi::OsString> = line.split(' ').map(Into::into).collect();
            assert_eq!(script_of(Path::new(&words[0]), &words), expected.map(Path::new), "{line}");
        }
    }

    #[test]
    fn an_ending_makes_code_only_for_its_own_interpreter() {
        for (source, program, expected) in [
            ("/p/app.js", "/usr/bin/node", true),
            ("/p/tweets.js", "/usr/bin/python3", false),
            ("/p/data.py", "/usr/bin/python3", false),
            ("/p/fit.R", "/usr/lib/R/bin/exec/R", true),
            ("/p/env.sh", "/bin/dash", true),
            ("/p/env.sh", "/usr/bin/cat", false),
            ("/p/a.csv", "/bin/sh", false),
        ] {
            assert_eq!(is_run_by(Path::new(source), Path::new(program)), expected, "{source} by {program}");
        }
    }

    #[test]
    fn compiled_forms_are_known_by_name() {
        for path in ["/p/__pycache__/a.cpython-311.pyc", "/p/__pycache__/a.cpython-311.pyc.140", "/p/a.pyc"] {
            assert!(is_bytecode(Path::new(path)), "{path}");
        }
        for path in ["/p/__pycache__/train.csv", "/p/a.pyc.csv", "/p/pyc"] {
            assert!(!is_bytecode(Path::new(path)), "{path}");
        }
        let source = source_of(Path::new("/p/__pycache__/a.cpython-311.pyc.140"));
        assert_eq!(source.as_deref(), Some(Path::new("/p/a.py")));
        assert_eq!(source_of(Path::new("/p/a.pyc")), None);
    }
}
