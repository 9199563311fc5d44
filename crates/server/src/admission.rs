//! Who may begin: each kind of act has turns of its own, and the owner's socket has turns of its own of each kind.
//!
//! So heavy acts can't keep small ones waiting, transfers that stand still can't keep the others out, and none of them
//! touches the data plane, which has its own bounds in the gateway.

mod backstage;

use std::sync::Arc;

use axum::response::Response;
use stemma_api::act::Weight;
use stemma_core::{ErrorKind, Problem};
use stemma_gateway::{NoTurn, Turn, Turns};

use self::backstage::Backstage;
use crate::{context::Context, limits::Limits, peer::Peer, route::Handler};

pub struct Admission {
    network: Doors,
    owner: Doors,
    ordinary: Backstage,
    heavy: Backstage,
}

struct Doors {
    ordinary: Arc<Turns>,
    transfers: Arc<Turns>,
    heavy: Arc<Turns>,
}

impl Doors {
    fn new(limits: &Limits) -> Self {
        Self {
            ordinary: Turns::new(limits.ordinary),
            transfers: Turns::new(limits.transfers),
            heavy: Turns::new(limits.heavy),
        }
    }
}

impl Admission {
    pub fn new(limits: &Limits) -> std::io::Result<Self> {
        Ok(Self {
            network: Doors::new(limits),
            owner: Doors::new(limits),
            ordinary: Backstage::for_ordinary()?,
            heavy: Backstage::for_heavy(limits)?,
        })
    }

    /// Waits for a turn at acts of a kind.
    pub async fn enter(&self, weight: Weight, peer: Peer, client: &str) -> Result<Option<Turn>, Problem> {
        let doors = match peer {
            Peer::SameUser => &self.owner,
            Peer::Network { .. } => &self.network,
        };
        let turns = match weight {
            Weight::Free => return Ok(None),
            Weight::Ordinary => &doors.ordinary,
            Weight::Transfer => &doors.transfers,
            Weight::Heavy => &doors.heavy,
        };
        turns.take(client).await.map(Some).map_err(busy)
    }

    /// Runs a handler where it disturbs nobody, and gives its turn back. It goes on to its end with its turn, also if the
    /// client goes away.
    pub async fn run(
        &self,
        weight: Weight,
        handler: Handler,
        context: Context,
        turn: Option<Turn>,
    ) -> Result<(Response, Option<Turn>), Problem> {
        let threads = match weight {
            Weight::Free | Weight::Ordinary => &self.ordinary,
            Weight::Transfer | Weight::Heavy => &self.heavy,
        };
        match threads.run(async move { (handler(context).await, turn) }).await {
            Ok((answer, turn)) => Ok((answer?, turn)),
            Err(error) => Err(Problem::new(ErrorKind::Internal, format!("a request was not finished: {error}"))),
        }
    }

    /// Ends what runs at its next step, without waiting for it.
    pub fn close(&self) {
        self.ordinary.close();
        self.heavy.close();
    }
}

fn busy(no_turn: NoTurn) -> Problem {
    Problem::new(ErrorKind::Unavailable, no_turn.to_string()).hint("try again in some seconds")
}
