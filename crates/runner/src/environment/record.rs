//! What is said of an environment: a stored format.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};
use stemma_core::{Digest, Sha256, canonical};

/// The environment of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    pub os: Os,
    pub cpu: Cpu,
    /// Rounded to 256 MiB, because what the kernel keeps for itself differs from start to start.
    pub memory_bytes: Option<u64>,
    pub gpu: Option<Gpu>,
    pub interpreter: Option<Interpreter>,
    /// Sorted by name.
    pub packages: Vec<Package>,
    /// Programs with their digests, if there is no interpreter whose packages say more.
    pub executables: Vec<Executable>,
    /// Lock files of the project, sorted by path.
    pub lock_files: Vec<LockFile>,
    pub blas: Blas,
    /// How many threads libraries were told to use.
    pub threads: BTreeMap<String, String>,
    /// Other variables that change results; only those on a fixed list are ever kept.
    pub variables: BTreeMap<String, String>,
    /// Facts that could not be found out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Os {
    pub kernel: String,
    pub release: String,
    pub architecture: String,
    pub distribution: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpu {
    pub model: String,
    /// The instruction sets by which numeric libraries choose their kernels.
    pub features: Vec<String>,
    pub cores: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpu {
    pub driver: String,
    pub devices: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interpreter {
    /// `python`.
    pub kind: String,
    pub version: String,
    pub implementation: String,
    pub executable: PathBuf,
    pub prefix: PathBuf,
    pub base_prefix: PathBuf,
    pub standard_library: PathBuf,
    /// The C library it runs on, whose mathematical functions differ between versions.
    pub libc: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    pub name: String,
    pub version: String,
    /// Of the installed files' digests, without what depends on the folder and the installer; equal for equal wheels.
    pub record_digest: Option<Sha256>,
    /// Where it was installed from, if not from an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// It was there, and the command read none of its files; false also where nobody could see that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unread: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executable {
    pub path: String,
    pub digest: Option<Digest>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockFile {
    /// Relative to the project.
    pub path: String,
    pub digest: Digest,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Blas {
    /// File names of the libraries that were loaded.
    pub libraries: Vec<String>,
    /// `OPENBLAS_CORETYPE`: the kernel, if it was forced.
    pub core_type: Option<String>,
}

impl Environment {
    /// The environment's identity.
    pub fn digest(&self) -> Digest {
        let (digest, _) = canonical::digest(self).expect("the record has text keys and no floating-point numbers");
        digest
    }

    /// The environment without packages that the command did not read.
    pub fn as_read(&self) -> Self {
        let packages = self.packages.iter().filter(|package| !package.unread).cloned().collect();
        Self { packages, ..self.clone() }
    }
}
