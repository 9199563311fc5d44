use std::collections::BTreeSet;

use stemma_api::{Client, types::History};
use stemma_core::{Clock as _, ErrorKind, Problem, SystemClock, history::Today, id::HomeId};
use stemma_engine::Engine;

/// Who is asked for a home's history.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    Client(&'a Client),
    Engine(&'a Engine),
}

impl Source<'_> {
    /// Which home it is, and what remembered heads are compared with.
    pub async fn look(self, sizes: BTreeSet<u64>) -> Result<(HomeId, Today), Problem> {
        let history = self.history(&sizes).await?;
        Ok((history.head.home, history.today()))
    }

    pub async fn history(self, sizes: &BTreeSet<u64>) -> Result<History, Problem> {
        match self {
            Self::Engine(engine) => engine.history(sizes).await,
            Self::Client(client) => {
                let shown = client.history(sizes.iter().copied()).await?;
                History::read(shown, SystemClock.now()).map_err(|why| not_believed(&why))
            }
        }
    }
}

pub fn not_believed(why: &str) -> Problem {
    Problem::new(ErrorKind::Corrupt, format!("the head that the home shows of its history can't be believed: {why}"))
}
