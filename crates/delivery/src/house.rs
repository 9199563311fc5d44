//! House-keeping: what waits is sealed, and the ledger's head is signed.

use std::time::Duration;

use stemma_core::Problem;

use crate::Delivery;

/// How often the housekeeping looks round.
const ROUND: Duration = Duration::from_secs(2);
/// The open segment is closed when it is older than this, so that predictions become content soon.
const SEGMENT_AGE_MAX: Duration = Duration::from_secs(600);
/// The same of feedback, of which there is less, and which is found the faster the fewer files it lies in.
const FEEDBACK_AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// How often rights to content, and what open segments hold are made facts.
const NOTE_EVERY: Duration = Duration::from_secs(30);
/// A command that owned the home for a moment seals when this many segments wait.
const WAITING_SEGMENTS_MAX: usize = 16;

impl Delivery {
    /// Seals segments, batches of runs and the ledger's head from time to time, until it is dropped.
    ///
    /// What fails is tried again in the next round; nothing is lost meanwhile.
    pub async fn keep_house(self) {
        let mut rounds = tokio::time::interval(ROUND);
        let mut opened = tokio::time::Instant::now();
        let (mut noted, mut feedback_opened) = (opened, opened);
        loop {
            rounds.tick().await;
            if opened.elapsed() > SEGMENT_AGE_MAX {
                opened = tokio::time::Instant::now();
                warn_if_failed(self.rotate_predictions().await);
            }
            if feedback_opened.elapsed() > FEEDBACK_AGE_MAX {
                feedback_opened = tokio::time::Instant::now();
                warn_if_failed(self.rotate_feedback().await);
            }
            warn_if_failed(self.seal_predictions().await);
            warn_if_failed(self.seal_feedback_if_due().await);
            warn_if_failed(self.engine().seal_runs().await);
            if noted.elapsed() > NOTE_EVERY {
                noted = tokio::time::Instant::now();
                warn_if_failed(self.engine().seal_rows().await);
                warn_if_failed(self.note_predictions().await);
                warn_if_failed(self.note_feedback().await);
            }
            warn_if_failed(self.engine().checkpoint().await);
        }
    }

    /// Finishes and lets go of the database.
    pub async fn close(&self) {
        self.finish().await;
        self.engine().release().await;
    }

    /// Seals what waits and signs the ledger's head.
    pub async fn finish(&self) {
        if self.log().unsealed().len() >= WAITING_SEGMENTS_MAX
            && let Err(problem) = self.seal_predictions().await
        {
            tracing::warn!(%problem, "the prediction log could not be sealed; it will be at the next start");
        }
        if let Err(problem) = self.seal_feedback_if_due().await {
            tracing::warn!(%problem, "feedback could not be sealed; it will be at the next start");
        }
        if let Err(problem) = self.engine().seal_runs().await {
            tracing::warn!(%problem, "runs could not be sealed; they will be at the next start");
        }
        if let Err(problem) = self.engine().seal_rows().await {
            tracing::warn!(%problem, "rights could not be sealed; they will be at the next start");
        }
        if let Err(problem) = self.note_predictions().await {
            tracing::warn!(%problem, "what the prediction log holds could not be noted; it will be at the next start");
        }
        if let Err(problem) = self.note_feedback().await {
            tracing::warn!(%problem, "what the feedback log holds could not be noted; it will be at the next start");
        }
        if let Err(problem) = self.finish_access_log().await {
            tracing::warn!(%problem, "the access log could not be sealed; it will be at the next start of a server");
        }
        if let Err(problem) = self.engine().checkpoint().await {
            tracing::warn!(%problem, "the ledger's head could not be signed");
        }
    }
}

fn warn_if_failed<T>(result: Result<T, Problem>) {
    if let Err(problem) = result {
        tracing::warn!(%problem, "housekeeping failed and will be tried again");
    }
}
