//! What every request handler can reach.

use std::sync::Arc;

use stemma_engine::Engine;

/// Shared by all requests; cheap to clone.
#[derive(Clone)]
pub struct App {
    pub engine: Engine,
    pub access: Arc<AccessRules>,
}

/// How strangers are met.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessRules {
    /// Hosts that the `Host` header may name, besides the loopback names. Without port, lower case.
    pub hosts: Vec<String>,
    /// Callers without a credential are contributors. On by default on loopback addresses only.
    pub anonymous: bool,
}

/// How a request reached us; put into its extensions by the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// This process or a Unix socket that only this user can open: shares our files.
    SameUser,
    /// A TCP connection.
    Network { loopback: bool },
}
