//! Whether the home can take what is asked of it. Nothing is believed: the ledger, the prediction log and the content are
//! each written to.

use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
    time::{Duration, Instant},
};

use stemma_core::{ErrorKind, Problem};
use stemma_engine::problem::{internal, no_room};
use stemma_ledger::LedgerError;

use crate::Delivery;

/// Whoever asks again within this time gets the same answer: an answer costs some writes, and anybody may ask.
const ANSWER_HOLDS: Duration = Duration::from_secs(1);
/// As much as the next records or commits take.
const TRIED_BYTES: usize = 64 << 10;

impl Delivery {
    /// Says what keeps the home from answering predictions, remembering them or taking changes.
    pub async fn ready(&self) -> Result<(), Problem> {
        let mut last = self.readiness().lock().await;
        match &*last {
            Some((found, answer)) if found.elapsed() < ANSWER_HOLDS => answer.clone(),
            _ => {
                let answer = self.find_ready().await;
                *last = Some((Instant::now(), answer.clone()));
                answer
            }
        }
    }

    async fn find_ready(&self) -> Result<(), Problem> {
        self.ensure_routes().await?;
        self.engine().try_to_write().await.map_err(|error| match error {
            LedgerError::DiskFull => no_room(error.to_string()),
            error => {
                tracing::error!(%error, "the ledger can't be written");
                not_ready("the ledger can't be written")
            }
        })?;
        let folders =
            [("predictions", self.known().layout().predictions()), ("content", self.known().layout().content())];
        tokio::task::spawn_blocking(move || folders.iter().try_for_each(|(what, folder)| try_to_write(what, folder)))
            .await
            .map_err(internal)??;
        if self.log().ensure_writable().await.is_err() {
            return Err(not_ready("the prediction log can't be written"));
        }
        match self.gateway().table().routes.unavailable.is_empty() {
            true => Ok(()),
            false => Err(not_ready("an endpoint's model could not be loaded")),
        }
    }
}

fn not_ready(what: &str) -> Problem {
    Problem::new(ErrorKind::Unavailable, what).hint("see the server's log")
}

/// Writes a file without a name, so that nothing is left whatever happens.
fn try_to_write(what: &str, folder: &Path) -> Result<(), Problem> {
    written(folder).map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            no_room(format!("the disk that holds the {what} is full"))
        }
        _ => {
            tracing::error!(%error, folder = %folder.display(), "the folder can't be written");
            not_ready(&format!("the folder of the {what} can't be written"))
        }
    })
}

fn written(folder: &Path) -> io::Result<()> {
    let mut file: File = tempfile::tempfile_in(folder)?;
    file.write_all(&[0; TRIED_BYTES])?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_takes_nothing_is_told() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(try_to_write("content", folder.path()), Ok(()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let gone = folder.path().join("gone");
        let problem = try_to_write("content", &gone).unwrap_err();
        assert_eq!(problem.message, "the folder of the content can't be written");
    }
}
