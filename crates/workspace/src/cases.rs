//! Regression cases of a workspace: one JSON file each, in a folder that is committed with the code.

use std::{fs, io, path::PathBuf};

use stemma_core::{
    ErrorKind, Problem,
    case::{CASE_BYTES_MAX, CASES_MAX, RegressionCase},
    name::{CaseName, TreePath},
};

use crate::{file, workspace::Workspace};

/// Where cases lie if no gate says otherwise.
pub const CASES_DIR: &str = "tests/cases";

const ENDING: &str = ".json";
/// Most entries of a folder that are looked at.
const ENTRIES_MAX: usize = 10_000;

impl Workspace {
    /// Reads all cases of a folder, by name; a folder that is not there is the caller's fault.
    pub fn cases(&self, folder: &TreePath) -> Result<Vec<RegressionCase>, Problem> {
        let mut names = self.case_names(folder)?;
        names.sort();
        if names.is_empty() {
            return Err(Problem::new(ErrorKind::Config, format!("there are no cases in `{folder}`"))
                .hint("`stemma case add PREDICTION --expect OUTPUT=VALUE` makes one"));
        }
        if names.len() > CASES_MAX {
            let message = format!("`{folder}` holds {} cases, more than {CASES_MAX}", names.len());
            return Err(Problem::new(ErrorKind::Config, message));
        }
        names.into_iter().map(|name| self.case(folder, &name)).collect()
    }

    fn case_names(&self, folder: &TreePath) -> Result<Vec<CaseName>, Problem> {
        let path = self.root().join(folder.as_str());
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => {
                Problem::new(ErrorKind::Config, format!("there is no folder `{folder}` with cases"))
                    .hint("`stemma case add PREDICTION --expect OUTPUT=VALUE` makes the first")
            }
            _ => Problem::new(ErrorKind::Config, format!("`{}`: {error}", path.display())),
        };
        let mut names = Vec::new();
        for (count, entry) in fs::read_dir(&path).map_err(unreadable)?.enumerate() {
            if count == ENTRIES_MAX {
                return Err(Problem::new(ErrorKind::Config, format!("`{folder}` has more than {ENTRIES_MAX} entries")));
            }
            let file_name = entry.map_err(unreadable)?.file_name();
            let stem = file_name.to_str().and_then(|name| name.strip_suffix(ENDING));
            if let Some(stem) = stem.filter(|stem| !stem.starts_with('.')) {
                names.push(CaseName::new(stem)?);
            }
        }
        Ok(names)
    }

    fn case(&self, folder: &TreePath, name: &CaseName) -> Result<RegressionCase, Problem> {
        let path = self.case_path(folder, name);
        let unreadable = |error: io::Error| Problem::new(ErrorKind::Config, format!("`{}`: {error}", path.display()));
        let text = file::read(&path, CASE_BYTES_MAX).map_err(unreadable)?;
        let text = text.ok_or_else(|| unreadable(io::ErrorKind::NotFound.into()))?;
        RegressionCase::parse(name, &text).map_err(|problem| Problem {
            message: format!("`{folder}/{name}{ENDING}`: {}", problem.message),
            ..problem
        })
    }

    fn case_path(&self, folder: &TreePath, name: &CaseName) -> PathBuf {
        self.root().join(folder.as_str()).join(format!("{name}{ENDING}"))
    }

    /// Writes a case's file; returns its path seen from the workspace's root.
    pub fn write_case(&self, folder: &TreePath, case: &RegressionCase, replace: Replace) -> Result<String, Problem> {
        case.check()?;
        let path = self.case_path(folder, &case.name);
        let shown = format!("{folder}/{}{ENDING}", case.name);
        if replace == Replace::Refuse && path.exists() {
            return Err(Problem::new(ErrorKind::Conflict, format!("`{shown}` exists"))
                .hint("choose another name with `--name`, or replace it with `--force`"));
        }
        let mut text = serde_json::to_string_pretty(case)
            .map_err(|error| Problem::new(ErrorKind::Internal, format!("case `{}`: {error}", case.name)))?;
        text.push('\n');
        if text.len() as u64 > CASE_BYTES_MAX {
            return Err(Problem::invalid(format!("the case is longer than {CASE_BYTES_MAX} bytes")));
        }
        let written = fs::create_dir_all(self.root().join(folder.as_str()))
            .and_then(|()| file::replace(&path, text.as_bytes(), 0o666));
        written.map_err(|error| Problem::new(ErrorKind::Config, format!("can't write `{shown}`: {error}")))?;
        Ok(shown)
    }
}

/// What happens to a case that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    Refuse,
    Overwrite,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> (tempfile::TempDir, Workspace, TreePath) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("stemma.toml"), "").unwrap();
        let workspace = Workspace::open(folder.path()).unwrap();
        (folder, workspace, TreePath::new(CASES_DIR).unwrap())
    }

    fn case(name: &str) -> RegressionCase {
        let text = format!(r#"{{"name": "{name}", "input": {{"x": 1}}, "expected": {{"y": 2}}}}"#);
        RegressionCase::parse(&name.parse().unwrap(), &text).unwrap()
    }

    #[test]
    fn cases_are_written_once_and_read_by_name() {
        let (_folder, workspace, at) = workspace();
        assert!(workspace.cases(&at).unwrap_err().message.contains("no folder `tests/cases`"));
        assert_eq!(workspace.write_case(&at, &case("b"), Replace::Refuse).unwrap(), "tests/cases/b.json");
        workspace.write_case(&at, &case("a"), Replace::Refuse).unwrap();
        fs::write(workspace.root().join("tests/cases/README.md"), "no case").unwrap();
        assert_eq!(workspace.cases(&at).unwrap(), [case("a"), case("b")]);
        let again = workspace.write_case(&at, &case("a"), Replace::Refuse).unwrap_err();
        assert_eq!(again.kind, ErrorKind::Conflict);
        workspace.write_case(&at, &case("a"), Replace::Overwrite).unwrap();
    }

    #[test]
    fn a_file_that_is_no_case_is_named() {
        let (_folder, workspace, at) = workspace();
        workspace.write_case(&at, &case("a"), Replace::Refuse).unwrap();
        let file = workspace.root().join("tests/cases/a.json");
        for (text, expected) in [
            ("{", "`tests/cases/a.json`: case `a` can't be read: EOF"),
            (r#"{"name": "b", "input": {}, "expected": {"y": 1}}"#, "`tests/cases/a.json`: the file of case `a` says"),
        ] {
            fs::write(&file, text).unwrap();
            let problem = workspace.cases(&at).unwrap_err();
            assert!(problem.message.starts_with(expected), "{problem}");
        }
        fs::write(&file, " ".repeat(CASE_BYTES_MAX as usize + 1)).unwrap();
        assert!(workspace.cases(&at).unwrap_err().message.contains("longer than"));
        fs::remove_file(&file).unwrap();
        assert!(workspace.cases(&at).unwrap_err().message.contains("there are no cases"));
    }
}
