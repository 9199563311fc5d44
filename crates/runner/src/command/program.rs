//! Finds the executable that a command's first word means, so that a missing one is named before anything starts.

use std::{
    collections::BTreeMap,
    ffi::{CString, OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::error::RunError;

/// Where to look when the child has no `PATH`; what `execvp` does.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Finds a program as the child would: a name with a slash from `cwd`, any other in the child's `PATH`.
pub fn find_program(name: &str, cwd: &Path, variables: &BTreeMap<OsString, OsString>) -> Result<PathBuf, RunError> {
    if name.is_empty() {
        return Err(RunError::Empty);
    }
    if name.contains('/') {
        return explicit(name, cwd);
    }
    let default = OsString::from(DEFAULT_PATH);
    let path = variables.get(OsStr::new("PATH")).unwrap_or(&default);
    let candidates = std::env::split_paths(path).map(|directory| cwd.join(directory).join(name));
    let mut refused = None;
    for candidate in candidates {
        if is_executable(&candidate) {
            return Ok(candidate);
        }
        if refused.is_none() && candidate.is_file() {
            refused = Some(candidate);
        }
    }
    Err(match refused {
        Some(path) => RunError::NotExecutable { path },
        None => RunError::NotFound { program: name.to_owned() },
    })
}

fn explicit(name: &str, cwd: &Path) -> Result<PathBuf, RunError> {
    let path = cwd.join(name);
    if is_executable(&path) {
        Ok(path)
    } else if path.exists() {
        Err(RunError::NotExecutable { path })
    } else {
        Err(RunError::NotFound { program: name.to_owned() })
    }
}

fn is_executable(path: &Path) -> bool {
    let Ok(text) = CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    // SAFETY: `text` is a NUL-terminated string that outlives the call.
    path.is_file() && unsafe { libc::access(text.as_ptr(), libc::X_OK) } == 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn names_are_looked_up_in_the_childs_path_and_folder() {
        let directory = tempfile::tempdir().unwrap();
        let tool = directory.path().join("tool");
        std::fs::write(&tool, "").unwrap();
        let path = BTreeMap::from([("PATH".into(), directory.path().as_os_str().to_owned())]);
        assert!(matches!(find_program("tool", directory.path(), &path), Err(RunError::NotExecutable { .. })));

        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find_program("tool", Path::new("/"), &path).unwrap(), tool);
        assert_eq!(find_program("./tool", directory.path(), &path).unwrap(), directory.path().join("./tool"));
        assert!(matches!(find_program("./tool", Path::new("/"), &path), Err(RunError::NotFound { .. })));
        let error = find_program("no-such-tool", Path::new("/"), &path).unwrap_err();
        assert_eq!(error.to_string(), "command `no-such-tool` was not found");
        assert!(error.hint().unwrap().contains("PATH"));
    }
}
