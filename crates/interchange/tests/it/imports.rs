//! What other tools made comes in whole, or is left out and named.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use stemma_core::{Digest, ErrorKind, Problem, name::TreePath};
use stemma_interchange::import::{
    DvcRequest, ForeignVersion, ImportError, Imported, LeftOut, LeftOutKind, LfsRequest, choose_names, enter,
    import_dvc, import_lfs, worst,
};
use stemma_store::{Store, TreeEntry};

use crate::scene::{Scene, git};

/// Unpacks the repositories that DVC itself made.
fn samples() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("samples-").tempdir().unwrap();
    let archive = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/dvc/samples.tar.gz");
    let mut tar = Command::new("tar");
    let done = tar.args(["--no-same-owner", "-xzf", archive]).current_dir(folder.path()).status().unwrap();
    assert!(done.success());
    folder
}

fn import(scene: &Scene, repository: &Path, all_commits: bool) -> Imported {
    let request = DvcRequest { repository, remote: None, all_commits };
    import_dvc(&scene.workspace, &scene.store, request, &mut |_, _| {}).unwrap()
}

fn lfs(scene: &Scene, repository: &Path, all_commits: bool) -> Imported {
    import_lfs(&scene.workspace, &scene.store, LfsRequest { repository, all_commits }, &mut |_, _| {}).unwrap()
}

fn left_out(imported: &Imported) -> Vec<(LeftOutKind, &str)> {
    imported.left_out.iter().map(|fault| (fault.kind, fault.path.as_str())).collect()
}

/// All files of what was found, by their paths in the repository.
fn files_of(store: &Store, found: &[&ForeignVersion]) -> BTreeMap<String, Vec<u8>> {
    let read = |digest: &Digest| store.read(digest, 1 << 20).unwrap();
    let mut files = BTreeMap::new();
    for found in found {
        match store.tree(&found.digest).unwrap() {
            None => drop(files.insert(found.path.to_string(), read(&found.digest))),
            Some(tree) => {
                for (path, entry) in &tree.entries {
                    let TreeEntry::File { digest, .. } = entry else { panic!("{entry:?}") };
                    files.insert(format!("{}/{path}", found.path), read(digest));
                }
            }
        }
    }
    files
}

