//! Packages of which there is only the source, built where that is allowed.
//!
//! To build is to run what the author wrote, so the sources and what they need for it are fetched first, without running
//! them; they are built without the network, and see nothing but themselves.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{
    contain,
    error::ReproduceError,
    index,
    installation::{Installation, text},
};

/// Fetches sources as pip finds them, but does not ask them what they are, as `pip download` would. Arguments: the
/// folder, then lines of requirements. Checks the hashes that a line names.
const FETCH: &str = "\
import hashlib, os, sys
from pip._internal.commands import create_command
from pip._vendor.packaging.specifiers import SpecifierSet
folder, lines = sys.argv[1], sys.argv[2:]
command = create_command('download')
options, _ = command.parse_args(['--no-binary', ':all:', '--no-deps', 'nothing'])
with command.main_context():
    session = command.get_default_session(options)
    finder = command._build_package_finder(options=options, session=session)
    for line in lines:
        pinned, *hashes = line.split()
        name, version = pinned.split('==', 1)
        best = finder.find_best_candidate(name, SpecifierSet('==' + version)).best_candidate
        if best is None:
            sys.exit('ERROR: No matching distribution found for ' + pinned)
        answer = session.get(best.link.url_without_fragment, headers={'Accept-Encoding': 'identity'})
        answer.raise_for_status()
        wanted = {word.split(':', 1)[1] for word in hashes if word.startswith('--hash=sha256:')}
        if wanted and hashlib.sha256(answer.content).hexdigest() not in wanted:
            sys.exit('ERROR: ' + pinned + ' does not have the hash that was recorded')
        with open(os.path.join(folder, os.path.basename(best.link.filename)), 'wb') as file:
            file.write(answer.content)
";
/// Prints what sources say they need to be built.
const NEEDS: &str = "\
import sys, tarfile, zipfile
try: import tomllib
except ImportError: from pip._vendor import tomli as tomllib
needs = {'setuptools', 'wheel'}
for path in sys.argv[2:]:
    if tarfile.is_tarfile(path):
        archive = tarfile.open(path)
        names, read = archive.getnames(), lambda name: archive.extractfile(name).read()
    else:
        archive = zipfile.ZipFile(path)
        names, read = archive.namelist(), archive.read
    for name in names:
        if name.count('/') == 1 and name.endswith('/pyproject.toml'):
            needs.update(tomllib.loads(read(name).decode()).get('build-system', {}).get('requires', []))
open(sys.argv[1], 'w').write('\\n'.join(sorted(needs)))
";
/// Longest list of needs that is read.
const NEEDS_BYTES_MAX: u64 = 1 << 20;

/// Builds the packages that these lines of requirements name; returns the folder with their wheels.
pub(super) fn wheels(work: &Installation<'_>, lines: &[&str]) -> Result<PathBuf, ReproduceError> {
    let [sources, builders, built] = ["sources", "builders", "built"].map(|name| work.scratch.folder(name));
    let (sources, builders, built) = (sources?, builders?, built?);
    fetch(work, &sources, lines)?;
    let files = files_in(&sources)?;
    work.download(&builders, &needs(work, &builders, &sources, &files)?, &[])?;
    let mut argv = work.pip_of_tools(&[
        "wheel",
        "--use-pep517",
        "--no-deps",
        "--no-index",
        "--progress-bar",
        "off",
        "--find-links",
    ]);
    argv.extend([text(&builders), "--wheel-dir".into(), text(&built)]);
    argv.extend(files.iter().map(|file| text(file)));
    let reads = work.tools().into_iter().chain([sources, builders]).collect();
    let sandbox = contain::working(work.plan, reads, vec![built.clone(), work.scratch.temporary()]);
    work.step("building packages", argv, sandbox, BTreeMap::new())?;
    Ok(built)
}

fn fetch(work: &Installation<'_>, sources: &Path, lines: &[&str]) -> Result<(), ReproduceError> {
    let index = index::of_caller();
    let mut argv = script(work, FETCH);
    argv.push(text(sources));
    argv.extend(lines.iter().map(|line| (*line).to_owned()));
    let reads = work.tools().into_iter().chain(index.places).collect();
    let sandbox = contain::fetching(work.plan, reads, vec![sources.to_owned(), work.scratch.temporary()]);
    work.step("fetching the sources", argv, sandbox, index.variables)
}

fn needs(
    work: &Installation<'_>,
    builders: &Path,
    sources: &Path,
    files: &[PathBuf],
) -> Result<String, ReproduceError> {
    let list = builders.join("needs.txt");
    let mut argv = script(work, NEEDS);
    argv.push(text(&list));
    argv.extend(files.iter().map(|file| text(file)));
    let reads = work.tools().into_iter().chain([sources.to_owned()]).collect();
    let sandbox = contain::working(work.plan, reads, vec![builders.to_owned(), work.scratch.temporary()]);
    work.step("reading what the sources need", argv, sandbox, BTreeMap::new())?;
    let text = crate::file::read(&list, NEEDS_BYTES_MAX).map_err(|error| ReproduceError::io(&list, error))?;
    // options and addresses are not for others to give: what is no plain requirement is left to fail at the build
    let is_plain = |line: &&str| line.starts_with(|c: char| c.is_ascii_alphanumeric()) && !line.contains(" @ ");
    Ok(text.unwrap_or_default().lines().filter(is_plain).map(|line| format!("{line}\n")).collect())
}

fn script(work: &Installation<'_>, script: &str) -> Vec<String> {
    vec![text(&work.scratch.tools().join("bin/python")), "-I".into(), "-c".into(), script.into()]
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>, ReproduceError> {
    let entries = fs::read_dir(folder).map_err(|error| ReproduceError::io(folder, error))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}
