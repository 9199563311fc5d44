//! Small files that other tools leave in the place of content: whoever took one for the content would version, train on
//! or register a note of a hundred bytes.

use std::fmt;

use crate::{Problem, Sha256};

/// No file that is longer is a pointer.
pub const POINTER_BYTES_MAX: u64 = 16 << 10;
/// By its specification, no pointer of git-lfs is as long.
const LFS_BYTES_MAX: usize = 1023;
const LFS_VERSIONS: [&str; 3] = [
    "https://git-lfs.github.com/spec/v1",
    // what it was before it was a standard
    "https://hawser.github.com/spec/v1",
    "http://git-media.io/v/2",
];
const ANNEX_START: &str = "/annex/objects/";

/// What stands in the place of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pointer {
    Lfs(LfsPointer),
    Dvc,
    Annex,
}

/// What a pointer of git-lfs says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LfsPointer {
    pub oid: Sha256,
    pub size: u64,
    /// Programs changed the content on its way in, and would have to change it back.
    pub has_extensions: bool,
}

impl Pointer {
    /// Reads a pointer; `None` for all other files.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() as u64 > POINTER_BYTES_MAX {
            return None;
        }
        // before all others: most files are none
        let text = std::str::from_utf8(bytes).ok()?;
        if let Some(pointer) = LfsPointer::parse(text) {
            return Some(Self::Lfs(pointer));
        }
        if is_of_annex(text) {
            return Some(Self::Annex);
        }
        is_of_dvc(text).then_some(Self::Dvc)
    }

    /// The refusal to take it for the content of `what`.
    pub fn refused(&self, what: impl fmt::Display) -> Problem {
        Problem::invalid(format!("{what} is {self}, not the content")).hint(self.hint())
    }

    /// How to get the content.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Lfs(_) => "`git lfs pull` brings the content, `stemma import lfs` takes it with its history",
            Self::Dvc => "name the file that it stands for, after `dvc pull`; `stemma import dvc` takes its history",
            Self::Annex => "`git annex get` brings the content, `git annex unlock` makes it a file",
        }
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lfs(LfsPointer { size, .. }) => write!(f, "a Git LFS pointer to {size} bytes"),
            Self::Dvc => f.write_str("a pointer of DVC"),
            Self::Annex => f.write_str("a pointer of git-annex"),
        }
    }
}

impl LfsPointer {
    /// Reads a pointer as git-lfs writes it; `None` for all other texts.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let version = lines.next()?.strip_prefix("version ")?;
        if text.len() > LFS_BYTES_MAX || !LFS_VERSIONS.contains(&version) {
            return None;
        }
        let (mut oid, mut size, mut has_extensions) = (None, None, false);
        for line in lines {
            match line.split_once(' ')? {
                ("oid", value) if oid.is_none() => oid = Some(Sha256::from_hex(value.strip_prefix("sha256:")?)?),
                ("size", value) if size.is_none() => size = Some(value.parse().ok()?),
                ("oid" | "size", _) => return None,
                (key, _) => has_extensions |= key.starts_with("ext-"),
            }
        }
        Some(Self { oid: oid?, size: size?, has_extensions })
    }
}

/// An unlocked file of git-annex whose content is elsewhere: the path of its object, and perhaps a warning behind it.
fn is_of_annex(text: &str) -> bool {
    let key = text.lines().next().and_then(|line| line.strip_prefix(ANNEX_START));
    // as in `SHA256E-s7--ab….csv`
    key.is_some_and(|key| key.contains("--") && !key.contains(['/', ' ']))
}

/// A `.dvc` file: outputs, each with a path, and a hash or another sign of where it is.
fn is_of_dvc(text: &str) -> bool {
    const KEYS: [&str; 9] = ["outs", "deps", "wdir", "md5", "frozen", "locked", "desc", "meta", "always_changed"];
    let lines = || text.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let key = |line: &str| line.split_once(':').map(|(key, _)| key.to_owned());
    let mut top = lines().filter(|line| !line.starts_with([' ', '-']));
    let inside = |wanted: &str| {
        let of = |line: &str| key(line.trim_start_matches([' ', '-'])).is_some_and(|key| key == wanted);
        lines().any(|line| line.starts_with([' ', '-']) && of(line))
    };
    let is_known = |line: &str| key(line).is_some_and(|key| KEYS.contains(&key.as_str()));
    lines().any(|line| line == "outs:")
        && top.all(is_known)
        && inside("path")
        && ["md5", "etag", "checksum", "hash", "files"].iter().any(|sign| inside(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OID: &str = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";

    #[test]
    fn pointers_of_git_lfs_are_told_from_other_files() {
        let good = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize 12345\n");
        let Some(Pointer::Lfs(pointer)) = Pointer::read(good.as_bytes()) else { panic!("{good}") };
        assert_eq!((pointer.oid.hex().as_str(), pointer.size, pointer.has_extensions), (OID, 12345, false));
        let extended = good.replace("oid", &format!("ext-0-crypt sha256:{OID}\noid"));
        assert!(LfsPointer::parse(&extended).unwrap().has_extensions);
        assert!(matches!(Pointer::read(good.replace('\n', "\r\n").as_bytes()), Some(Pointer::Lfs(_))));
        for bad in [
            "",
            "id,risk\n1,good\n",
            "version https://example.org/v9\noid sha256:00\nsize 1\n",
            &good.replace(OID, "00"),
            &good.replace("sha256", "md5"),
            &good.replace("12345", "-1"),
            &good.replace("size 12345\n", ""),
            &format!("{good}size 3\n"),
            &format!("{good}noise\n"),
            &format!("{good}x-{} y\n", "long".repeat(300)),
        ] {
            assert_eq!(Pointer::read(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(Pointer::read(b"version \xff"), None);
    }

    #[test]
    fn pointers_of_dvc_and_git_annex_are_told_from_other_files() {
        let hash = "a54030eff9898adb2d3a7796f544080e";
        for dvc in [
            format!("outs:\n- md5: {hash}.dir\n  size: 15\n  nfiles: 3\n  hash: md5\n  path: data\n"),
            format!("# kept\nwdir: ..\nouts:\n  - md5: {hash}\n    path: a b.csv\n"),
            format!("md5: {hash}\nfrozen: true\ndeps:\n- etag: x\n  path: s3://b/x\nouts:\n- path: x\n  hash: md5\n"),
        ] {
            assert_eq!(Pointer::read(dvc.as_bytes()), Some(Pointer::Dvc), "{dvc}");
        }
        assert_eq!(Pointer::read(b"/annex/objects/SHA256E-s7--abc.csv\n"), Some(Pointer::Annex));
        for other in [
            "/annex/objects/\n",
            "/annex/objects are links\n",
            "outs:\n- a\n- b\n",
            "outs:\n- path: x\n",
            "name: model\nouts:\n- md5: x\n  path: y\n",
            "schema: '2.0'\nstages:\n  prep:\n    outs:\n    - path: out\n      md5: x\n",
            "path,md5\nouts:,1\n",
        ] {
            assert_eq!(Pointer::read(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_refusal_says_what_it_is_and_what_to_do() {
        let text = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize 12\n");
        let problem = Pointer::read(text.as_bytes()).unwrap().refused("`train.csv`");
        assert_eq!(problem.message, "`train.csv` is a Git LFS pointer to 12 bytes, not the content");
        assert!(problem.hint.unwrap().contains("git lfs pull"));
    }
}