fn files_in(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// The newest commit first.
fn commits(repository: &Path) -> Vec<String> {
    git(repository, &["rev-list", "--all", "--topo-order"]).lines().map(str::to_owned).collect()
}

#[test]
fn every_file_of_every_commit_is_what_dvc_checks_out() {
    let samples = samples();
    for name in ["plain", "stages", "legacy"] {
        let scene = Scene::new();
        let repository = samples.path().join(name).join("repo");
        let imported = import(&scene, &repository, true);
        let kinds: BTreeSet<LeftOutKind> = imported.left_out.iter().map(|fault| fault.kind).collect();
        assert!(kinds.is_subset(&BTreeSet::from([LeftOutKind::Skipped])), "{name}: {:?}", imported.left_out);
        assert_eq!(worst(&imported.left_out), None);
        let mut compared = 0;
        for commit in commits(&repository) {
            let expected = files_in(&samples.path().join(name).join("checkouts").join(&commit));
            // what a path has in a commit is what the newest commit above it gave the path
            let above = git(&repository, &["rev-list", "--topo-order", &commit]);
            let above: Vec<&str> = above.lines().collect();
            let mut newest: BTreeMap<&TreePath, (usize, &ForeignVersion)> = BTreeMap::new();
            for found in &imported.found {
                let Some(age) = above.iter().position(|above| found.source.contains(above)) else { continue };
                let known = newest.entry(&found.path).or_insert((age, found));
                if age <= known.0 {
                    *known = (age, found);
                }
            }
            let newest: Vec<&ForeignVersion> = newest.into_values().map(|(_, found)| found).collect();
            assert_eq!(files_of(&scene.store, &newest), expected, "{name} {commit}");
            compared += expected.len();
        }
        assert!(compared > 5);
    }
}

#[test]
fn without_the_history_the_folder_is_imported_as_it_is() {
    let samples = samples();
    let scene = Scene::new();
    let repository = samples.path().join("plain/repo");
    let imported = import(&scene, &repository.join("data"), false);
    assert_eq!(left_out(&imported), []);
    let paths: Vec<&str> = imported.found.iter().map(|found| found.path.as_str()).collect();
    assert_eq!(paths, ["data/empty.csv", "data/train.csv", "images", "nothing", "run.sh"]);
    let head = git(&repository, &["rev-parse", "main"]);
    let source = &imported.found[1].source;
    assert!(source.starts_with("dvc md5:45acb") || source.contains(head.trim()), "{source}");
    assert!(source.contains("Ada <ada@example.org>, 20"), "{source}");
    assert!(imported.found.iter().all(|found| !found.current), "the repository is no part of the workspace");
    assert_eq!(imported.tally.objects, imported.tally.stored + 2, "two listings are no content");

    let again = import(&scene, &repository, false);
    assert_eq!((again.tally.stored, again.tally.objects), (0, imported.tally.objects));
    assert_eq!(again.found, imported.found);
}

#[test]
fn what_the_cache_lost_comes_from_the_remote() {
    let samples = samples();
    let scene = Scene::new();
    let repository = samples.path().join("plain/repo");
    fs::remove_dir_all(repository.join(".dvc/cache")).unwrap();
    let imported = import(&scene, &repository, false);
    // the remote of the settings is not where the sample has it
    assert!(imported.left_out.iter().all(|fault| fault.kind == LeftOutKind::Missing));
    assert_eq!(imported.left_out.len(), 5);
    let remote = samples.path().join("plain/remote");
    let request = DvcRequest { repository: &repository, remote: remote.to_str(), all_commits: false };
    let imported = import_dvc(&scene.workspace, &scene.store, request, &mut |_, _| {}).unwrap();
    assert_eq!((left_out(&imported), imported.found.len()), (Vec::new(), 5));
    let request = DvcRequest { remote: Some("s3://bucket/x"), ..request };
    let error = import_dvc(&scene.workspace, &scene.store, request, &mut |_, _| {}).err().unwrap();
    assert!(Problem::from(error).hint.unwrap().contains("dvc fetch"));
}

#[test]
fn a_repository_that_is_the_workspace_gets_lines_in_the_lock() {
    let samples = samples();
    let scene = Scene::new();
    let repository = scene.path("below");
    fs::rename(samples.path().join("stages/repo"), &repository).unwrap();
    let imported = import(&scene, &repository, true);
    let current: Vec<&ForeignVersion> = imported.found.iter().filter(|found| found.current).collect();
    let paths: Vec<&str> = current.iter().map(|found| found.path.as_str()).collect();
    let expected =
        ["below/models/1.bin", "below/models/2.bin", "below/prep/parts", "below/prep/table.txt", "below/raw/in.txt"];
    assert_eq!(BTreeSet::from_iter(paths), BTreeSet::from(expected));
    let lock = scene.workspace.lock().unwrap();
    let names = choose_names(current.iter().map(|found| &found.path), &lock, &BTreeMap::new());
    let entries = current.iter().map(|found| (found.path.clone(), found.digest, names[&found.path].clone()));
    enter(&scene.workspace, &scene.store, entries.collect()).unwrap();
    let lock = scene.workspace.lock().unwrap();
    assert_eq!(lock.entries().len(), 5);
    let table = lock.get("below/prep/table.txt").unwrap();
    assert_eq!(scene.store.read(&table.digest, 100).unwrap(), b"4\n3\n2\n1\n");
}

/// A DVC repository made by hand: pointers are written as they are given.
struct Hand {
    scene: Scene,
    root: PathBuf,
}

/// MD5s of `hello\n`, and of a file with one byte more.
const HELLO: &str = "b1946ac92492d2347c6235b4d2611184";

impl Hand {
    fn new() -> Self {
        let scene = Scene::new();
        let root = scene.path("repo");
        fs::create_dir_all(root.join(".dvc")).unwrap();
        let hand = Self { scene, root };
        hand.object(HELLO, b"hello\n");
        hand
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        self.scene.write(&format!("repo/{path}"), text);
    }

    fn object(&self, name: &str, content: &[u8]) -> PathBuf {
        self.write(&format!(".dvc/cache/files/md5/{}/{}", &name[..2], &name[2..]), content);
        self.root.join(".dvc/cache/files/md5").join(&name[..2]).join(&name[2..])
    }

    fn pointer(&self, path: &str, md5: &str) {
        self.write(&format!("{path}.dvc"), format!("outs:\n- md5: {md5}\n  hash: md5\n  path: {path}\n"));
    }

    /// Adds a folder with a listing, and returns the name of its object.
    fn folder(&self, path: &str, listing: &str) -> String {
        use md5::Digest as _;
        let hash = md5::Md5::digest(listing.as_bytes());
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{hex}.dir");
        self.object(&name, listing.as_bytes());
        self.pointer(path, &name);
        name
    }

    fn import(&self) -> Imported {
        import(&self.scene, &self.root, false)
    }

    #[track_caller]
    fn only_fault(&self, kind: LeftOutKind, part: &str) -> LeftOut {
        let imported = self.import();
        assert_eq!(imported.left_out.len(), 1, "{:?}", imported.left_out);
        let fault = imported.left_out[0].clone();
        assert_eq!(fault.kind, kind, "{fault:?}");
        assert!(fault.reason.contains(part), "{fault:?}");
        fault
    }
}

#[test]
fn a_damaged_object_is_named_and_the_rest_goes_on() {
    let hand = Hand::new();
    hand.pointer("good", HELLO);
    hand.pointer("bad", "00000000000000000000000000000001");
    let object = hand.object("00000000000000000000000000000001", b"hello?\n");
    let imported = hand.import();
    assert_eq!(imported.found.len(), 1);
    assert_eq!(left_out(&imported), [(LeftOutKind::Damaged, "bad")]);
    assert_eq!(worst(&imported.left_out), Some(ErrorKind::Corrupt));
    assert!(imported.left_out[0].reason.contains(object.to_str().unwrap()), "{:?}", imported.left_out);
    let usage = hand.scene.store.usage().unwrap();
    assert_eq!(usage.blobs, 1, "damaged content is not stored");
}

#[test]
fn every_flipped_byte_of_every_object_is_noticed() {
    let samples = samples();
    let repository = samples.path().join("plain/repo");
    let whole = Scene::new();
    let expected = import(&whole, &repository, false).found.len();
    for object in files_in(&repository.join(".dvc/cache")).into_keys() {
        let path = repository.join(".dvc/cache").join(object);
        let content = fs::read(&path).unwrap();
        for at in 0..content.len() {
            let mut flipped = content.clone();
            flipped[at] ^= 1;
            fs::write(&path, flipped).unwrap();
            let scene = Scene::new();
            let imported = import(&scene, &repository, false);
            let damaged = imported.left_out.iter().filter(|fault| fault.kind == LeftOutKind::Damaged).count();
            let used = damaged > 0;
            assert_eq!(imported.found.len() + imported.left_out.len(), expected);
            assert_eq!(imported.found.len() < expected, used);
            if at > 2 {
                break; // each position is hashed alike
            }
        }
        fs::write(&path, content).unwrap();
    }
}

#[test]
fn a_listing_that_lies_is_refused() {
    let entry = |path: &str| format!("{{\"md5\": \"{HELLO}\", \"relpath\": \"{path}\"}}");
    let long = "x".repeat(300);
    for (listing, kind, part) in [
        (format!("[{}]", entry("../escape")), LeftOutKind::Refused, "`..`"),
        (format!("[{}]", entry("a/../../escape")), LeftOutKind::Refused, "`..`"),
        (format!("[{}]", entry("/etc/passwd")), LeftOutKind::Refused, "empty"),
        (format!("[{}]", entry(".git/hooks/post-checkout")), LeftOutKind::Refused, ".git"),
        (format!("[{}]", entry(&long)), LeftOutKind::Refused, "255"),
        (format!("[{}, {}]", entry("a"), entry("a")), LeftOutKind::Refused, "twice"),
        (format!("[{}, {}]", entry("a"), entry("a/b")), LeftOutKind::Refused, "not a directory"),
        (
            format!("[{{\"relpath\": \"a\", \"relpath\": \"b\", \"md5\": \"{HELLO}\"}}]"),
            LeftOutKind::Refused,
            "malformed",
        ),
        ("[{\"relpath\": \"a\", \"md5\": \"../../../etc/passwd\"}]".to_owned(), LeftOutKind::Refused, "not an MD5"),
        (format!("[{{\"relpath\": \"a\", \"md5\": \"{HELLO}.dir\"}}]"), LeftOutKind::Refused, "not an MD5"),
        ("not json".to_owned(), LeftOutKind::Refused, "malformed"),
        (
            entry("a").replace(HELLO, &"1".repeat(32)).replace('{', "[{") + "]",
            LeftOutKind::Missing,
            "none of the stores",
        ),
    ] {
        let hand = Hand::new();
        hand.folder("data", &listing);
        let fault = hand.only_fault(kind, part);
        assert_eq!(fault.path, "data", "{listing}");
    }
}

#[test]
fn a_listing_with_another_hash_is_damaged() {
    let hand = Hand::new();
    let name = hand.folder("data", &format!("[{{\"md5\": \"{HELLO}\", \"relpath\": \"a\"}}]"));
    hand.object(&name, format!("[{{\"md5\": \"{HELLO}\", \"relpath\": \"b\"}}]").as_bytes());
    hand.only_fault(LeftOutKind::Damaged, "damaged");
}

#[test]
fn objects_behind_links_are_read_only_inside_of_their_store() {
    let hand = Hand::new();
    let object = hand.object(HELLO, b"");
    let inside = hand.object("aa0000", b"hello\n");
    fs::remove_file(&object).unwrap();
    symlink(&inside, &object).unwrap();
    hand.pointer("a", HELLO);
    assert_eq!(hand.import().found.len(), 1);

    let hand = Hand::new();
    let object = hand.object(HELLO, b"");
    hand.write("outside", "hello\n");
    fs::remove_file(&object).unwrap();
    symlink(hand.root.join("outside"), &object).unwrap();
    hand.pointer("a", HELLO);
    hand.only_fault(LeftOutKind::Refused, "leads out of its store");

    fs::remove_file(&object).unwrap();
    symlink(&object, &object).unwrap();
    hand.only_fault(LeftOutKind::Refused, "can't be read");
    fs::remove_file(&object).unwrap();
    fs::create_dir(&object).unwrap();
    hand.only_fault(LeftOutKind::Refused, "not a regular file");
}

#[test]
fn paths_of_pointers_stay_in_the_project() {
    for (path, part) in [
        ("../escape", "leads out"),
        ("/etc/passwd", "absolute"),
        ("s3://bucket/key", "outside"),
        (".git/config", "Git"),
        ("\"a\\nb\"", "control"),
    ] {
        let hand = Hand::new();
        hand.write("p.dvc", format!("outs:\n- md5: {HELLO}\n  hash: md5\n  path: {path}\n"));
        assert_eq!(hand.only_fault(LeftOutKind::Refused, part).pointer, "p.dvc");
    }
    let hand = Hand::new();
    hand.write("deep/p.dvc", format!("wdir: ..\nouts:\n- md5: {HELLO}\n  hash: md5\n  path: data\n"));
    assert_eq!(hand.import().found[0].path.as_str(), "repo/data");
}

#[test]
fn pointers_with_nothing_behind_them_say_why() {
    let hand = Hand::new();
    hand.write("partial.dvc", "outs:\n- path: partial\n  hash: md5\n");
    let fault = hand.only_fault(LeftOutKind::Skipped, "no hash");
    assert_eq!(worst(&[fault]), None);
    hand.write("partial.dvc", "outs:\n- path: partial\n  hash: md5\n  etag: abc\n");
    hand.only_fault(LeftOutKind::Refused, "no MD5");
    let cloud =
        "outs:\n- path: partial\n  hash: md5\n  md5: 00000000000000000000000000000001\n  cloud: {r: {etag: x}}\n";
    hand.write("partial.dvc", cloud);
    hand.only_fault(LeftOutKind::Missing, "bucket");
    hand.write("partial.dvc", cloud.replace("cloud", "other"));
    hand.write(".dvc/config", "['remote \"r\"']\n    url = s3://bucket/x\n");
    hand.only_fault(LeftOutKind::Missing, "r (s3://bucket/x)");
    hand.write("partial.dvc", "deps:\n- path: a\n  repo: {url: u}\n".to_owned() + &cloud.replace("cloud", "other"));
    hand.only_fault(LeftOutKind::Missing, "another DVC repository");
    hand.write("partial.dvc", format!("outs:\n- md5: {HELLO}\n  md5: {HELLO}\n  path: a\n"));
    hand.only_fault(LeftOutKind::Refused, "duplicate");
    hand.write("partial.dvc", vec![b'#'; (16 << 20) + 1]);
    hand.only_fault(LeftOutKind::Refused, "bytes");
}

#[test]
fn a_cache_elsewhere_is_found_and_the_second_place_helps_out() {
    let hand = Hand::new();
    hand.pointer("a", HELLO);
    hand.object(HELLO, b"rotten");
    hand.write("store/files/md5/b1/946ac92492d2347c6235b4d2611184", "hello\n");
    hand.write(".dvc/config", "[core]\n    remote = r\n['remote \"r\"']\n    url = ../store\n");
    let imported = hand.import();
    assert_eq!((left_out(&imported), imported.found.len()), (Vec::new(), 1));
    assert!(imported.notes[0].contains("damaged") && imported.notes[0].contains("another place"));
}

#[test]
fn projects_inside_and_links_are_not_entered() {
    let hand = Hand::new();
    hand.pointer("a", HELLO);
    hand.write("other/.dvc/config", "");
    hand.write("other/b.dvc", "outs: []");
    hand.write("real.txt", "outs: [broken");
    symlink(hand.root.join("real.txt"), hand.root.join("link.dvc")).unwrap();
    symlink(&hand.root, hand.root.join("loop")).unwrap();
    let imported = hand.import();
    assert_eq!((left_out(&imported), imported.found.len()), (Vec::new(), 1));
    let error = import_dvc(
        &hand.scene.workspace,
        &hand.scene.store,
        DvcRequest { repository: hand.scene.workspace.root(), remote: None, all_commits: false },
        &mut |_, _| {},
    );
    assert!(matches!(error, Err(ImportError::NoDvc(_))));
    let request = DvcRequest { repository: &hand.root, remote: None, all_commits: true };
    let error = import_dvc(&hand.scene.workspace, &hand.scene.store, request, &mut |_, _| {});
    assert!(matches!(error, Err(ImportError::NoGit(_))));
}

fn lfs_pointer(content: &[u8]) -> (String, String) {
    let oid = stemma_core::Sha256::of(content).hex();
    (format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {}\n", content.len()), oid)
}

#[test]
fn lfs_objects_are_checked_against_their_pointers() {
    let scene = Scene::new();
    let put = |content: &[u8], stored: &[u8]| {
        let (pointer, oid) = lfs_pointer(content);
        scene.write(&format!(".git/lfs/objects/{}/{}/{oid}", &oid[..2], &oid[2..4]), stored);
        pointer
    };
    git(scene.workspace.root(), &["init", "-q", "-b", "main"]);
    scene.write("model.bin", put(b"first", b"first"));
    scene.write("README.md", "version https://git-lfs.github.com/spec/v1 is what we use\n");
    scene.commit_all();
    scene.write("model.bin", put(b"second", b"second"));
    scene.write("sub/bad.bin", put(b"third", b"thirD"));
    scene.write("sub/missing.bin", lfs_pointer(b"fourth").0);
    scene.write("sub/long.bin", put(b"fifth", b"fifth").replace("size 5", "size 6"));
    let commit = scene.commit_all();

    let now = lfs(&scene, &scene.path("sub"), false);
    assert_eq!(
        BTreeSet::from_iter(left_out(&now)),
        BTreeSet::from([
            (LeftOutKind::Damaged, "sub/bad.bin"),
            (LeftOutKind::Damaged, "sub/long.bin"),
            (LeftOutKind::Missing, "sub/missing.bin")
        ])
    );
    assert_eq!(now.found.len(), 1);
    assert!(now.found[0].current && now.found[0].source.contains(commit.trim()), "{:?}", now.found);
    assert_eq!(scene.store.read(&now.found[0].digest, 100).unwrap(), b"second");

    let all = lfs(&scene, scene.workspace.root(), true);
    let contents: Vec<Vec<u8>> = all.found.iter().map(|found| scene.store.read(&found.digest, 100).unwrap()).collect();
    assert_eq!(contents, [b"first".to_vec(), b"second".to_vec()]);
    assert_eq!(all.found.iter().map(|found| found.current).collect::<Vec<_>>(), [false, true]);
}
