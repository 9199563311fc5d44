//! Lists installed Python packages by reading their metadata; nothing is imported.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use stemma_core::{Sha256, redact::redact_text};

use super::{record::Package, text::read_text};
use crate::capture::Capture;

const METADATA_BYTES_MAX: u64 = 64 << 10;
const RECORD_BYTES_MAX: u64 = 64 << 20;
const ENTRIES_MAX: usize = 100_000;
/// Files of a package's metadata that the installer writes about itself.
const INSTALLER_FILES: [&str; 6] =
    ["RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_build.json", "uv_cache.json"];

/// Returns the packages in these folders, sorted by name; the first folder that has a package wins, as in Python.
pub(super) fn in_folders(folders: &[PathBuf]) -> Vec<Package> {
    let mut found = BTreeMap::new();
    for folder in folders {
        for metadata in metadata_folders(folder) {
            if let Some(package) = read(&metadata) {
                found.entry(normalised(&package.name)).or_insert(package);
            }
        }
    }
    found.into_values().collect()
}

fn metadata_folders(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .take(ENTRIES_MAX)
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|kind| kind == "dist-info" || kind == "egg-info"))
        .collect();
    found.sort();
    found
}

fn read(metadata: &Path) -> Option<Package> {
    let text = ["METADATA", "PKG-INFO"]
        .iter()
        .find_map(|name| read_text(&metadata.join(name), METADATA_BYTES_MAX))
        .or_else(|| read_text(metadata, METADATA_BYTES_MAX))?;
    let field = |name: &str| {
        let mut lines = text.lines().take_while(|line| !line.is_empty());
        lines.find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
    };
    Some(Package {
        name: field("Name")?,
        version: field("Version")?,
        record_digest: record_digest(&metadata.join("RECORD")),
        origin: origin(&metadata.join("direct_url.json")),
        unread: false,
    })
}

/// Marks the packages of which the command read no file. One that does not say which files it has counts as read.
pub(super) fn mark_unread(packages: &mut [Package], folders: &[PathBuf], capture: &Capture) {
    let read: HashSet<PathBuf> =
        capture.files.iter().filter(|file| file.read).map(|file| source_of(&file.path)).collect();
    let mut unread = BTreeSet::new();
    for folder in folders {
        // the kernel's names of what was read have no links in them
        let real = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        for metadata in metadata_folders(folder).into_iter().filter(|metadata| !is_linked(metadata)) {
            let Some(package) = self::read(&metadata) else { continue };
            let files = files_of(&metadata.join("RECORD"));
            if !files.is_empty() && !files.iter().any(|file| read.contains(&real.join(file))) {
                unread.insert((normalised(&package.name), package.version));
            }
        }
    }
    for package in packages {
        package.unread = unread.contains(&(normalised(&package.name), package.version.clone()));
    }
}

/// Some installers make links to files that several environments share.
fn is_linked(metadata: &Path) -> bool {
    [metadata.to_owned(), metadata.join("METADATA")].iter().any(|path| path.is_symlink())
}

/// The files that RECORD lists, as seen from the folder that the package lies in.
fn files_of(record: &Path) -> Vec<PathBuf> {
    let text = read_text(record, RECORD_BYTES_MAX).unwrap_or_default();
    text.lines().filter_map(path_in).map(PathBuf::from).collect()
}

/// The first field of a line of CSV; quoted, if it holds a comma.
fn path_in(line: &str) -> Option<String> {
    let path = match line.trim().strip_prefix('"') {
        Some(quoted) => quoted.split("\",").next()?.replace("\"\"", "\""),
        None => line.trim().split(',').next()?.to_owned(),
    };
    (!path.is_empty()).then_some(path)
}

/// The source that bytecode was made from, which a package lists; of other files, themselves.
fn source_of(path: &Path) -> PathBuf {
    let source = || {
        let folder = path.parent().filter(|folder| folder.ends_with("__pycache__"))?.parent()?;
        let name = path.file_name()?.to_str()?.strip_suffix(".pyc")?.split('.').next()?;
        Some(folder.join(format!("{name}.py")))
    };
    source().unwrap_or_else(|| path.to_owned())
}

