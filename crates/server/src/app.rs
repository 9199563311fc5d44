//! What every request handler can reach, and how strangers are met.

use std::sync::Arc;

use ipnet::IpNet;
use stemma_core::history::VerifierKey;
use stemma_delivery::Delivery;
use stemma_engine::{Engine, Known};

use crate::{
    guard::{Host, Way},
    peer::Peer,
    session::Sessions,
};

/// Shared by all requests; cheap to clone.
#[derive(Clone)]
pub struct App {
    pub delivery: Delivery,
    pub access: Arc<AccessRules>,
    /// Who is signed in to the pages.
    pub sessions: Arc<Sessions>,
}

impl App {
    pub fn new(delivery: Delivery, access: AccessRules) -> Self {
        Self { delivery, access: Arc::new(access), sessions: Arc::default() }
    }

    /// Acts on what is not live.
    pub fn engine(&self) -> &Engine {
        self.delivery.engine()
    }

    /// What the home knows.
    pub fn known(&self) -> &Known {
        self.delivery.known()
    }
}

/// How strangers are met.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessRules {
    /// Hosts that the `Host` header may name, besides the loopback names.
    pub hosts: Vec<Host>,
    pub anonymous: Anonymous,
    /// What they say of a request's way is believed.
    pub proxies: Vec<IpNet>,
    /// Keys of the homes whose heads are kept for them.
    pub witness_of: Vec<VerifierKey>,
}

/// From where callers without a credential are contributors, on the TCP port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Anonymous {
    #[default]
    Nowhere,
    /// From this machine, if nothing says that somebody else is behind the request.
    ThisMachine,
    Anywhere,
}

impl AccessRules {
    /// Whether a caller may do without a token. Whoever a proxy speaks for is not on this machine.
    pub fn lets_in_without_token(&self, peer: Peer, way: &Way) -> bool {
        match (peer, self.anonymous) {
            (Peer::SameUser, _) => !way.is_relayed,
            (Peer::Network { .. }, Anonymous::Anywhere) => true,
            (Peer::Network { address }, Anonymous::ThisMachine) => {
                address.to_canonical().is_loopback() && !way.is_relayed
            }
            (Peer::Network { .. }, Anonymous::Nowhere) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Scheme;

    #[test]
    fn who_needs_no_token() {
        let network = |address: &str| Peer::Network { address: address.parse().unwrap() };
        let (here, there) = (network("127.0.0.1"), network("192.0.2.7"));
        use Anonymous::{Anywhere, Nowhere, ThisMachine};
        for (anonymous, peer, is_relayed, expected) in [
            (ThisMachine, here, false, true),
            (ThisMachine, network("::ffff:127.0.0.1"), false, true),
            (ThisMachine, here, true, false),
            (ThisMachine, there, false, false),
            (Nowhere, here, false, false),
            (Nowhere, Peer::SameUser, false, true),
            (ThisMachine, Peer::SameUser, true, false),
            (Anywhere, there, true, true),
        ] {
            let rules = AccessRules { anonymous, ..AccessRules::default() };
            let way = Way { is_relayed, client: None, scheme: Scheme::Http };
            assert_eq!(rules.lets_in_without_token(peer, &way), expected, "{anonymous:?} {peer:?} {is_relayed}");
        }
    }
}
