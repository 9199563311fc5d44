//! Where backups lie: a folder, or a prefix of a bucket.

use std::{
    fs,
    path::{Path, PathBuf},
};

use stemma_core::{Digest, ErrorKind, Problem};
use stemma_remote::{Absence, Environment, Location, Policy, Remote, RemoteError, Standing, Target};

/// The folder of manifests beside the packs.
pub const MANIFESTS: &str = "backups";
/// Hex digits that name the folder of a place's indexes.
const CACHE_NAME: usize = 32;

/// How a place is reached.
pub struct Place {
    target: Target,
    environment: Vec<(String, String)>,
    policy: Policy,
}

impl Place {
    /// `here` is where relative folders begin, `environment` where credentials are looked up.
    pub fn new(target: Target, environment: &Environment, here: &Path, policy: Policy) -> Result<Self, Problem> {
        let url = match Location::parse(&target.url)? {
            Location::Folder(path) => here.join(path).display().to_string(),
            Location::Server(url) => {
                let problem =
                    Problem::invalid(format!("`{url}` is a server, and a backup is kept in a folder or a bucket"));
                return Err(problem.hint("name a folder, `s3://BUCKET/PREFIX`, `gs://…` or `az://CONTAINER/PREFIX`"));
            }
            _ => target.url.clone(),
        };
        Ok(Self { target: Target { url, ..target }, environment: environment.to_vec(), policy })
    }

    pub fn url(&self) -> &str {
        &self.target.url
    }

    /// Connects to read what is there; `cache` is for copies of its indexes.
    pub fn look(&self, cache: &Path) -> Result<Remote, Problem> {
        self.connect(cache, false).map_err(|error| match error {
            RemoteError::NotThere { .. } => {
                Problem::not_found(error.to_string()).hint("mount its disk, or correct the address")
            }
            error => error.into(),
        })
    }

    /// Connects to write. A place that backups of this home went to before, and that is gone, empty or another one now, is
    /// refused unless it is to be begun anew: its disk may not be mounted.
    ///
    /// One that is not known yet is to be adopted by the caller.
    pub(crate) async fn open(
        &self,
        home: &Path,
        caches: &Path,
        begin_anew: bool,
    ) -> Result<(Remote, Standing), Problem> {
        self.check_outside(home)?;
        let key = format!("{}\0{}", self.target.url, self.target.endpoint.as_deref().unwrap_or_default());
        let cache = caches.join(&Digest::of(key.as_bytes()).hex()[..CACHE_NAME]);
        let is_first = !stemma_remote::was_met(&cache)?;
        let remote = match self.connect(&cache, begin_anew || is_first) {
            Err(RemoteError::NotThere { .. }) => return Err(self.gone(Absence::NotThere)),
            connected => connected?,
        };
        let standing = remote.standing(&*remote.catalog().await?).await?;
        match standing {
            Standing::Gone(absence) if !begin_anew => Err(self.gone(absence)),
            standing => Ok((remote, standing)),
        }
    }

    fn connect(&self, cache: &Path, make: bool) -> Result<Remote, RemoteError> {
        Remote::connect(&self.target, &self.environment, Path::new(""), cache, self.policy, make)
    }

    /// A backup in the home would be part of the next one, and be lost with it.
    fn check_outside(&self, home: &Path) -> Result<(), Problem> {
        let Location::Folder(folder) = Location::parse(&self.target.url)? else {
            return Ok(());
        };
        let (folder, home) = (existing(&folder), existing(home));
        if !folder.starts_with(&home) {
            return Ok(());
        }
        let message = format!("`{}` lies in the home that is to be backed up", self.target.url);
        Err(Problem::invalid(message).hint("choose a folder on another disk, or a bucket"))
    }

    fn gone(&self, absence: Absence) -> Problem {
        let message = format!("`{}` has held backups of this home, and {absence}", self.target.url);
        Problem::new(ErrorKind::Conflict, message)
            .hint("mount its disk, or correct the address; `--create` begins anew there")
    }
}

/// A path with its links followed as far as it exists.
fn existing(path: &Path) -> PathBuf {
    let parents = path.ancestors().filter(|parent| !parent.as_os_str().is_empty());
    for parent in parents {
        if let (Ok(there), Ok(rest)) = (fs::canonicalize(parent), path.strip_prefix(parent)) {
            return there.join(rest);
        }
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str, here: &Path) -> Result<Place, Problem> {
        Place::new(Target { url: url.to_owned(), ..Target::default() }, &[], here, Policy::default())
    }

    #[test]
    fn a_place_in_the_home_or_on_a_server_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join(".stemma");
        fs::create_dir(&home).unwrap();
        assert!(place("https://a.b", folder.path()).is_err());
        for inside in [".stemma", ".stemma/new/er", "../x/.stemma"] {
            let inside = place(&inside.replace("../x", folder.path().to_str().unwrap()), folder.path()).unwrap();
            assert!(inside.check_outside(&home).is_err(), "{}", inside.url());
        }
        std::os::unix::fs::symlink(&home, folder.path().join("link")).unwrap();
        assert!(place("link/x", folder.path()).unwrap().check_outside(&home).is_err());
        for outside in [".stemma-backup", "../elsewhere", "s3://bucket/.stemma"] {
            assert!(place(outside, folder.path()).unwrap().check_outside(&home).is_ok(), "{outside}");
        }
    }
}