/// PEP 503: names that differ in case or in `-`, `_`, `.` are the same.
fn normalised(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

/// Digests the lines of RECORD that every installer writes alike.
///
/// Scripts hold the folder's path in their first line and lie outside; bytecode has no digests.
fn record_digest(record: &Path) -> Option<Sha256> {
    let text = read_text(record, RECORD_BYTES_MAX)?;
    let mut lines: Vec<&str> = text.lines().map(str::trim).filter(|line| is_of_the_wheel(line)).collect();
    lines.sort_unstable();
    Some(Sha256::of(lines.join("\n").as_bytes()))
}

fn is_of_the_wheel(line: &str) -> bool {
    let path = line.split(',').next().unwrap_or_default().trim_matches('"');
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let is_of_the_installer = folder.ends_with(".dist-info") && INSTALLER_FILES.contains(&name);
    !path.is_empty()
        && !path.starts_with("../")
        && !path.starts_with('/')
        && !path.contains("__pycache__/")
        && !is_of_the_installer
}

#[derive(Deserialize)]
struct DirectUrl {
    url: String,
    vcs_info: Option<VcsInfo>,
}

#[derive(Deserialize)]
struct VcsInfo {
    commit_id: String,
}

fn origin(direct_url: &Path) -> Option<String> {
    let direct: DirectUrl = serde_json::from_str(&read_text(direct_url, METADATA_BYTES_MAX)?).ok()?;
    let url = redact_text(&direct.url).text;
    Some(match direct.vcs_info {
        Some(vcs) => format!("{url}@{}", vcs.commit_id),
        None => url,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::capture::{CaptureLevel, FileAccess, FileKind};

    const RECORD: &str = "demo/__init__.py,sha256=abc,3\ndemo/__pycache__/__init__.cpython-311.pyc,,\n\
         demo-1.0.dist-info/METADATA,sha256=def,9\ndemo-1.0.dist-info/RECORD,,\n../../../bin/demo,sha256=ghi,5\n";

    fn install(folder: &Path, directory: &str, metadata: &str, record: &str) {
        let path = folder.join(directory);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("METADATA"), metadata).unwrap();
        fs::write(path.join("RECORD"), record).unwrap();
    }

    #[test]
    fn packages_are_listed_once_from_the_first_folder() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        install(first.path(), "Demo_A-1.0.dist-info", "Name: Demo_A\nVersion: 1.0\n\nVersion: no\n", RECORD);
        install(second.path(), "demo_a-2.0.dist-info", "Name: demo-a\nVersion: 2.0\n", RECORD);
        install(second.path(), "other-3.dist-info", "Version: 3\nName: other\n", RECORD);
        fs::write(second.path().join("old.egg-info"), "Name: old\nVersion: 0.1\n").unwrap();
        install(second.path(), "broken-1.dist-info", "nothing here", "");
        let found = in_folders(&[first.path().into(), second.path().into(), "/no/such/folder".into()]);
        let names: Vec<_> = found.iter().map(|package| format!("{} {}", package.name, package.version)).collect();
        assert_eq!(names, ["Demo_A 1.0", "old 0.1", "other 3"]);
    }

    #[test]
    fn packages_that_were_not_read_are_known_by_their_files() {
        let folder = tempfile::tempdir().unwrap();
        let own = |name: &str| {
            format!("{name}/__init__.py,sha256=a,1\n\"{name}/a,b.so\",sha256=b,1\n{name}-1.dist-info/METADATA,,\n")
        };
        for name in ["source", "bytecode", "library", "metadata", "idle"] {
            install(folder.path(), &format!("{name}-1.dist-info"), &format!("Name: {name}\nVersion: 1\n"), &own(name));
        }
        install(folder.path(), "silent-1.dist-info", "Name: silent\nVersion: 1\n", "");
        let mut capture = Capture::empty(CaptureLevel::Ptrace);
        let root = folder.path().canonicalize().unwrap();
        let access = |path: &str, read| FileAccess {
            path: root.join(path),
            kind: FileKind::Regular,
            read,
            prior_read: read,
            written: false,
            created: false,
            removed: false,
            renamed_from: None,
            first: None,
            last: None,
            mutated: false,
            ran: false,
            aside: None,
            read_at: None,
            written_at: None,
        };
        capture.files = vec![
            access("source/__init__.py", true),
            access("bytecode/__pycache__/__init__.cpython-311.pyc", true),
            access("library/a,b.so", true),
            access("metadata-1.dist-info/METADATA", true),
            access("idle/__init__.py", false),
        ];
        let folders = [folder.path().to_owned()];
        let mut packages = in_folders(&folders);
        mark_unread(&mut packages, &folders, &capture);
        let unread: Vec<&str> = packages.iter().filter(|one| one.unread).map(|one| one.name.as_str()).collect();
        assert_eq!(unread, ["idle"]);
    }

    #[test]
    fn the_record_digest_is_that_of_the_wheel_alone() {
        let folder = tempfile::tempdir().unwrap();
        let digest = |record: &str| {
            install(folder.path(), "demo-1.0.dist-info", "Name: demo\nVersion: 1.0\n", record);
            in_folders(&[folder.path().into()])[0].record_digest.unwrap()
        };
        let before = digest(RECORD);
        let moved =
            RECORD.replace("ghi", "xyz").replace("RECORD,,", "RECORD,,\ndemo-1.0.dist-info/INSTALLER,sha256=u,2");
        assert_eq!(digest(&moved), before);
        assert_ne!(digest(&RECORD.replace("abc", "abd")), before);
    }

    #[test]
    fn the_origin_keeps_the_commit_and_no_password() {
        let folder = tempfile::tempdir().unwrap();
        install(folder.path(), "demo-1.0.dist-info", "Name: demo\nVersion: 1.0\n", RECORD);
        fs::write(
            folder.path().join("demo-1.0.dist-info/direct_url.json"),
            r#"{"url": "https://ada:hunter2@example.org/demo.git", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}}"#,
        )
        .unwrap();
        let origin = in_folders(&[folder.path().into()]).remove(0).origin.unwrap();
        assert!(origin.ends_with("@example.org/demo.git@c0ffee") && !origin.contains("hunter2"), "{origin}");
    }
}
