//! A project in a folder of its own, with what people do in it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use stemma_core::{
    Digest,
    name::{PrincipalName, ProjectName},
    record::{Actor, Auth, FileRef, RunKind},
};
use stemma_runner::CaptureMode;
use stemma_store::Store;
use stemma_workspace::{Added, CapturedRun, ContentKind, Nesting, RunContent, RunRequest, Workspace, add, init, run};

pub struct Scene {
    _folder: tempfile::TempDir,
    pub workspace: Workspace,
    pub store: Store,
}

impl Scene {
    pub fn new() -> Self {
        Self::with_settings("")
    }

    pub fn with_settings(settings: &str) -> Self {
        // not in /tmp itself: the runner takes some names there for scratch files of libraries
        let folder = tempfile::Builder::new().prefix("project-").tempdir().unwrap();
        fs::write(folder.path().join("stemma.toml"), settings).unwrap();
        let workspace = init(folder.path(), Nesting::Refuse).unwrap().workspace;
        let store = workspace.open_store().unwrap();
        Self { _folder: folder, workspace, store }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.workspace.root().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn git(&self, args: &[&str]) -> String {
        git(self.workspace.root(), args)
    }

    /// Makes the project a repository with everything committed.
    pub fn commit_all(&self) -> String {
        if !self.path(".git").exists() {
            self.git(&["init", "-q", "-b", "main"]);
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "all"]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub fn add(&self, path: &str) -> Added {
        let added = add(&self.workspace, &self.store, &[path.into()], None, &mut |_, _| {});
        added.unwrap().remove(0)
    }

    pub fn request(&self, command: &[&str]) -> RunRequest {
        RunRequest {
            argv: command.iter().map(|word| (*word).to_owned()).collect(),
            directory: PathBuf::new(),
            kind: RunKind::Training,
            actor: Actor { principal: PrincipalName::new("ada@example.org").unwrap(), auth: Auth::Asserted },
            project: ProjectName::default_project(),
            capture: CaptureMode::Best,
        }
    }

    /// Runs a command and checks what holds of every captured run.
    pub fn run(&self, request: &RunRequest) -> CapturedRun {
        let captured = run(&self.workspace, &self.store, request).unwrap();
        self.check(&captured);
        captured
    }

    pub fn python(&self, script: &str, args: &[&str]) -> CapturedRun {
        self.write("train.py", script);
        let command = [&["python3", "train.py"], args].concat();
        self.run(&self.request(&command))
    }

    fn check(&self, captured: &CapturedRun) {
        let CapturedRun { record, record_digest, contents, .. } = captured;
        // a store opened anew knows only what is on disk
        let store = Store::open(&self.workspace.content_dir()).unwrap();
        let has = |digest: &Digest| contents.iter().any(|content| content.digest == *digest);
        for RunContent { digest, size, .. } in contents {
            assert_eq!(store.info(digest).unwrap().unwrap().size, *size);
        }
        let files = [&record.inputs, &record.outputs, &record.code.files];
        for FileRef { digest, sha256, size, .. } in files.into_iter().flatten() {
            let info = store.info(digest).unwrap().unwrap();
            assert_eq!((Some(info.sha256), info.size), (*sha256, *size));
            assert!(has(digest));
        }
        assert!(has(&record.environment));
        assert!(record.code.diff.as_ref().is_none_or(has));
        let bytes = store.read(record_digest, 1 << 20).unwrap();
        let stored: stemma_core::record::RunRecord = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(&stored, record);
        assert_eq!(stemma_core::canonical::to_bytes(record).unwrap(), bytes);
    }

    pub fn content(&self, digest: &Digest) -> String {
        String::from_utf8(self.store.read(digest, 1 << 24).unwrap()).unwrap()
    }

    /// Whether a text stands in anything that is stored.
    pub fn is_stored(&self, captured: &CapturedRun, text: &str) -> bool {
        captured
            .contents
            .iter()
            .filter(|content| content.what != ContentKind::Environment)
            .any(|content| self.content(&content.digest).contains(text))
    }
}

pub fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"])
        .args(["-c", "commit.gpgsign=false"])
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub fn paths(files: &[FileRef]) -> Vec<&str> {
    files.iter().map(|file| file.path.as_str()).collect()
}

pub fn file<'a>(files: &'a [FileRef], path: &str) -> &'a FileRef {
    let found = files.iter().find(|file| file.path == path);
    found.unwrap_or_else(|| panic!("no `{path}` among {:?}", paths(files)))
}
