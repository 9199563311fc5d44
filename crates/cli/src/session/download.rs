//! Content from the home, checked while it is read.

use std::{fs, io, io::Write as _, os::unix::fs::PermissionsExt as _, path::Path};

use http_body_util::BodyExt as _;
use stemma_api::{client::BoxError, types::Resolved};
use stemma_core::{Digest, ErrorKind, Problem};
use tempfile::NamedTempFile;

use super::open::Session;
use crate::print::Output;

impl Session {
    /// Reads content into a new file in a folder and checks length and digest; the caller gives it its name.
    pub async fn download(&self, content: &Resolved, folder: &Path, output: &Output) -> Result<NamedTempFile, Problem> {
        let mut file = new_file(folder)?;
        let mut body = self.client.download_content(&self.project, &content.digest).await?;
        let bar = output.progress(content.size, "getting");
        let mut hasher = blake3::Hasher::new();
        let mut size = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| broke_off(size, &error))?;
            let Some(bytes) = frame.data_ref() else {
                continue;
            };
            size += bytes.len() as u64;
            if size > content.size {
                break;
            }
            hasher.update(bytes);
            file.write_all(bytes).map_err(|error| cannot_write(file.path(), &error))?;
            bar.inc(bytes.len() as u64);
        }
        bar.finish_and_clear();
        let found = Digest::from_bytes(*hasher.finalize().as_bytes());
        if size != content.size || found != content.digest {
            return Err(Problem::new(ErrorKind::Corrupt, format!("what came is not `{}`", content.digest))
                .hint("nothing was written; see `stemma verify`"));
        }
        file.as_file().sync_all().map_err(|error| cannot_write(file.path(), &error))?;
        Ok(file)
    }
}

/// A file with the rights that other new files of this user get.
pub fn new_file(folder: &Path) -> Result<NamedTempFile, Problem> {
    tempfile::Builder::new()
        .prefix(".stemma-get-")
        .permissions(fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(|error| cannot_write(folder, &error))
}

pub fn cannot_write(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(ErrorKind::Config, format!("can't write `{}`: {error}", path.display()))
}

pub fn broke_off(size: u64, error: &BoxError) -> Problem {
    let message = format!("the content broke off after {size} bytes: {error}");
    if is_damage(error.as_ref()) {
        return Problem::new(ErrorKind::Corrupt, message).hint("see `stemma verify`");
    }
    Problem::new(ErrorKind::Unavailable, message)
}

/// In this process the store's own failure arrives, and it says whether it is damage.
fn is_damage(error: &(dyn std::error::Error + 'static)) -> bool {
    let is_invalid_data = |error: &(dyn std::error::Error + 'static)| {
        error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::InvalidData)
    };
    std::iter::successors(Some(error), |error| error.source()).any(is_invalid_data)
}
