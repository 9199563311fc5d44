//! One request, authenticated and allowed; what it says is not read yet.

use stemma_core::id::RequestId;
use stemma_engine::Caller;

use crate::{app::App, incoming::Incoming, peer::Peer};

pub struct Context {
    pub app: App,
    pub caller: Caller,
    pub peer: Peer,
    pub request: RequestId,
    pub incoming: Incoming,
}
